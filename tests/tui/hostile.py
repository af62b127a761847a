"""A SAN whose every string means harm: to the terminal, to the markup, to the layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import BackingReport, EngineError, InspectBacking, ListBlockDevices, SetMask
from aoetui.engine.commands.trace import DecodedField, FrameDetail, Mark, OpenTrace, SaveTrace, ShowFrame
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.snapshot import (
    Alarm,
    EngineSnapshot,
    ExportState,
    Note,
    PortSnapshot,
    Sameness,
    Severity,
    Silence,
)
from aoetui.engine.spec import Durability, ExportSpec
from tests.tui.fake_engine import BUSY, FakeEngine, device, export, initiator, link, path, refused
from tests.tui.fake_trace import FakeTrace, frame

if TYPE_CHECKING:
    from aoetui.engine.snapshot import ExportSnapshot

HARM: tuple[str, ...] = (
    "\x1b[2J\x1b[31mred",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]0;title\x1b\\",
    "\x9b2J\x9d0;t\x9c\x85",
    "\u202egnp.exe\u2066\u2069",
    "a\u200b\u200d\ufeff\u00adb",
    "one\ntwo\r\tthree\x0b\x0c\u2028\u2029",
    "[bold]x[/] [/boom] [@click=app.quit]y[/]",
    "磁盘ディスク" * 30,
    "e\u0301\u0301\u0301 Z\u0361\u0489 \u1160\u11a8",
    "\ud800 \ue000 \U000e0001 \x00 \x7f \x08\x08",
    "long" * 400,
)
"""Each alone; and all of them in one."""

ALL = " ".join(HARM)


def _export(address: str, text: str, config_string: bytes) -> ExportSnapshot:
    """One with `text` wherever text can stand."""
    spec = ExportSpec(
        address=Address.parse(address),
        path=Path("/srv") / text.replace("\0", "").replace("/", "|"),
        interfaces=("".join(text.split()), "eth1"),
        durability=Durability.DURABLE,
        direct=True,
        vlan=100,
        offset=2048,
        length=4096,
        accept=(text, "web"),
        deny=(text,),
        serial=text,
        label=text,
    )
    users = tuple(
        replace(
            initiator(f"52:54:00:a0:e0:0{number}", "eth1", last_io=1.0, reads=10**12, writes=10**12, retransmits=10**11),
            interface=text,
            dropped=10**9,
            under_way=10**6,
        )
        for number in range(3)
    )
    return export(
        address,
        "/srv/a.img",
        spec=spec,
        state=ExportState.DEGRADED,
        problem=text,
        serial=text,
        size=10**18,
        config_string=config_string,
        mask=tuple(Mac(bytes((2, 0, 0, 0, 0, n))) for n in range(255)),
        reservation=(Mac.parse("52:54:00:a0:e0:00"), Mac.parse("02:00:00:00:00:99")),
        ports=(PortSnapshot(text, True, 17, ""), PortSnapshot("eth1 vlan 100", False, 0, text)),
        initiators=users,
        refused=tuple(replace(refused("52:54:00:bb:00:09", "x", why, 10**9, last=9e6), interface=text) for why in Silence),
        refused_frames=10**12,
    )


STRINGS = (b"\xff" * 1024, b"\x00\x1b[2J" * 170, ALL.encode("utf-8", "surrogatepass")[:1024], b" [/boom] \\x41 ")

EXPORTS = tuple(
    _export(f"e20.{number}", text, STRINGS[number % len(STRINGS)]) for number, text in enumerate((ALL, HARM[0], HARM[8], *HARM))
)
DEVICES = tuple(
    replace(
        device(
            f"e9.{number}", replace(path("52:54:00:00:09:01", "eth1"), interface=text), serial=text, model=text, firmware=text
        ),
        config_string=STRINGS[number % len(STRINGS)],
        sameness=Sameness.DIFFERENT,
    )
    for number, text in enumerate((ALL, *HARM))
)
LINKS = tuple(
    replace(
        link(text, number, "52:54:00:aa:00:01", chosen=True, vlan_id=4094, foreign_vlan=10**12),
        kind=text,
        parent=text,
        bridge=text if number % 3 == 2 else None,
        addresses=(text, text),
        problem=text if number % 2 else "",
        notes=(Note(Severity.ALARM, text),),
        silences=tuple((why, 10**12) for why in Silence),
    )
    for number, text in enumerate((ALL, *HARM))
)
SNAPSHOT: EngineSnapshot = replace(
    BUSY,
    host=ALL,
    interfaces=tuple(each.name for each in LINKS),
    exports=EXPORTS,
    devices=(*DEVICES, device("e20.0", ours=True, config_string=STRINGS[0], model=ALL)),
    links=LINKS,
    alarms=tuple(Alarm(Severity.ALARM, subject, ALL) for subject in ("e9.0", "e20.0", ALL)),
)


def engine() -> FakeEngine:
    """One that tells nothing else, and refuses in the same words."""
    made = FakeEngine(SNAPSHOT, ())
    for text in (*HARM, ALL):
        for severity in Severity:
            made.happen(severity, text, text)
    disk = BackingReport(Path("/dev") / ALL.replace("\0", ""), True, True, 10**18, ALL, "", ALL)
    made.answers = {ListBlockDevices: (disk, replace(disk, refusal=ALL)), InspectBacking: replace(disk, refusal=ALL)}
    made.answers |= {SetMask: EngineError(ALL, field="mask")}
    lines = [frame(at, what=text, interface=text, address=text, marks=tuple(Mark)) for at, text in enumerate((*HARM, ALL), 1)]
    trace = FakeTrace(made, *lines, interfaces=(ALL,), problems=(ALL,), file="")
    fields = tuple(DecodedField("ATA", "model", text) for text in (*HARM, ALL))
    made.answers |= {ShowFrame: FrameDetail(trace.lines[0], fields, bytes(range(256))), SaveTrace: EngineError(ALL, field="path")}
    made.answers |= {OpenTrace: EngineError(ALL, field="path")}
    return made
