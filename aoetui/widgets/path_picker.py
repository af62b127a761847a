"""A path, typed with completion or picked from this host's block devices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from aoetui.widgets import figures
from aoetui.widgets.keys import InOrder
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text
    from textual.app import ComposeResult

    from aoetui.engine.api import BackingReport

MOST_ENTRIES = 5000
"""Names of a folder that are looked through for a completion."""


class PathSuggester(Suggester):
    """Completes the name that is being typed, from the folder it stands in. Looks in a thread: a folder may be far away."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole path, or None if nothing fits or `value` names a file already."""
        return await asyncio.to_thread(complete_path, value)


def complete_path(value: str) -> str | None:
    """The first entry, by name, that goes on where `value` ends; a folder gets its `/`. None if there is none."""
    if not value.startswith("/") or printable(value, len(value) + 1) != value:
        return None
    head, _, start = value.rpartition("/")
    try:
        if start and Path(value).exists():
            return f"{value}/" if Path(value).is_dir() else None
        entries = [entry for _, entry in zip(range(MOST_ENTRIES), Path(head or "/").iterdir(), strict=False)]
        names = sorted(entry.name for entry in entries if entry.name.startswith(start) and (start or entry.name[0] != "."))
        if not names or printable(names[0], len(names[0]) + 1) != names[0]:
            return None
        found = f"{head}/{names[0]}"
        return f"{found}/" if Path(found).is_dir() else found
    except (OSError, ValueError):
        return None


class PathInput(InOrder, Input):
    """A path with a completion. Down goes to the disks below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "to_list", "disks", show=False),
    ]

    def complete(self) -> bool:
        """Take the completion that is shown. False if there is none, or keys wait here that came before it could be seen."""
        if self.message_queue_size or not self.cursor_at_end or self._suggestion in {"", self.value}:
            return False
        self.action_cursor_right()
        return True

    def action_to_list(self) -> None:
        """Go to the disks below."""
        self.screen.set_focus(self.screen.query_one("#disks"))


class PathPicker(Vertical):
    """The path, and below it the block devices that fit what is typed. `id="path"` is the Input's."""

    def __init__(self) -> None:
        super().__init__(id="path-picker")
        self._devices: Sequence[BackingReport] = ()

    def compose(self) -> ComposeResult:
        """Input and list."""
        yield PathInput(placeholder="/srv/disk.img or a disk below", suggester=PathSuggester(), id="path", compact=True)
        yield OptionList(id="disks", compact=True)

    def on_mount(self) -> None:
        """Nothing to list yet."""
        self.query_one("#disks").display = False

    def show_devices(self, devices: Sequence[BackingReport]) -> None:
        """List these; those that can be served first."""
        self._devices = sorted(devices, key=lambda device: (bool(device.refusal), str(device.path)))
        self._list(self.query_one("#path", Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list to what fits."""
        self._list(event.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A disk was picked: it is the path now."""
        event.stop()
        line = self.query_one("#path", Input)
        line.value = str(self._fitting(line.value)[event.option_index].path)
        self.screen.set_focus(line)
        line.cursor_position = len(line.value)

    def _fitting(self, typed: str) -> list[BackingReport]:
        return [device for device in self._devices if str(device.path).startswith(typed.strip())]

    def _list(self, typed: str) -> None:
        listing = self.query_one("#disks", OptionList)
        fitting = self._fitting(typed)
        listing.clear_options()
        listing.add_options([Option(Content.from_rich_text(device_words(each)), disabled=bool(each.refusal)) for each in fitting])
        listing.action_first()  # so that enter picks one as soon as the list is reached
        exact = len(fitting) == 1 and str(fitting[0].path) == typed.strip()
        listing.display = bool(fitting) and not exact


def device_words(device: BackingReport) -> Text:
    """`/dev/sdb        1.0 TB  WDC WD10EZEX`; greyed, with the reason, if it cannot be served."""
    style = "dim" if device.refusal else ""
    name = f"{printable(str(device.path), 24):<16}"
    refusal = device.refusal.removeprefix(f"{device.path} is ")
    return plain(f"{name} {figures.size(device.size):>8}  {printable(device.model, 18)}  {refusal}", 62, style)
