"""Runs frames against a running target: over a cable between two private namespaces, with a real file under its exports."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.initiators import MAX_INITIATORS
from aoetui.engine.protocol.repeats import MEMORY
from tests.fuzz import layout
from tests.fuzz.dice import Dice
from tests.fuzz.exchange import PATIENCE, Exchange, with_tag
from tests.fuzz.far_end import FarEnd
from tests.fuzz.findings import JUDGED, Figures, Finding, resident
from tests.fuzz.mutations import Frames
from tests.fuzz.oracle import Oracle
from tests.fuzz.requests import AOE, Place, World
from tests.support.netns import VethPair, veth_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fuzz.oracle import Disk

CHUNK = 400
"""Frames between two checks of the file and of the lists."""
_SHORTEST = 15
_TAGGED = 0.05
"""How many frames have a VLAN tag, beside those for an export that is in one."""
_TAGS = (b"\0\x64", b"\0\x64", b"\xe0\x64", b"\0\0", b"\xe0\0", b"\0\1", b"\x0f\xff")
_IN_VLAN = {window.shelf.to_bytes(2) for window in layout.WINDOWS if window.vlan}
_STRANGERS = tuple(bytes.fromhex("0200000002") + bytes((number,)) for number in range(3))
"""Other targets, which forge answers."""


class Target:
    """The process that serves."""

    def __init__(self, pair: VethPair, folder: Path, fault: str = "") -> None:
        layout.make_file(folder / "disk.img")
        self.folder = folder
        self._errors = (folder / "stderr").open("wb")
        command = [sys.executable, "-m", "tests.fuzz.served", str(folder), fault]
        pipe = subprocess.PIPE
        self.process = pair.near.popen(command, stdin=pipe, stdout=pipe, stderr=self._errors, text=True)
        self._read()

    def tell(self, word: str) -> None:
        """Have it obey. Raises Finding if it ended, or if something was raised in it since it began."""
        with contextlib.suppress(BrokenPipeError):
            print(word, file=self.process.stdin, flush=True)
        self._read()

    def _read(self) -> None:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise Finding(f"the target ended: {(self.folder / 'stderr').read_text()[-2000:]}")
        if raised := json.loads(line):
            raise Finding(f"the target raised {len(raised)} times; at first\n{raised[0]}")

    def end(self) -> None:
        """Have it end in order."""
        self.process.communicate(timeout=PATIENCE)
        if self.process.returncode:
            raise Finding(f"the target ended with {self.process.returncode}")

    def close(self) -> None:
        """End it if it still runs."""
        self.process.kill()
        self.process.communicate()
        self._errors.close()


class WireRun:
    """A target with its cable, and the oracle that knows it."""

    def __init__(self, pair: VethPair, target: Target, figures: Figures, *, mtu: int) -> None:
        self._target = target
        self._figures = figures
        self._far = pair.far.run(FarEnd)
        self._mtu = mtu
        mac = bytes.fromhex(pair.near_mac.replace(":", ""))
        self._mac = mac
        self._disks = [window.disk(mtu) for window in layout.WINDOWS]
        oracles = {vlan: Oracle(mac, mtu, self._served_on(vlan)) for vlan in (0, layout.VLAN)}
        self._exchange = Exchange(self._far, oracles, figures, lambda: target.tell("look"), batch=32 if mtu <= 1500 else 8)
        self._world = World(
            mac=mac,
            most_sectors=oracles[0].most_sectors,
            places=[Place(window.shelf, window.slot, window.sectors) for window in layout.WINDOWS if window not in layout.FENCES],
            macs=layout.MACS,
            changes=0.15,
        )

    def _served_on(self, vlan: int) -> list[Disk]:
        return [disk for window, disk in zip(layout.WINDOWS, self._disks, strict=True) if window.vlan == vlan]

    def warm_up(self, writes: int, macs: int) -> None:
        """Fill what the target remembers: so many writes to each export, of many MACs if it hears them, and so many MACs."""
        for number in range(max(writes, macs)):
            for window, disk in zip(layout.WINDOWS, self._disks, strict=True):
                if number < writes and not window.read_only:
                    source = b"\2\7\1" + (number // window.sectors).to_bytes(3)
                    registers = bytes((0x41, 0, 1, 0x34)) + (number % window.sectors).to_bytes(6, "little") + b"\0\0"
                    self._ask(source if disk.hears(source) else layout.MACS[0], window, registers + number.to_bytes(8) * 64)
                if number < 256 * len(layout.MACS):
                    registers = bytes((0x40, 0, 1, 0x24)) + (number // len(layout.MACS) % window.sectors).to_bytes(6, "little")
                    self._ask(layout.MACS[number % len(layout.MACS)], window, registers + b"\0\0")
                if number < macs:
                    self._ask(b"\2\7" + number.to_bytes(4), window, bytes((0, 0, 1, 0xEC)) + bytes(8))
        self._exchange.settle()

    def _ask(self, source: bytes, window: layout.Window, argument: bytes) -> None:
        address = window.shelf.to_bytes(2) + bytes((window.slot, 0))
        frame = b"".join((self._mac, source, AOE, b"\x10\0", address, bytes(4), argument))
        self._exchange.put(with_tag(frame, window.vlan))

    def chunk(self, seed: int, chunk: int, count: int) -> None:
        """Some frames; then the file and the target are looked at. Raises Finding."""
        dice = Dice(f"{seed}:{chunk}")
        frames = Frames(dice, self._world, responses=0.04)
        end = self._figures.frames + count
        try:
            while self._figures.frames < end:
                frame = self._fit(dice, frames.next())
                if len(frame) >= _SHORTEST:
                    self._exchange.put(frame)
            self._exchange.settle()
            self._check_file()
            self._target.tell("clear")
            for window, disk in zip(layout.WINDOWS, self._disks, strict=True):
                disk.string, disk.mask, disk.holders = b"", list(window.mask), []
        except Finding as finding:
            finding.place = (
                f"seed {seed}, chunk {chunk}: python -m tests.fuzz --wire --seed {seed} --first {chunk} --count {count}"
            )
            raise Finding(finding.what, finding.frame, place=finding.place) from finding
        self._figures.sample(resident(self._target.process.pid))

    def _fit(self, dice: Dice, frame: bytes) -> bytes:
        """As it can be sent: no longer than the MTU; of a few MACs, for the target remembers them; with a VLAN tag at times."""
        frame = frame[: self._mtu + 14]
        if len(frame) > 19 and frame[14] & 8:
            place = dice.pick(self._world.places)
            address = place.shelf.to_bytes(2) + bytes((place.slot ^ dice.pick((0, 1)),))
            frame = frame[:6] + dice.pick(_STRANGERS) + frame[12:16] + address + frame[19:]
        elif len(frame) > 19 and frame[6:12] not in (*layout.MACS, bytes(6)) and not frame[6] & 1:
            frame = frame[:6] + b"\2\x08\0\0\0" + bytes((frame[11] & 0x0F,)) + frame[12:]
        if frame[16:18] in _IN_VLAN or dice.random() < _TAGGED:
            frame = frame[:12] + b"\x81\0" + dice.pick(_TAGS) + frame[12:]
        return frame

    def _check_file(self) -> None:
        found = (self._target.folder / "disk.img").read_bytes()
        expected = layout.expected_file(self._disks)
        if found != expected:
            wrong = [
                at // 512
                for at in range(0, max(len(found), len(expected)), 512)
                if found[at : at + 512] != expected[at : at + 512]
            ]
            raise Finding(f"sectors {wrong[:10]} of the file are not what was written; windows are {layout.WINDOWS}")

    def check_kept(self) -> None:
        """The state files say what the oracle knows; to be called when the target has ended. Raises Finding."""
        kept = {}
        for path in (self._target.folder / "state").glob("*.json"):
            written = json.loads(path.read_text())
            lists = (tuple(bytes.fromhex(mac.replace(":", "")) for mac in written[name]) for name in ("mask", "reservation"))
            kept[written["address"]] = (bytes.fromhex(written["config_string"]), *lists)
        expected = {f"e{disk.shelf}.{disk.slot}": disk.state for disk in self._disks}
        if kept != expected:
            raise Finding(f"kept is {kept}, not {expected}")

    def close(self) -> None:
        """Let the cable's end go."""
        self._far.close()


@contextlib.contextmanager
def wire_run(figures: Figures, *, mtu: int = 1500, fault: str = "") -> Iterator[WireRun]:
    """A target that serves, and its end in order when all went well."""
    with (
        tempfile.TemporaryDirectory(prefix="aoetui-fuzz-") as folder,
        veth_pair(mtu) as pair,
        contextlib.closing(Target(pair, Path(folder), fault)) as target,
        contextlib.closing(WireRun(pair, target, figures, mtu=mtu)) as run,
    ):
        yield run
        target.end()
        run.check_kept()


def run(
    seed: int,
    total: int,
    *,
    mtu: int = 1500,
    first: int = 0,
    fault: str = "",
    show: Callable[[Figures], None] = lambda _: None,
) -> Figures:
    """`total` frames in chunks from number `first` on. Raises Finding."""
    figures = Figures(total)
    with wire_run(figures, mtu=mtu, fault=fault) as running:
        if total >= JUDGED:
            running.warm_up(writes=MEMORY + 100, macs=MAX_INITIATORS + 100)
        figures.restart()
        chunk = first
        while figures.frames < total:
            running.chunk(seed, chunk, min(CHUNK, total - figures.frames))
            chunk += 1
            show(figures)
    return figures
