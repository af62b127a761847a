"""Text that is given again and again, and painted only when it says something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.visual import VisualType


class Words(Static):
    """A Static without markup. The same text again costs nothing; one of the same shape is painted without a new layout."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(text, id=id, classes=classes, markup=False)
        self._said: Text | None = None

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show it, unless it is what is shown."""
        before, self._said = self._said, content if isinstance(content, Text) else None
        if before is not None and self._said is not None:
            if alike(before, self._said):
                return
            width = self.content_size.width
            layout = layout and not _same_shape(before, self._said, width)
        super().update(content, layout=layout)
        if layout:
            self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        """Lay out once more if that is needed.

        Textual tells layouts apart by a number that it does not raise while one is due. Where it measured the text before in
        that time, as when a section is made, it goes on with that height.
        """
        width, height = self.content_size
        asked = self.styles.height
        if width and asked and asked.is_auto and height != self.get_content_height(self.size, self.app.size, width):
            self.refresh(layout=True)


def alike(one: Text, other: Text) -> bool:
    """Whether two texts look the same: Text compares what is written and its spans alone."""
    return one is other or (one.plain == other.plain and one.style == other.style and one.spans == other.spans)


def _same_shape(one: Text, other: Text, width: int) -> bool:
    """Whether both take as many lines, and none has to be wrapped."""
    lines, others = one.plain.split("\n"), other.plain.split("\n")
    return len(lines) == len(others) and all(cell_len(line) <= width for line in (*lines, *others))
