"""What fuzzing has found, kept as frames: each was answered wrongly once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fuzz import oracle, pure
from tests.fuzz.oracle import Content, Disk
from tests.fuzz.stages import FIRMWARE, MACS, SERIAL, before, stage_of

_HEAD = "020000000009 020000000100 88a2 10 00 0009 01 "
"""From the first initiator to e9.1; then the command."""


@dataclass(frozen=True, slots=True)
class Case:
    """Frames in hex, and the MTU and the export that they met."""

    frames: tuple[str, ...]
    mtu: int = 1500
    sectors: int = 64
    export: dict[str, Any] = field(default_factory=dict)


CASES = {
    # The reply did not fit its interface, whose MTU had been cut: AoE error 3, and yet the string was set.
    "string that the reply's interface does not carry": Case(
        (_HEAD + "01 00000001 0040 0001 00 14 0400 " + "61" * 1024, _HEAD + "01 00000002 0040 0001 00 10 0000"),
        mtu=576,
        export={"longest": 1514},
    ),
    # The same with a list: AoE error 3, and yet the MAC was gone from it.
    "edit of a list that the reply's interface does not carry": Case(
        (_HEAD + "02 00000001 00 01 00 01 00 02 020000000101", _HEAD + "02 00000002 00 00 00 00"),
        mtu=300,
        export={"longest": 1514, "mask": [*MACS, *(b"\2\1" + number.to_bytes(4) for number in range(40))]},
    ),
    "reservation that the reply's interface does not carry": Case(
        (_HEAD + "03 00000001 02 64" + "".join(f" 0201{number:08x}" for number in range(100)), _HEAD + "03 00000002 00 00"),
        mtu=300,
        export={"longest": 1514},
    ),
    # The page was sent all the same: more bytes than the interface carries, and so silence.
    "IDENTIFY on an MTU of less than 534": Case((_HEAD + "00 00000001 00 00 01 ec 000000000000 0000",), mtu=500),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_answered_as_the_specification_says(case: Case) -> None:
    page = oracle.identify_page(sectors=case.sectors, serial=SERIAL, firmware=FIRMWARE, write_cache=True)
    disk = Disk(shelf=9, slot=1, content=Content(case.sectors, before), page=page, **case.export)
    stage = stage_of([disk], case.mtu)
    for frame in case.frames:
        pure.check_target(stage, bytes.fromhex(frame))
        assert stage.differences() == ""
