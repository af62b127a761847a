"""Capture files: what is written is read back, of every kind there is; what is damaged is told, and never more than that."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.captured import Captured, Direction
from aoetui.engine.protocol.pcap import MAX_FRAME, CaptureError, PcapngWriter, PcapWriter, file_bytes, read_frames
from tests.unit.protocol import golden
from tests.unit.protocol.captures import CAPTURED, SECOND, START, captured


def read(data: bytes) -> list[Captured]:
    """The frames of a file."""
    return list(read_frames(BytesIO(data)))


def read_until_wrong(data: bytes) -> tuple[list[Captured], str]:
    """The frames of a file, and what is wrong with it."""
    frames: list[Captured] = []
    try:
        frames.extend(read_frames(BytesIO(data)))
    except CaptureError as wrong:
        return frames, str(wrong)
    return frames, ""


ONE = captured(golden.READ_48, START + 123_456_789)
PCAP = b"".join(file_bytes([ONE, ONE], PcapWriter()))
PCAPNG = b"".join(file_bytes([ONE, ONE], PcapngWriter()))
IN_SECONDS = st.integers(0, 0xFFFFFFFF).map(lambda seconds: seconds * SECOND + 7)


@given(st.lists(CAPTURED, max_size=5), IN_SECONDS)
def test_pcap_keeps_time_bytes_and_length(frames: list[Captured], at: int) -> None:
    frames = [Captured(at, "eth1", each.direction, each.frame, each.length) for each in frames]
    found = read(b"".join(file_bytes(frames, PcapWriter())))
    assert found == [Captured(at, "", Direction.UNKNOWN, each.frame, each.length) for each in frames]


@given(st.lists(CAPTURED, max_size=5))
def test_pcapng_keeps_interface_and_direction_too(frames: list[Captured]) -> None:
    as_in = {Direction.OTHER: Direction.IN}
    found = read(b"".join(file_bytes(frames, PcapngWriter())))
    kept = [(each.interface, each.frame, each.length, as_in.get(each.direction, each.direction)) for each in frames]
    assert [(each.interface, each.frame, each.length, each.direction) for each in found] == kept
    assert [each.time_ns for each in found] == [each.time_ns if each.time_ns < 2**62 else 0 for each in frames]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_both_byte_orders_and_both_units(order: str, magic: int, unit: int) -> None:
    head = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, 1)
    record = struct.pack(f"{order}IIII", 1_800_000_000, 5, 4, 60) + b"abcd"
    assert read(head + record) == [Captured(1_800_000_000 * SECOND + 5 * unit, "", Direction.UNKNOWN, b"abcd", 60)]


def block(order: str, kind: int, body: bytes) -> bytes:
    """A block of a pcapng file."""
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_others(order: str) -> None:
    """Other byte order, microseconds as default, binary units, other links, blocks that mean nothing to us, a second section."""
    section = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + b"\0\4\0\4abcd")
    plain = block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0))
    binary = block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0) + struct.pack(f"{order}HH", 9, 1) + b"\x8a\0\0\0" + bytes(4))
    other = block(order, 1, struct.pack(f"{order}HHI", 113, 0, 0))
    frames = [block(order, 6, struct.pack(f"{order}IIIII", link, 0, 3_000_000, 4, 9) + b"abcd") for link in range(3)]
    simple = block(order, 3, struct.pack(f"{order}I", 4) + b"efgh")
    found = read(section + plain + binary + other + block(order, 5, bytes(16)) + b"".join(frames) + simple + section + plain)
    assert [each.time_ns for each in found] == [3 * SECOND, 3_000_000 * SECOND // 1024, 0]
    assert [(each.frame, each.length) for each in found] == [(b"abcd", 9), (b"abcd", 9), (b"efgh", 4)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is too short to be a capture file"),
        (b"GIF89a", "is neither a pcap nor a pcapng file"),
        (PCAP[:20], "ends within its header"),
        (PCAP[:20] + struct.pack("<I", 276), "holds Linux cooked frames, as of `tcpdump -i any`, not Ethernet frames"),
        (PCAP[:20] + struct.pack("<I", 105), "holds frames of link type 105, not Ethernet frames"),
        (PCAP[:30], "ends within frame 1"),
        (PCAP[:-1], "ends within frame 2"),
        (PCAP[:24] + struct.pack("<IIII", 0, 0, MAX_FRAME + 1, 60), "is damaged at frame 1: it would have 262145 bytes"),
        (PCAPNG[:10], "ends within its header"),
        (PCAPNG[:8] + bytes(20), "is damaged: a section of a pcapng file does not say its byte order"),
        (PCAPNG[:-5], "ends within a block"),
        (PCAPNG[:28] + struct.pack("<II", 6, 13), "is damaged: a block would have 13 bytes"),
        (PCAPNG[:28] + block("<", 6, bytes(24)), "is damaged at frame 1"),
        (PCAPNG[:28] + block("<", 1, bytes(4)), "is damaged: an interface of it is not whole"),
    ],
)
def test_what_is_wrong_is_told(data: bytes, told: str) -> None:
    assert told in read_until_wrong(data)[1]


@pytest.mark.parametrize("whole", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
def test_what_comes_before_the_damage_is_good(whole: bytes) -> None:
    for end in range(len(whole)):
        frames, _ = read_until_wrong(whole[:end])
        assert frames == read(whole)[: len(frames)]
    frames, told = read_until_wrong(whole[:-1])
    assert (len(frames), bool(told)) == (1, True)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from([PCAP, PCAPNG]), st.integers(0, 300), st.binary(max_size=40)).map(
            lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
        ),
    )
)
def test_any_bytes_are_frames_or_told(data: bytes) -> None:
    frames, told = read_until_wrong(data)
    assert all(len(each.frame) <= MAX_FRAME and each.time_ns >= 0 for each in frames)
    assert told.isprintable()
