"""The footer: the keys that do something now, each with its word. A click on one presses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from aoetui.actions import shown_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual import events
    from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key in the footer."""

    key: str
    """As Textual names it."""
    title: str
    help: str
    everywhere: bool
    """Whether it does the same in every section."""

    @property
    def width(self) -> int:
        """In columns, with the blank after it."""
        return len(shown_key(self.key)) + len(self.title) + 2


class KeysLine(Widget):
    """One line, drawn as a whole: a widget for each key takes Textual a tenth of a second at each change of section."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys-line--key"}

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[ShownKey, ...] = ()
        self._due = False
        """Whether it is going to look which keys there are: it is told so several times for one key that is pressed."""

    @property
    def keys(self) -> tuple[ShownKey, ...]:
        """Those that are shown, from left to right."""
        return fitting(self._keys, self.size.width)

    def on_mount(self) -> None:
        """Look again whenever the keys may mean something else."""
        self.screen.bindings_updated_signal.subscribe(self, self._told)

    def on_click(self, event: events.Click) -> None:
        """As if the key had been pressed."""
        if (clicked := self._at(event.x)) is not None:
            self.app.simulate_key(clicked.key)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Tell in a sentence what the key does."""
        pointed = self._at(event.x)
        self.tooltip = pointed.help if pointed else None

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is but one
        """Textual's."""
        title, key = self.rich_style, self.get_component_rich_style("keys-line--key")
        segments = [part for each in self.keys for part in (Segment(shown_key(each.key), key), Segment(f" {each.title} ", title))]
        return Strip(segments).adjust_cell_length(self.size.width, title)

    def _told(self, _screen: Screen[object]) -> None:
        if not self._due:
            self._due = True
            self.call_next(self._look)

    def _look(self) -> None:
        self._due = False
        now = tuple(active_keys(self.screen))
        if now != self._keys:
            self._keys = now
            self.refresh()

    def _at(self, x: int) -> ShownKey | None:
        for each in self.keys:
            if x < each.width - 1:
                return each
            x -= each.width
            if x < 0:
                return None
        return None


def active_keys(screen: Screen[object]) -> Iterator[ShownKey]:
    """The keys that stand in the footer of a screen as it is now, each action once."""
    named: set[str] = set()
    for node, binding, enabled, _ in screen.active_bindings.values():
        if binding.show and enabled and binding.action not in named:
            named.add(binding.action)
            yield ShownKey(binding.key, binding.description, binding.tooltip, everywhere=node is screen.app)


def fitting(keys: Sequence[ShownKey], width: int) -> tuple[ShownKey, ...]:
    """As many as have room. What helps further stays: the keys of every section; of the section's own the last make room."""
    kept = list(keys)
    while sum(each.width for each in kept) - 1 > width and kept:
        kept.remove(next((each for each in reversed(kept) if not each.everywhere), kept[0]))
    return tuple(kept)
