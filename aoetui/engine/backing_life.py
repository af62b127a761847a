"""What becomes of a backing while it is served: it may grow, be cut short, be replaced, moved or deleted."""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.window import odd_size

if TYPE_CHECKING:
    from aoetui.engine.backing import Backing


class _Name(Enum):
    """What stands now where the backing was opened."""

    ITS_OWN = "the backing"
    ANOTHERS = "another"
    FREE = "nothing"


class BackingLife:
    """`lost` and `text` may be read by any thread; `look` is the export's thread's, where a disk that hangs may be waited for."""

    def __init__(self, backing: Backing, *, to_its_end: bool) -> None:
        """`to_its_end`: the export serves all of it, however large it becomes."""
        self._backing = backing
        self._to_its_end = to_its_end
        self._size = backing.window.end * SECTOR
        """Bytes, at the look before."""
        self._growth = ""
        self._named = ""

    @property
    def lost(self) -> str:
        """That the backing ends before the export does, with the remedy; empty if it does not."""
        backing = self._backing
        sectors = backing.missing
        if not sectors:
            return ""
        if backing.block_device and sectors == backing.window.sectors:
            return f"{backing.path} is gone: connect it again, then stop and start the export"
        return (
            f"{backing.path} was made shorter: the last {sectors} sectors of the export are lost, and fail."
            " Put them back from a copy if you have one, then stop and start the export"
        )

    @property
    def text(self) -> str:
        """What else is wrong with it, with the remedy; empty if nothing is."""
        return self._growth or self._named

    def look(self) -> bool:
        """Look once. True if the backing has grown and more of it is served now."""
        try:
            size = self._backing.look()
            self._named = self._judge_name()
        except OSError:  # whoever reads it is told, and that is shown
            return False
        # half-way through a copy, sizes are nobody's intention: what is looked at twice has settled
        settled, self._size = size == self._size, size
        return settled and self._to_its_end and not self._backing.missing and self._follow(size)

    def _follow(self, size: int) -> bool:
        backing = self._backing
        end, rest = divmod(size, SECTOR)
        grown = not rest and end > backing.window.end and backing.grow(end)
        # set once: whoever reads it meanwhile must not be told that all is well
        if rest:
            self._growth = f"{odd_size(backing.path, size)}; the export serves {backing.sectors} sectors until then"
        elif end > backing.window.end and not grown:
            self._growth = f"{backing.path} grew, but another program has locked the new part: end that one"
        else:
            self._growth = ""
        return grown

    def _judge_name(self) -> str:
        backing = self._backing
        match self._name():
            case _Name.ITS_OWN:
                return ""
            case _Name.ANOTHERS if backing.block_device:
                what, remedy = "is another device now", "stop and start it to serve the new one"
            case _Name.ANOTHERS:
                what, remedy = "is another file now", f"{self._rescue()}stop and start it to serve the new one"
            case _Name.FREE if backing.block_device:
                what, remedy = "is gone", "connect the device again, then stop and start the export"
            case _Name.FREE if backing.links:
                what, remedy = "was moved", "move it back before the export is stopped"
            case _Name.FREE:
                what, remedy = "was deleted", f"{self._rescue()}then stop the export"
        return f"{backing.path} {what}, and the export goes on with the one that it opened: {remedy}"

    def _rescue(self) -> str:
        """A file without a name is gone with the last who has it open."""
        backing = self._backing
        return "" if backing.links else f"save its data first with `cp /proc/{os.getpid()}/fd/{backing.fileno()} COPY`, "

    def _name(self) -> _Name:
        try:
            status = self._backing.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return _Name.FREE
        except OSError:  # nobody knows
            return _Name.ITS_OWN
        return _Name.ITS_OWN if self._backing.is_at(status) else _Name.ANOTHERS
