"""Captures of ours in Wireshark's hands, and Wireshark's in ours."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.commands.trace import SaveTrace
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.captured import Direction, brief_of, with_tag
from aoetui.engine.protocol.frames import ConfigArgument, Directive, Frame, MaskArgument, ReserveArgument, encode
from aoetui.engine.protocol.pcap import MAX_FRAME, PcapngWriter
from aoetui.engine.protocol.wire import MAX_CONFIG_STRING, SECTOR
from aoetui.engine.tracing.files import save
from aoetui.engine.tracing.tap import SHORT
from tests.support.tap import tap
from tests.unit.protocol import golden
from tests.unit.protocol.captures import GOLDEN, START, captured
from tests.unit.test_tracing import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair

pytestmark = pytest.mark.interop("tshark", "editcap", "dumpcap")
FIELDS = ("frame.len", "aoe.tag", "aoe.cmd", "vlan.id")

LONGEST = golden.READ_28_REPLY[:36] + os.urandom(17 * SECTOR)
MACS = tuple(Mac(bytes((2, 0, 0, 0, 1, n))) for n in range(185))


def every_kind() -> dict[str, bytes]:
    """Each command, answered and asked, errors of both kinds, the longest data and lists; and all in a VLAN."""
    lists = {
        "longest config string": Frame(golden.response(1), ConfigArgument(64, 1, 17, 1, 0, b"x" * MAX_CONFIG_STRING)),
        "longest mask list": Frame(golden.response(2), MaskArgument(0, 0, 185, tuple(Directive(0, mac) for mac in MACS))),
        "longest reservation": Frame(golden.response(3), ReserveArgument(0, MACS)),
    }
    kinds = GOLDEN | {name: encode(frame) for name, frame in lists.items()} | {"longest read": LONGEST}
    return kinds | {f"{name} in a VLAN": with_tag(frame, 0x8100, 100) for name, frame in kinds.items()}


def tshark(path: Path, *arguments: str) -> str:
    """What it prints."""
    done = subprocess.run(["tshark", "-r", path, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def aoetui(*arguments: str) -> list[dict[str, object]]:
    """The frames that it tells."""
    done = subprocess.run(
        [sys.executable, "-m", "aoetui", "trace", *arguments, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["frame"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["all.pcap", "all.pcapng"])
@pytest.mark.parametrize("kept", [MAX_FRAME, SHORT], ids=["whole", "cut"])
def test_wireshark_finds_no_malformed_frame(tmp_path: Path, name: str, kept: int) -> None:
    """It has no names for commands 2 and 3 and error 6, and no other fault with any of them; nor with frames that were cut."""
    kinds, path = every_kind(), tmp_path / name
    frames = [captured(frame[:kept], length=len(frame)) for frame in kinds.values()]
    save(recorded(frames), SaveTrace(path))
    assert tshark(path, "-Y", "_ws.malformed || _ws.expert.severity >= 0x600000") == ""
    told = tshark(path, "-T", "fields", *(part for field in FIELDS for part in ("-e", field))).splitlines()
    assert len(told) == len(kinds)
    for line, (kind, frame) in zip(told, kinds.items(), strict=True):
        length, tag, command, vlan = line.split("\t")
        brief = brief_of(frame)
        assert brief is not None
        assert (int(length), int(tag, 0), int(command, 0), vlan) == (
            len(frame),
            brief.tag,
            brief.command,
            "100" if "VLAN" in kind else "",
        )


def test_wireshark_is_told_interface_and_direction(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    frames = [captured(golden.READ_48, interface="eth7"), captured(golden.READ_28_REPLY, direction=Direction.OUT)]
    save(recorded(frames), SaveTrace(path))
    told = tshark(
        path, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.time_epoch"
    )
    assert [line.split("\t") for line in told.splitlines()] == [
        ["eth7", "0x00000001", "1800000000.000000000"],
        ["eth1", "0x00000002", "1800000000.000000000"],
    ]


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_what_wireshark_wrote_is_read(tmp_path: Path, kind: str) -> None:
    """A frame of another protocol among them is passed over."""
    source, path = tmp_path / "source.pcapng", tmp_path / "a.pcap"
    stranger = captured(golden.READ_48[:12] + b"\x08\x00" + bytes(46))
    save(recorded([captured(frame, START + at * 1000) for at, frame in enumerate(GOLDEN.values())]), SaveTrace(source))
    with source.open("ab") as file:
        file.write(PcapngWriter().record(stranger))
    subprocess.run(["editcap", "-F", kind, source, path], check=True)
    told = aoetui("--read", str(path))
    assert [line["length"] for line in told] == [len(frame) for frame in GOLDEN.values()]
    assert [line["tag"] for line in told] == [int.from_bytes(frame[20:24]) for frame in GOLDEN.values()]
    assert [line["time_ns"] for line in told] == [START + at * 1000 for at in range(len(GOLDEN))]


def test_what_dumpcap_captured_is_read(veth_pair: VethPair, tmp_path: Path) -> None:
    path = tmp_path / "live.pcapng"
    with tap(veth_pair.far, "far0") as far:
        command = ["dumpcap", "-q", "-i", "near0", "-c", "1", "-w", str(path), "-f", "ether proto 0x88a2"]
        dumpcap = veth_pair.near.popen(command, stderr=subprocess.PIPE)
        sent = 0
        while dumpcap.poll() is None:
            far.send(golden.WRITE_48)
            sent += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                dumpcap.wait(0.05)
        told_by_dumpcap = dumpcap.communicate()[1]
    assert dumpcap.returncode == 0, told_by_dumpcap
    (line,) = aoetui("--read", str(path))
    assert (line["interface"], line["what"], line["kept"]) == ("near0", "WRITE 2 at 0x8", len(golden.WRITE_48))
