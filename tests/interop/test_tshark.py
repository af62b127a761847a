"""Wireshark's dissector finds nothing malformed in a whole conversation with our target."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.program import until
from tests.support.tap import initiator_in

from .initiator import FLUSH_EXT, IDENTIFY, READ_EXT, WRITE_EXT
from .lab import FAR_LINK, SHELF, SLOT, captured

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
    with captured(lab) as pcap:
        initiator = lab.initiator(lab.far, FAR_LINK)
        converse(initiator)
        until(lambda: pcap.read_bytes().count(initiator.tag) >= 2, "the last request and its reply in the capture")
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


def test_a_conversation_in_a_vlan_is_tagged_both_ways(lab: Lab) -> None:
    lab.export(lab.disk(4), "--vlan", "100")
    with captured(lab) as pcap, initiator_in(lab.far, FAR_LINK, 100) as initiator:
        initiator.find()
        sector = os.urandom(512)
        initiator.write(5, sector)
        assert initiator.read(5, 1) == sector
        until(lambda: pcap.read_bytes().count(sector) == 2, "the reply with what was written in the capture")
    fields = lab.run(lab.far, "tshark", "-r", str(pcap), "-T", "fields", "-e", "vlan.id", "-e", "aoe.response", "-e", "aoe.cmd")
    frames = [line.split("\t") for line in fields.stdout.splitlines()]
    assert {vlan for vlan, *_ in frames} == {"100"}, fields.stdout + fields.stderr
    assert [int(command, 0) for _, response, command in frames if response in ("1", "True")] == [1, 0, 0]
