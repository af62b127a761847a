"""Rounds of serving and killing, and what has to hold after each: whole files, free locks, and an initiator that goes on."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.backing import Backing
from aoetui.engine.config import BACKUPS, ConfigFile
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.state import StateStore
from tests.net.kill.setter import Setter
from tests.net.kill.target import NONE, next_of, spare_in
from tests.support.program import until
from tests.support.writer import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from aoetui.engine.protocol.facts import TargetState
    from tests.support.netns import VethPair

DISK = Address(9, 1)
SECTORS = 1 << 24
LONGEST = 0.7
"""Seconds that a target serves after its initiator went on; or lives at all, where it is killed while it starts."""
STARTING = 0.2
"""Of all rounds, those that kill it while it starts."""


@dataclass(slots=True)
class Figures:
    """What the rounds came to."""

    killed: int = 0
    starting: int = 0
    """Of them, killed while they started."""
    writes: int = 0
    """Answered."""
    changes: int = 0
    """Of config string, mask list and reservation, answered."""
    edits: int = 0
    """Of the config, said to be done."""
    amid: int = 0
    """Kills amid a save: they left its temporary file."""

    def __str__(self) -> str:
        return (
            f"killed {self.killed} times ({self.starting} while starting, {self.amid} amid a save): {self.writes} answered"
            f" writes, {self.changes} answered changes of state and {self.edits} edits of the config are all there"
        )


@dataclass(slots=True)
class Site:
    """Where a target serves, and what it was heard to promise."""

    pair: VethPair
    folder: Path
    figures: Figures = field(default_factory=Figures)
    holds: str = NONE
    """What the config is known to hold of the spare disk: the last that was said, or found after a kill."""
    last: int = 0
    """The last number that was used for it."""

    def __post_init__(self) -> None:
        for path in (self.disk, self.spare):
            with path.open("wb") as file:
                file.truncate(SECTORS * SECTOR)
        (self.folder / "etc").mkdir()
        self.config.write_text(
            f'# kept\n[[export]]\nshelf = {DISK.shelf}\nslot = {DISK.slot}\npath = "{self.disk}"\ninterfaces = ["near0"]\n'
        )

    @property
    def disk(self) -> Path:
        """Of e9.1, which is written to."""
        return self.folder / "disk.img"

    @property
    def spare(self) -> Path:
        """Of e9.2, which comes and goes."""
        return self.folder / "spare.img"

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "etc" / "config.toml"

    @property
    def state(self) -> Path:
        """The folder of the state files."""
        return self.folder / "state"

    def start(self) -> Target:
        """A new process."""
        return Target(self)


class Target:
    """A process that serves, and what it has said."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._said = site.folder / "said"
        words = [sys.executable, "-m", "tests.net.kill.target", site.config, site.state, site.spare, site.last]
        with self._said.open("wb") as said, (site.folder / "stderr").open("wb") as complaints:
            self._process = site.pair.near.popen([str(word) for word in words], stdout=said, stderr=complaints)

    def kill(self) -> None:
        """SIGKILL, and take down what it had said."""
        self._end(signal.SIGKILL)
        self._site.figures.killed += 1

    def stop(self) -> None:
        """Orderly."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        assert self._process.poll() is None, (self._site.folder / "stderr").read_text()
        self._process.send_signal(number)
        self._process.wait()
        said = [line for line in self._said.read_text().splitlines(keepends=True) if line.endswith("\n")]
        self._site.figures.edits += len(said)
        for line in said:
            self._site.holds = line.strip()
            self._site.last = max(self._site.last, number_of(self._site.holds))


def number_of(holds: str) -> int:
    """0 if it holds none."""
    return 0 if holds == NONE else int(holds.split(maxsplit=1)[0])


def run(pair: VethPair, folder: Path, rounds: int, chance: random.Random) -> Figures:
    """Kill it so often. Raises AssertionError as soon as something does not hold."""
    site = Site(pair, folder)
    target_mac = Mac.parse(pair.near_mac)
    with Writer(pair.far, "far0", target_mac, DISK) as writer, Setter(pair.far, "far0", target_mac, DISK) as setter:
        checked: set[int] = set()
        for _ in range(rounds):
            starting = site.figures.killed > 0 and chance.random() < STARTING
            target = site.start()
            if starting:
                site.figures.starting += 1
            else:
                goes_on(writer, setter)
            time.sleep(chance.random() * LONGEST)  # the moment is any
            target.kill()
            setter.until_quiet()
            check_config(site)
            check_state(site, {setter.answered, setter.asked})
            check_locks(site)
            checked |= check_writes(site.disk, writer.answered - checked)
        target = site.start()
        goes_on(writer, setter)
        target.stop()
    check_config(site)
    check_writes(site.disk, writer.answered)
    assert not leftovers(site.folder), "a save that was killed is never cleared away"
    site.figures.writes, site.figures.changes = len(writer.answered), setter.answers
    return site.figures


def goes_on(writer: Writer, setter: Setter) -> None:
    """Wait until every write that the killed target did not answer is answered, and then more; and changes of state too."""
    outstanding, enough = set(writer.waiting.copy()), len(writer.answered) + 50
    until(lambda: outstanding <= writer.answered and len(writer.answered) >= enough, "the writes of before the kill")
    setter.until_answered(3)


def check_config(site: Site) -> None:
    """The file and its backups are whole, and hold what was promised or what was under way."""
    for path in (site.config, *(site.config.with_name(f"config.toml.{number}") for number in range(1, BACKUPS + 1))):
        if path == site.config or path.exists():
            exports = ConfigFile(path).load().exports
            assert DISK in {each.address for each in exports}, path
            assert path.read_text().startswith("# kept\n")
    found = spare_in(list(ConfigFile(site.config).load().exports))
    under_way = next_of(site.holds, site.last)
    assert found in {site.holds, under_way}, f"{found} was found where {site.holds} was promised and {under_way} was under way"
    site.holds, site.last = found, max(site.last, number_of(found))


def check_state(site: Site, promised: set[TargetState]) -> None:
    """Every file is whole, and that of e9.1 holds what was answered or what was asked for since."""
    site.figures.amid += bool(leftovers(site.folder))
    for path in site.state.glob("*.json"):
        assert json.loads(path.read_text())["version"] == 1
    copy = site.folder / "copy"
    shutil.copytree(site.state, copy)  # to open it clears away what a kill has left: that is the next target's
    with closing(Backing.open(site.disk, read_only=True)) as backing:
        found = StateStore(copy).open(DISK, backing.key).state
    shutil.rmtree(copy)
    assert found in promised, f"{found} is none of {promised}"


def check_locks(site: Site) -> None:
    """Neither disks nor config are locked by the dead."""
    for path in (site.disk, site.spare):
        Backing.open(path, read_only=False).close()
    folder = os.open(site.config.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(folder)


def check_writes(disk: Path, answered: set[int]) -> set[int]:
    """Each is in the file; they are returned."""
    with disk.open("rb") as file:
        for sector in sorted(answered):
            file.seek(sector * SECTOR)
            assert file.read(SECTOR) == Writer.content(sector), f"the answered write of sector {sector} is lost"
    return answered


def leftovers(folder: Path) -> list[Path]:
    """Temporary files of saves."""
    return [path for name in ("etc", "state") for path in (folder / name).glob(".*.tmp")]
