"""Captured frames for the tests of the trace."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aoetui.engine.protocol.captured import Captured, Direction
from tests.unit.protocol import golden

SECOND = 1_000_000_000
MS = 1_000_000
START = 1_800_000_000 * SECOND


def captured(frame: bytes, at: int = START, **fields: Any) -> Captured:  # noqa: ANN401  # the fields of a Captured
    """A frame that came in on eth1, whole, but for `fields`."""
    known: dict[str, Any] = {"interface": "eth1", "direction": Direction.IN, "length": len(frame)}
    return Captured(time_ns=at, frame=frame, **(known | fields))


def tagged(frame: bytes, tag: int) -> bytes:
    """The frame with another tag, as wanted of each request."""
    return frame[:20] + tag.to_bytes(4, "big") + frame[24:]


GOLDEN = {name: value for name, value in vars(golden).items() if isinstance(value, bytes) and value[12:14] == b"\x88\xa2"}
"""Every frame that was written by hand."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame as it may come: one of those, tagged or not, with bytes changed, and cut short."""
    frame = bytearray(draw(st.sampled_from(sorted(GOLDEN.values()))))
    for _ in range(draw(st.integers(0, 3))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    for _ in range(draw(st.integers(0, 3))):
        frame[12:12] = draw(st.sampled_from([b"\x81\x00", b"\x88\xa8"])) + draw(st.binary(min_size=2, max_size=2))
    return bytes(frame[: draw(st.integers(0, len(frame)))])


FRAMES = st.one_of(st.binary(max_size=80), damaged(), st.binary(max_size=60).map(lambda tail: golden.READ_48[:14] + tail))
"""Anything."""
CAPTURED = st.builds(
    Captured,
    st.integers(0, 2**62),
    st.sampled_from(["eth1", "eth2"]),
    st.sampled_from(Direction),
    FRAMES,
    st.integers(0, 2000),
).map(lambda each: Captured(each.time_ns, each.interface, each.direction, each.frame, max(each.length, len(each.frame))))
