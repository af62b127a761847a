"""Who is answered, in which order that is decided, and from which address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.facts import AccessPolicy
from aoetui.engine.protocol.frames import decode
from aoetui.engine.protocol.replies import advertisement
from aoetui.engine.protocol.target import matches, screen
from tests.unit.protocol import golden
from tests.unit.protocol.asking import ADD, ata, config, gist, mask, other, patched, reply_to, reserve, shown
from tests.unit.protocol.golden import INITIATOR, PORT, SOMEONE, export

US, THEM = frozenset({INITIATOR}), frozenset({SOMEONE})

EVERY = {
    "I/O": golden.WRITE_28,
    "other ATA": ata(0xB0),
    "IDENTIFY": golden.IDENTIFY,
    "read": config(0),
    "set": config(4, b"new"),
    "mask": mask(1, (ADD, INITIATOR)),
    "reserve": reserve(2, INITIATOR),
    "vendor": other(0xF0),
}
"""One request of each kind that is judged in its own way."""
SERVED = "writes; ATA error 04; answers; answers; changes; changes; changes; AoE error 1"
RESERVED = "AoE error 6; AoE error 6; answers; answers; changes; changes; changes; AoE error 1"


def test_screened_in() -> None:
    assert screen(golden.IDENTIFY, PORT) == decode(golden.IDENTIFY).header
    assert screen(patched(golden.IDENTIFY, 0, "ffffffffffff"), PORT) == replace(golden.request(0), destination=BROADCAST_MAC)


@pytest.mark.parametrize(
    ("shelf", "slot", "expected"),
    [
        (9, 1, True),
        (9, 0xFF, True),
        (0xFFFF, 1, True),
        (0xFFFF, 0xFF, True),
        (9, 2, False),
        (8, 1, False),
        (8, 0xFF, False),
        (0xFFFF, 2, False),
    ],
)
def test_wildcards_match_independently(shelf: int, slot: int, *, expected: bool) -> None:
    assert matches(golden.request(1, shelf=shelf, slot=slot), golden.ADDRESS) is expected
    asked = patched(golden.CONFIG_READ, 16, f"{shelf:04x}{slot:02x}")
    assert gist(asked) == ("answers" if expected else "silence: not ours")


@pytest.mark.parametrize(
    ("policy", "masked", "holders", "met_with"),
    [
        (AccessPolicy(), (), (), SERVED),
        (AccessPolicy(deny=US), (), (), "silence: denied"),
        (AccessPolicy(deny=THEM), (), (), SERVED),
        (AccessPolicy(accept=US), (), (), SERVED),
        (AccessPolicy(accept=THEM), (), (), "silence: not accepted"),
        (AccessPolicy(accept=frozenset()), (), (), "silence: not accepted"),
        (AccessPolicy(deny=US, accept=US), (), (), "silence: denied"),
        (AccessPolicy(deny=US, accept=THEM), (SOMEONE,), (SOMEONE,), "silence: denied"),
        (AccessPolicy(accept=THEM), (SOMEONE,), (SOMEONE,), "silence: not accepted"),
        (AccessPolicy(), (SOMEONE,), (SOMEONE,), "silence: masked"),
        (AccessPolicy(), (SOMEONE,), (INITIATOR,), "silence: masked"),
        (AccessPolicy(accept=US), (SOMEONE,), (), "silence: masked"),
        (AccessPolicy(), (SOMEONE, INITIATOR), (), SERVED),
        (AccessPolicy(deny=US), (INITIATOR,), (INITIATOR,), "silence: denied"),
        (AccessPolicy(), (), (SOMEONE,), RESERVED),
        (AccessPolicy(), (INITIATOR,), (SOMEONE,), RESERVED),
        (AccessPolicy(), (), (SOMEONE, INITIATOR), SERVED),
        (AccessPolicy(accept=US), (INITIATOR,), (INITIATOR,), SERVED),
    ],
)
def test_order_of_checks(policy: AccessPolicy, masked: tuple[Mac, ...], holders: tuple[Mac, ...], met_with: str) -> None:
    facts = export(policy=policy, mask=masked, reservation=holders)
    expected = met_with.split("; ") if "; " in met_with else [met_with] * len(EVERY)
    assert [gist(frame, facts) for frame in EVERY.values()] == expected


@pytest.mark.parametrize(
    ("frame", "met_with"),
    [
        (patched(golden.READ_28, 18, "02"), "silence: not ours"),  # before the lists
        (golden.READ_28[:30], "silence: denied"),  # before the lengths of the command
    ],
    ids=shown,
)
def test_addresses_come_before_the_lists_and_those_before_the_command(frame: bytes, met_with: str) -> None:
    assert gist(frame, export(policy=AccessPolicy(deny=US))) == met_with


@pytest.mark.parametrize(
    ("frame", "met_with"),
    [
        (golden.READ_28[:35], "silence: malformed"),
        (patched(golden.READ_28, 18, "ff"), "silence: wildcard ATA"),
        (patched(ata(0xE5), 18, "ff"), "AoE error 6"),
        (patched(golden.IDENTIFY, 18, "ff"), "answers"),
        (ata(0x20, count=0), "AoE error 6"),
        (ata(0x34, count=2), "AoE error 6"),
        (ata(0x24, lba=2**48 - 1), "AoE error 6"),
        (ata(0xE5), "AoE error 6"),
        (ata(0xE7), "AoE error 6"),
        (ata(0xEA), "AoE error 6"),
        (ata(0xEC, count=0), "AoE error 2"),
    ],
    ids=shown,
)
def test_reservation_comes_before_the_command(frame: bytes, met_with: str) -> None:
    assert gist(frame, export(reservation=(SOMEONE,))) == met_with


def test_golden_reserved() -> None:
    assert reply_to(golden.WRITE_28, export(reservation=(SOMEONE,))).frame == golden.ATA_RESERVED


@pytest.mark.parametrize("address", [Address(0, 0), Address(65534, 254)])
def test_reply_is_from_our_own_address(address: Address) -> None:
    header = decode(reply_to(golden.CONFIG_READ_WILDCARD, export(address=address)).frame).header
    assert header == replace(golden.response(1), shelf=address.shelf, slot=address.slot)


def test_golden_advertisement() -> None:
    assert advertisement(export(), PORT, BROADCAST_MAC) == golden.ADVERTISEMENT
    assert advertisement(export(), PORT, INITIATOR)[:6] == INITIATOR.raw
