"""Runs frames against the pure machines: target, decoder and scanner. A chunk of frames has a stage and a seed of its own, so
that any of them can be run again alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import AtaArgument, MalformedFrame, UnknownArgument, decode, encode
from tests.fuzz.dice import Dice
from tests.fuzz.findings import Figures, Finding, resident
from tests.fuzz.listening import Listener
from tests.fuzz.mutations import MARK, Frames
from tests.fuzz.oracle import Mishap
from tests.fuzz.stages import Stage, make_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.frames import Argument

CHUNK = 500
"""Frames of one stage."""
_LOOKS = 100
"""Frames between two looks at the scanner."""
_CLEARED = 0.05
"""How often lists are emptied."""
_MISHAPS = (*[Mishap.NONE] * 17, Mishap.DISK_FAILS, Mishap.NOTHING_IS_KEPT, Mishap.RESERVED_MEANWHILE)


def run_chunk(seed: int, chunk: int, count: int, figures: Figures) -> None:
    """`count` frames of one chunk. Raises Finding."""
    rng = Dice(f"{seed}:{chunk}")
    stage = make_stage(rng)
    frames, listener = Frames(rng, stage.world, responses=0.1), Listener(rng, stage.world)
    for number in range(count):
        frame, mishap = frames.next(), rng.pick(_MISHAPS)
        try:
            if rng.random() < _CLEARED:
                stage.clear(rng.below(len(stage.oracle.disks)))
            figures.count(check_target(stage, frame, mishap))
            check_decoder(frame)
            listener.hear(frame)
            if number % _LOOKS == 0:
                listener.look()
        except Finding as finding:
            raise _placed(seed, chunk, number, finding.what, finding.frame or frame) from finding
        except Exception as error:
            raise _placed(seed, chunk, number, f"it raised {error!r}", frame) from error
    if different := stage.differences():
        raise _placed(seed, chunk, count - 1, different, b"")


def _placed(seed: int, chunk: int, number: int, what: str, frame: bytes) -> Finding:
    place = f"seed {seed}, chunk {chunk}, frame {number}: python -m tests.fuzz --seed {seed} --first {chunk} --count {number + 1}"
    return Finding(what, frame, place=place)


def check_target(stage: Stage, frame: bytes, mishap: Mishap = Mishap.NONE) -> list[bytes]:
    """Have one frame answered, and see that each reply is the one that it must be. Raises Finding, or as the machines do."""
    replies = stage.machines.take(frame, mishap)
    expected = stage.oracle.replies(frame, mishap)
    if replies != expected:
        raise Finding(f"answered\n  {_hex(replies)}\nand not\n  {_hex(expected)}\n({mishap})", frame)
    for reply in replies:
        if MARK in reply:
            raise Finding("the reply holds what no field of the frame covers", frame)
    return replies


def check_decoder(frame: bytes) -> None:
    """Read the frame; what it means must be written and read as the same again. Raises Finding, or whatever the decoder does."""
    try:
        meant = decode(frame)
    except MalformedFrame:
        return
    again = decode(encode(meant))
    if meant.header != again.header or not _is_same(meant.argument, again.argument):
        raise Finding(f"it means {meant}, written and read again {again}", frame)


def _is_same(one: Argument, other: Argument) -> bool:
    """Whether the two differ at most in what is padded; an error's bare header may be padded into an argument."""
    match one, other:
        case AtaArgument(data=data), AtaArgument():
            return replace(one, data=b"") == replace(other, data=b"") and bytes(other.data) == bytes(data).ljust(24, b"\0")
        case UnknownArgument(), _:
            return True
        case _:
            return one == other


def _hex(replies: list[bytes]) -> str:
    return "\n  ".join(reply.hex() for reply in replies) or "nothing"


def run(seed: int, total: int, *, first: int = 0, show: Callable[[Figures], None] = lambda _: None) -> Figures:
    """`total` frames in chunks from number `first` on. Raises Finding."""
    figures = Figures(total)
    chunk = first
    while figures.frames < total:
        run_chunk(seed, chunk, min(CHUNK, total - figures.frames), figures)
        chunk += 1
        if chunk % 100 == 0 or figures.frames == total:
            figures.sample(resident())
            show(figures)
    return figures
