"""Writes that arrive twice: told from new ones, so that none is executed again after a newer write to the same sectors.

Two things repeat a write. The network may deliver one frame twice: same MAC, same tag. An initiator that waited too long asks
again: Linux does so with a new tag, and from then on ignores replies to the old one (aoecmd.c, resend). Both are answered, each
with its own tag. What no target can tell: a retransmitted write that the network holds back and delivers after a newer write to
the same sectors.

Pure: times come from outside, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aoetui.engine.protocol.replies import WriteBlocks
from aoetui.engine.protocol.wire import MAC_LENGTH

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.changes import Change
    from aoetui.engine.protocol.replies import ReadBlocks

MEMORY = 32768
"""Executed writes that are remembered for one export."""
MEMORY_SECONDS = 5.0
"""How long. A frame that a network holds back longer than this is not known to any of them."""
_COMMAND_AT = 19
_TAG_AT = 20
_ENOUGH = 60
"""Bytes of a frame by which requests are told apart: the header, the argument, and the first of the data."""
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Executed:
    """One write. Its data is kept as a hash of 64 bits with a key of this process."""

    lba: int
    count: int
    digest: int
    arrived: float
    done: float

    def holds(self, write: WriteBlocks, digest: int) -> bool:
        return (self.lba, self.count, self.digest) == (write.lba, write.count, digest)

    def meets(self, other: _Executed) -> bool:
        return self.lba < other.lba + other.count and other.lba < self.lba + self.count


class Repeats:
    """The memory of one export's executed writes; for its thread alone.

    A frame of the same MAC and tag is a repeat only if it writes the same data to the same sectors and no other write of this MAC
    had the tag since; and it is none at all if the initiator is known to use tags again.
    """

    def __init__(self) -> None:
        self._by_tag: OrderedDict[tuple[bytes, bytes], _Executed] = OrderedDict()
        self._by_content: OrderedDict[tuple[bytes, int, int, int], _Executed] = OrderedDict()
        """In order of execution."""

    def is_repeat(self, write: WriteBlocks, arrived: float, tags: TagUse) -> bool:
        """Whether this write was executed, and is to be answered only. `arrived` is when its frame came."""
        mac, tag, digest = _requester(write), _tag(write), hash(write.data)
        frame = None if tags.reused(int.from_bytes(tag)) else self._by_tag.get((mac, tag))
        if frame is not None and frame.holds(write, digest):
            if arrived - frame.done <= MEMORY_SECONDS:
                return True
        elif frame is not None:
            del self._by_tag[mac, tag]  # the tag is another write's from now on, even if the disk fails that one
        asked_before = self._by_content.get((mac, write.lba, write.count, digest))
        if asked_before is None or arrived >= asked_before.done or self._overtaken(asked_before):
            return False
        # It came before the same write was answered, so the initiator had asked again.
        _remember(self._by_tag, (mac, tag), asked_before)  # the network may repeat this frame as well
        return True

    def give_up_tag(self, write: WriteBlocks) -> None:
        """Another write of this MAC, which was executed elsewhere, has had the tag of this one since it was executed here."""
        self._by_tag.pop((_requester(write), _tag(write)), None)

    def _overtaken(self, first: _Executed) -> bool:
        """Whether another write to some of these sectors, that came before `first` was answered, was executed after it.

        Then the order of arrival holds. One that came later is newer than both, and stays.
        """
        for later in reversed(self._by_content.values()):
            if later is first:
                return False
            if later.meets(first) and later.arrived < first.done:
                return True
        return False

    def executed(self, write: WriteBlocks, arrived: float, done: float, oldest: float | None = None) -> None:
        """Remember a write that is as durable as its reply will say. `oldest` is when the oldest request came that still waits;
        None: this one. A copy of a write may wait long behind a stalled one, and has to find its record then."""
        mac, digest = _requester(write), hash(write.data)
        made = _Executed(write.lba, write.count, digest, arrived, done)
        _remember(self._by_tag, (mac, _tag(write)), made)
        _remember(self._by_content, (mac, write.lba, write.count, digest), made)
        before = (arrived if oldest is None else min(arrived, oldest)) - 2 * MEMORY_SECONDS
        _forget(self._by_tag, before)
        _forget(self._by_content, before)


class TagUse:
    """Whether one initiator gives a tag to one request alone, as Linux does: only then is a frame known again by its tag.

    Two programs behind one MAC are told apart by the tag's top bit: the Linux driver leaves it clear, aoetools set it. For the
    thread of one port.
    """

    MEMORY = 256

    def __init__(self) -> None:
        self._asked: dict[int, bytes] = {}
        self._reused: set[int] = set()

    def note(self, tag: int, frame: bytes) -> None:
        """A request has come."""
        if tag >> 31 in self._reused:
            return
        asked = frame[_COMMAND_AT:_TAG_AT] + frame[_TAG_AT + 4 : _ENOUGH]
        if self._asked.setdefault(tag, asked) != asked:
            self._reused.add(tag >> 31)
        elif len(self._asked) > self.MEMORY:
            del self._asked[next(iter(self._asked))]

    def learn(self, kinds: int) -> None:
        """As `kinds_reused`, of who noted them elsewhere."""
        self._reused |= {kind for kind in (0, 1) if kinds >> kind & 1}

    @property
    def kinds_reused(self) -> int:
        """Bit 0 and 1: whether tags with a clear, or a set, top bit were used again."""
        return sum(1 << kind for kind in self._reused)

    def reused(self, tag: int) -> bool:
        """Whether another request had a tag of this kind again."""
        return tag >> 31 in self._reused


class ChangeRepeats:
    """The memory of one export's changes of state: a set or an edit that the network repeats must not undo a newer one.

    As with writes, a frame is a repeat only if no other change of this MAC had the tag since.
    """

    MEMORY = 256

    def __init__(self) -> None:
        self._by_tag: OrderedDict[tuple[Mac, int], tuple[Change, float]] = OrderedDict()

    def is_repeat(self, change: Change, arrived: float, tags: TagUse) -> bool:
        """Whether the same frame was carried out before."""
        if tags.reused(change.header.tag):
            return False
        known = self._by_tag.get((change.header.source, change.header.tag))
        return known is not None and known[0] == change and arrived - known[1] <= MEMORY_SECONDS

    def carried_out(self, change: Change, done: float) -> None:
        """Remember a change."""
        _remember(self._by_tag, (change.header.source, change.header.tag), (change, done), self.MEMORY)


class Retransmissions:
    """Guesses which requests of one initiator are asked for the second time: same sectors and data, another tag, soon after.

    A guess, since a program may read the same sectors again as well.
    """

    SOON = 3.0
    """Seconds. Linux asks again after 1 s at first, and sooner when it knows the path (aoecmd.c, rto)."""
    AT_LEAST = 0.01
    """Seconds: nothing asks again sooner, but programs read again at once."""
    MEMORY = 256

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[bool, int, int], tuple[bytes, int, float]] = OrderedDict()

    def is_retransmission(self, intent: ReadBlocks | WriteBlocks, arrived: float, *, write: bool) -> bool:
        """Whether the request looks like one; it is remembered either way."""
        key, tag = (write, intent.lba, intent.count), _tag(intent)
        digest = hash(intent.data) if isinstance(intent, WriteBlocks) else 0
        before = self._asked.pop(key, None)
        self._asked[key] = tag, digest, arrived
        if len(self._asked) > self.MEMORY:
            self._asked.popitem(last=False)
        if before is None or before[0] == tag or before[1] != digest:
            return False
        return self.AT_LEAST <= arrived - before[2] <= self.SOON


def _requester(intent: ReadBlocks | WriteBlocks) -> bytes:
    """The MAC that the reply goes to."""
    return intent.head[:MAC_LENGTH]


def _tag(intent: ReadBlocks | WriteBlocks) -> bytes:
    return intent.head[_TAG_AT : _TAG_AT + 4]


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, made: _Value, limit: int = MEMORY) -> None:
    memory.pop(key, None)
    memory[key] = made
    if len(memory) > limit:
        memory.popitem(last=False)


def _forget(memory: OrderedDict[_Key, _Executed], before: float) -> None:
    """Forget what was done `before`: whatever is carried out from now on arrived too late to be its repeat."""
    while next(iter(memory.values())).done < before:
        memory.popitem(last=False)
