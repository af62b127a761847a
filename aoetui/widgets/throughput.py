"""An export's last seconds as a block chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from textual.events import Resize

    from aoetui.engine.snapshot import ExportSnapshot

BLOCKS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}"
BLOCKS += "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"


ASCII = " ..::||##"
"""The same steps, for a terminal without blocks."""


class Throughput(Words):
    """Draws itself in the room it has, and anew when that changes."""

    def __init__(self, *, ascii_only: bool, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._steps = ASCII if ascii_only else BLOCKS
        self._export: ExportSnapshot | None = None

    @property
    def seconds(self) -> int:
        """How far back it shows: two minutes where each second of them has a column, one otherwise."""
        return 120 if self.content_size.width >= 114 else 60

    def show(self, export: ExportSnapshot) -> None:
        """Show this export."""
        self._export = export
        self._draw()

    def on_resize(self, _event: Resize) -> None:
        """The scale is that of the room."""
        self._draw()

    def _draw(self) -> None:
        size = self.content_size
        if self._export is not None and size.width and size.height:
            chart = throughput_chart(self._export, self.seconds, width=size.width, height=size.height, steps=self._steps)
            self.update(chart)


def throughput_chart(export: ExportSnapshot, seconds: int, *, width: int, height: int, steps: str = BLOCKS) -> Text:
    """Columns from a baseline of zero, the newest second right; the scale ends at the most of these seconds."""
    values = [rates.bytes for rates in export.history[-seconds:]]
    most = max(values, default=0.0)
    if not values or most <= 0:
        return Text(f"no traffic in {seconds} s".center(width), "dim")
    # Each column is a share of the time, and shows its highest second, so that no burst is lost.
    columns = min(width, seconds)
    padded = [0.0] * (seconds - len(values)) + values
    peaks = [max(padded[n * seconds // columns : (n + 1) * seconds // columns]) for n in range(columns)]
    eighths = [0 if peak <= 0 else max(round(peak / most * height * 8), 1) for peak in peaks]
    lines = ["".join(steps[min(max(each - row * 8, 0), 8)] for each in eighths) for row in reversed(range(height))]
    return Text("\n".join(lines), no_wrap=True)
