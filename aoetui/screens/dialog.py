"""What every dialog has: keys that move before the next key is looked at, so that keys may come in bunches over a slow link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

Answer = TypeVar("Answer")


async def all_read(controls: Iterable[Widget]) -> None:
    """Until every control has read the keys that were pressed before this.

    A list to mark in is to be named twice: it marks in two steps, the key, then a message to itself.
    """
    for control in controls:
        read = asyncio.Event()
        control.call_later(read.set)
        await read.wait()


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """Moves by tab and shift+tab. Textual does priority bindings before it hands the next key to a widget."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next", "next", show=False, priority=True),
        Binding("shift+tab", "previous", "previous", show=False, priority=True),
    ]

    @property
    def stands(self) -> bool:
        """Whether all its widgets are there: not before it is mounted, and not while it or the app is going."""
        return self.is_mounted and self.display and self.app.is_running

    def action_next(self) -> None:
        """To the next control."""
        self.focus_next()

    def action_previous(self) -> None:
        """To the one before."""
        self.focus_previous()
