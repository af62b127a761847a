"""Debian's vblade beside us: our scanner sees it, and we never serve an address that it serves."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.program import run

from .lab import FAR_LINK, NEAR_LINK, SHELF, SLOT

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.interop("vblade")


def refusal(lab: Lab) -> str:
    """What `aoetui export` complains about, at the address of the lab."""
    ended = run(lab.near, lab.folder, "export", str(SHELF), str(SLOT), NEAR_LINK, str(lab.disk(4, "ours.img")))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stderr


def test_seen(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    lab.initiator(lab.near, NEAR_LINK)
    found = json.loads(run(lab.near, lab.folder, "discover", "-i", NEAR_LINK, "--json").stdout)
    (device,) = found["devices"]
    assert found["version"] == 1
    assert (device["address"], device["size"], device["state"]) == (f"e{SHELF}.{SLOT}", 4 << 20, "up")
    assert device["model"] == "Coraid EtherDrive vblade"
    (path,) = device["paths"]
    assert (path["interface"], path["state"], path["sector_count"]) == (NEAR_LINK, "up", 2)


def test_listed_by_stat(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    lab.initiator(lab.near, NEAR_LINK)
    ended = run(lab.near, lab.folder, "stat", "-i", NEAR_LINK)
    assert ended.stdout.split() == [f"e{SHELF}.{SLOT}", "0.004GB", NEAR_LINK, "1024", "up"]


def test_its_address_is_refused_across_the_wire(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    initiator = lab.initiator(lab.near, NEAR_LINK)
    initiator.close()  # or it would be refused for this test's own socket
    assert initiator.target in refusal(lab)


def test_its_address_is_refused_on_the_same_interface(lab: Lab) -> None:
    process = lab.vblade(lab.near, NEAR_LINK, lab.disk(4))
    lab.initiator(lab.far, FAR_LINK)
    complaint = refusal(lab)
    assert "vblade" in complaint
    assert str(process.pid) in complaint


OTHER = bytes.fromhex("020000000077")


def config(op: int, string: bytes = b"") -> tuple[int, bytes]:
    """Query config."""
    return 1, struct.pack(">HHBBH", 0, 0, 0, 0x10 | op, len(string)) + string


def mask(*lines: tuple[int, bytes]) -> tuple[int, bytes]:
    """Add (1) to the mask list, or read it; 9 is no directive."""
    packed = (struct.pack(">xB6s", op, mac) for op, mac in lines)
    return 2, struct.pack(">xBBB", bool(lines), 0, len(lines)) + b"".join(packed)


def reserve(op: int, *macs: bytes) -> tuple[int, bytes]:
    """Read (0), set (1) or force (2) the reservation."""
    return 3, bytes((op, len(macs))) + b"".join(macs)


READ = 0, struct.pack("<BBBBQ", 0x40, 0, 1, 0x24, 0)


def session(me: bytes) -> list[tuple[int, bytes]]:
    """Commands on whose answers vblade and docs/protocol.md agree, in an order in which each can be told from the next.

    Not among them: vblade's mask list after a delete or a failed edit (its length is then wrong), and bad mask and reserve ops.
    """
    return [
        config(0),
        config(3, b"one"),
        config(3, b"one"),
        config(3, b"two"),  # AoE error 4, with the string that stands
        config(4, b"two"),
        config(1, b"two"),
        config(2, b"tw"),
        config(2),
        config(7, b"x"),  # AoE error 2, with the string too
        config(4),
        reserve(0),
        reserve(1, OTHER),
        reserve(0),
        reserve(1, me),  # AoE error 6
        READ,  # AoE error 6
        reserve(2, me),
        reserve(1, me, OTHER),
        reserve(1),
        mask(),
        mask((1, me), (1, OTHER)),
        mask((1, me)),
        mask((1, OTHER), (9, OTHER), (1, me)),  # the second directive is none
    ]


def answers(lab: Lab) -> list[tuple[int, int, bytes]]:
    """Flags, error and argument of each answer, without what differs: buffer count, firmware version, ATA of an AoE error."""
    initiator = lab.initiator(lab.far, FAR_LINK)
    found = []
    for command, asked in session(initiator.mac):
        reply = initiator.ask(command, asked)
        argument = reply.argument[4:] if command == 1 else reply.argument if command else b""
        found.append((reply.flags, reply.error, argument))
    initiator.close()
    return found


def test_it_answers_as_we_do(lab: Lab) -> None:
    process = lab.vblade(lab.near, NEAR_LINK, lab.disk(4))
    theirs = answers(lab)
    process.kill()
    process.wait()
    lab.export(lab.disk(4, "ours.img"))
    for number, (wanted, got) in enumerate(zip(theirs, answers(lab), strict=True)):
        flags, error, argument = got
        assert (number, flags, error, argument[: len(wanted[2])]) == (number, *wanted)
