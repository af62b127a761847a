"""README's line that keeps an export under systemd, as it stands there, with Debian's systemd in the guest."""

from __future__ import annotations

import json
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.wire import SECTOR, AtaStatus
from tests.support.initiator import initiator

from .lab import TAP
from .volatile_disk import VolatileDisk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

    from .guest import DebianGuest, RunningGuest

README = Path(__file__).parents[2] / "README.md"
UNIT = "aoe-e9.1"
STAGE = """
ip link set eth0 down && ip link set eth0 name eth1 up &&
mkdir -p /srv/aoetui/.venv/bin /dev/vg0 && ln -s /usr/local/bin/aoetui /srv/aoetui/.venv/bin &&
dmsetup create vg0-web01 --table "0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0" && ln -s /dev/mapper/vg0-web01 /dev/vg0/web01
"""
"""What the line names; LVM too makes such a link. The guest's root has no sudo, and needs none."""


def readme_line() -> str:
    """The command that README gives."""
    (line,) = re.findall(r"^sudo (systemd-run .*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return str(line)


def until_journal(running: RunningGuest, text: str, times: int = 1) -> None:
    """Wait until the unit's journal holds `text` so many times."""
    running.check(f"until [ $(journalctl --unit={UNIT} --output=cat --grep='{text}' | wc -l) -ge {times} ]; do sleep 0.2; done")


def journal(running: RunningGuest) -> list[tuple[str, str]]:
    """Priority and text of each line of the unit's processes."""
    entries = map(json.loads, running.check(f"journalctl _SYSTEMD_UNIT={UNIT}.service --output=json").splitlines())
    return [(entry["PRIORITY"], entry["MESSAGE"]) for entry in entries]


@pytest.fixture
def disk() -> Iterator[VolatileDisk]:
    """The guest's second disk."""
    with VolatileDisk(4 << 20) as made:
        yield made


def test_an_export_under_systemd(tap_namespace: Namespace, debian_guest: DebianGuest, disk: VolatileDisk) -> None:
    data = os.urandom(2 * SECTOR)
    with ExitStack() as stack:
        running = stack.enter_context(debian_guest.start(namespace=tap_namespace, taps=[TAP], disks=[disk.file], systemd=True))
        running.check(STAGE)
        running.check(f"cd /srv/aoetui && {readme_line()}")
        until_journal(running, "serving on eth1, cached")
        running.check(f"systemctl kill --signal=KILL {UNIT}")
        until_journal(running, "serving on eth1, cached", times=2)
        running.check("ip link set eth1 down")
        until_journal(running, "aoetui.events: .*eth1 is down")
        running.check("ip link set eth1 up")
        until_journal(running, "aoetui.events: e9.1: served on eth1", times=3)

        client = stack.enter_context(initiator(tap_namespace, TAP))
        client.find()
        assert client.write(8, data) == AtaStatus.DRDY
        running.check(f"systemctl stop {UNIT}")
        until_journal(running, "Deactivated successfully")
        said = journal(running)
        assert ("6", "aoetui.shutdown: ending: SIGTERM") in said, said
        assert {priority for priority, text in said if "e9.1: eth1 is down" in text} == {"3"}, said
        assert not [text for _, text in said if "Traceback" in text or text.startswith("<")], said
        log = running.check("aoetui locate | sed -n 's/^log *//p'").strip()
        assert running.run(f"test -e {log}").rc == 1
        running.power_cut()
        disk.power_cut(seed=1)
        assert disk.stable.read_bytes()[8 * SECTOR :][: len(data)] == data
