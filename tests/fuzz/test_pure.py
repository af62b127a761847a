"""The pure machines under fuzzed frames: a short seeded run, and hypothesis over whole histories of frames."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import pure
from tests.fuzz.dice import Dice
from tests.fuzz.mutations import MARK, Frames
from tests.fuzz.oracle import Mishap, meaningful
from tests.fuzz.requests import AOE, EVERYONE
from tests.fuzz.stages import MACS, TARGET, make_stage

COUNT = 30_000


def test_seeded_run() -> None:
    figures = pure.run(20, COUNT)
    assert figures.frames == COUNT
    every_answer = {f"AoE error {code}" for code in (1, 2, 3, 4, 6)} | {f"ATA error {code}h" for code in ("04", "10", "40")}
    every_answer |= {"ATA", "ATA with data", "config string", "mask list", "reservation"}
    assert {kind for kind, count in figures.answers.items() if count > 20} == every_answer


def test_same_seed_makes_the_same_frames() -> None:
    one, other, third = (Frames(Dice(seed), make_stage(Dice(seed)).world) for seed in ("7", "7", "8"))
    made = [one.next() for _ in range(300)]
    assert made == [other.next() for _ in range(300)]
    assert made != [third.next() for _ in range(300)]


def test_what_no_field_covers_is_marked() -> None:
    frames = Frames(Dice("1"), make_stage(Dice("1")).world, responses=0.0)
    asked = [frame for frame in (frames.next() for _ in range(1000)) if len(frame) > 24 and not frame[14] & 8]
    behind = [frame[max(24, meaningful(frame)) :] for frame in asked]
    assert all(rest == (MARK * 1200)[: len(rest)] for rest in behind)
    assert sum(len(rest) >= len(MARK) for rest in behind) > 300


headers = st.builds(
    lambda to, source, verfl, error, shelf, slot, command, tag: b"".join(
        (to, source, AOE, bytes((verfl, error)), shelf.to_bytes(2), bytes((slot, command)), tag)
    ),
    st.sampled_from([TARGET, TARGET, EVERYONE, MACS[0]]),
    st.sampled_from(MACS) | st.binary(min_size=6, max_size=6),
    st.sampled_from([0x10, 0x10, 0x10, 0x18, 0x1C, 0x14, 0x00, 0x20]) | st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from([0, 8, 9, 4095, 65534, 65535]),
    st.sampled_from([0, 1, 2, 3, 254, 255]),
    st.sampled_from([0, 1, 2, 3]) | st.integers(0, 255),
    st.binary(min_size=4, max_size=4),
)
numbers = st.sampled_from([0, 1, 2, 3, 255]) | st.integers(0, 255)
registers = st.builds(
    lambda flags, feature, count, op, lba, data: bytes((flags, feature, count, op)) + lba.to_bytes(8, "little") + data,
    numbers,
    numbers,
    numbers,
    st.sampled_from([0x20, 0x24, 0x30, 0x34, 0xEC, 0xE5, 0xE7, 0xEA]) | st.integers(0, 255),
    st.integers(0, 4) | st.sampled_from([62, 63, 64, 998, 999, 1000]) | st.integers(0, (1 << 64) - 1),
    st.binary(max_size=40) | st.integers(1, 3).map(lambda sectors: bytes(range(256)) * 2 * sectors),
)
strings = st.builds(
    lambda op, length, string: bytes((0, 64, 0, 1, 2, op)) + (len(string) + length).to_bytes(2) + string,
    st.integers(0, 6) | st.integers(0, 255),
    st.sampled_from([0, 0, 0, 1, 3, 1024]),
    st.sampled_from([b"", b"web01", b"web"]) | st.binary(max_size=40),
)
lists = st.builds(
    lambda head, macs: bytes(head) + b"".join(macs),
    st.lists(numbers, min_size=2, max_size=4),
    st.lists(
        st.builds(lambda op, mac: bytes(op) + mac, st.lists(st.integers(0, 3), max_size=2), st.sampled_from(MACS)), max_size=9
    ),
)
frames = st.builds(lambda header, argument: header + argument, headers, registers | strings | lists | st.binary(max_size=80))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 16), st.lists(st.tuples(frames | st.binary(max_size=80), st.sampled_from(Mishap)), max_size=30))
def test_any_history_is_answered_as_the_oracle_says(seed: int, history: list[tuple[bytes, Mishap]]) -> None:
    stage = make_stage(Dice(seed))
    for frame, mishap in history:
        pure.check_target(stage, frame, mishap)
    assert stage.differences() == ""


@settings(max_examples=300, deadline=None)
@given(frames | st.binary(max_size=80))
def test_decoder_raises_malformed_frame_at_most(frame: bytes) -> None:
    pure.check_decoder(frame)
