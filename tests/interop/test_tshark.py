"""Wireshark's dissector finds nothing malformed in a whole conversation with our target."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.program import until

from .initiator import FLUSH_EXT, IDENTIFY, READ_EXT, WRITE_EXT
from .lab import FAR_LINK, SHELF, SLOT

if TYPE_CHECKING:
    from pathlib import Path

    from .initiator import Initiator
    from .lab import Lab

pytestmark = pytest.mark.interop("tshark", "tcpdump")
FIELDS = ("aoe.response", "aoe.flags_error", "aoe.error", "aoe.major", "aoe.minor", "aoe.cmd", "aoe.ata.cmd", "aoe.ata.status")


def converse(initiator: Initiator) -> None:
    """One of everything: query config, identify, write, read, flush, an ATA error and an AoE error."""
    sector = os.urandom(512)
    assert initiator.find().length == 60
    assert len(initiator.ata(IDENTIFY, sectors=1).argument) == 12 + 512
    assert initiator.ata(WRITE_EXT, lba=5, sectors=1, data=sector).argument[3] == 0x40
    assert initiator.ata(READ_EXT, lba=5, sectors=1).argument[12:] == sector
    assert initiator.ata(FLUSH_EXT).argument[3] == 0x40
    assert initiator.ata(READ_EXT, lba=1 << 30, sectors=1).argument[3] & 0x01
    unknown = initiator.ask(0xF0, bytes(8))
    assert (unknown.flags, unknown.error) == (0x1C, 1)


@pytest.fixture
def capture(lab: Lab) -> Path:
    """A capture of one conversation with our target."""
    lab.export(lab.disk(4))
    pcap, log = lab.folder / "wire.pcap", lab.folder / "tcpdump.log"
    tcpdump = lab.start(
        lab.far, "tcpdump", "-Z", "root", "-U", "--immediate-mode", "-i", FAR_LINK, "-w", str(pcap), "ether proto 0x88a2"
    )
    until(lambda: "listening on" in log.read_text(), "tcpdump's capture")
    initiator = lab.initiator(lab.far, FAR_LINK)
    converse(initiator)
    until(lambda: pcap.read_bytes().count(initiator.tag) >= 2, "the last request and its reply in the capture")
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.wait()
    return pcap


def test_nothing_is_malformed(lab: Lab, capture: Path) -> None:
    frames = lab.run(lab.far, "tshark", "-r", str(capture), "-T", "fields", *(part for name in FIELDS for part in ("-e", name)))
    replies = [line.split("\t") for line in frames.stdout.splitlines() if line.startswith(("1\t", "True\t"))]
    assert len(replies) >= 8, frames.stdout + frames.stderr
    assert {tuple(int(part, 0) for part in reply[3:5]) for reply in replies} == {(SHELF, SLOT)}
    assert [reply[2] for reply in replies if reply[1] in ("1", "True")] == ["1"]
    assert sum(int(reply[7], 0) == 0x41 for reply in replies if reply[7]) == 1
    malformed = lab.run(lab.far, "tshark", "-r", str(capture), "-Y", "_ws.malformed")
    assert (malformed.returncode, malformed.stdout) == (0, "")
