"""Parts of forms: a labelled field with its message, and the list that interfaces are chosen from."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Checkbox, Input, Label, RadioButton, RadioSet, SelectionList, Static
from textual.widgets.selection_list import Selection

from aoetui.engine.protocol.wire import sectors_per_frame
from aoetui.widgets.keys import InOrder
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from textual.app import ComposeResult
    from textual.widget import Widget

    from aoetui.engine.snapshot import LinkSnapshot


class Tone(StrEnum):
    """What a message is; also its CSS class. A mark tells it without colour."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


_MARKS = {Tone.PLAIN: "", Tone.GOOD: "* ", Tone.WARNING: "! ", Tone.ERROR: "x "}


class Message(Static):
    """A sentence beside or below a field; takes no room while empty."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__("", markup=False, id=id)
        self.display = False

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Show `text`, from anywhere, as plain text."""
        self.display = bool(text)
        for each in Tone:
            self.set_class(each is tone, f"-{each}")
        self.update(Text(f"{_MARKS[tone]}{printable(text, 400)}"))

    @property
    def text(self) -> str:
        """What it says, without the mark; empty if nothing."""
        shown = str(self.content) if self.display else ""
        return next((shown.removeprefix(mark) for mark in _MARKS.values() if mark and shown.startswith(mark)), shown)


class Field(Horizontal):
    """A label, its control, and the control's message: below it, or beside a short one."""

    def __init__(self, label: str, *controls: Widget, name: str, beside: bool = False) -> None:
        super().__init__(id=f"field-{name}", classes="field")
        self._label = label
        self._controls = controls
        self._message = Message(id=f"message-{name}")
        self._beside = beside

    def compose(self) -> ComposeResult:
        """Label left, the rest right of it."""
        yield Label(self._label, classes="field-label", markup=False)
        with Horizontal(classes="field-beside") if self._beside else Vertical(classes="field-below"):
            yield from self._controls
            yield self._message

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Show a message with this field; empty removes it."""
        self._message.say(text, tone)


class Line(InOrder, Input):
    """A line of text."""


class Mark(InOrder, Checkbox):
    """`[x]` or `[ ]`: Textual's own box holds an X in either case, and only its colour tells."""

    def render(self) -> Content:
        """The mark, then the label."""
        return _marked(self, "[x]" if self.value else "[ ]")


class Choices(InOrder, RadioSet):
    """One of several."""


class Choice(RadioButton):
    """`(*)` or `( )`."""

    def render(self) -> Content:
        """The mark, then the label."""
        return _marked(self, "(*)" if self.value else "( )")


def _marked(toggle: Checkbox | RadioButton, mark: str) -> Content:
    label = toggle.label.pad(1, 1).stylize_before(toggle.get_visual_style("toggle--label"))
    return Content.assemble((mark, toggle.get_visual_style("toggle--button")), label)


class MarkedList(InOrder, SelectionList[str]):
    """Several of a list."""

    def __init__(self, *options: Selection[str], id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(*options, id=id, compact=True)

    def on_mount(self) -> None:
        """The cursor stands on the first from the start, whatever key comes first."""
        self.action_first()

    def render_line(self, y: int) -> Strip:
        """`[x]` or `[ ]` before each line; nothing before one that cannot be marked. Textual draws its box three cells wide."""
        line = super().render_line(y)
        index = self.scroll_offset.y + y
        if index >= self.option_count:
            return line
        option = self.get_option_at_index(index)
        mark = "   " if option.disabled else "[x]" if option.value in self.selected else "[ ]"
        _, box, _, *rest = line
        return Strip([Segment(mark, box.style), *rest], line.cell_length)


class LinkList(MarkedList):
    """Interfaces to choose from: the selected first, then the usable, then the default route's; last the rest."""

    def __init__(self, links: Iterable[LinkSnapshot], selected: Collection[str], *, id: str | None = None) -> None:  # noqa: A002
        ordered = sorted(links, key=lambda link: _order(link, selected))
        super().__init__(*(link_choice(link, selected=link.name in selected) for link in ordered), id=id)


def link_choice(link: LinkSnapshot, *, selected: bool) -> Selection[str]:
    """One line of the list. What can never carry AoE cannot be chosen; what only waits for its cable can."""
    never = link.mac is None or link.bridge is not None
    return Selection(Content.from_rich_text(link_words(link)), link.name, selected and not never, disabled=never)


def link_words(link: LinkSnapshot) -> Text:
    """`eth1       MTU 9000  17 sectors a frame  VLAN 100 on eth1  no carrier`."""
    words = Text(f"{printable(link.name, 15):<10} MTU {link.mtu:<5}")
    words.append(f" {sectors_per_frame(link.mtu):>3} sectors a frame")
    if link.vlan_id is not None:
        words.append("  ").append_text(plain(f"VLAN {link.vlan_id} on {link.parent or 'a missing link'}"))
    remark = link_remark(link)
    words.append("  ").append_text(Text(remark, "yellow") if remark else Text("up", "green"))
    return words


def link_remark(link: LinkSnapshot) -> str:
    """Why AoE cannot, or had better not, be spoken on a link; empty if nothing speaks against it."""
    if link.mac is None:
        return "cannot: no Ethernet"
    if link.bridge is not None:
        return f"cannot: choose {printable(link.bridge, 15)}"
    if not link.admin_up:
        return "down"
    if not link.carrier:
        return "no carrier"
    return "has the default route" if link.default_route else ""


def _order(link: LinkSnapshot, selected: Collection[str]) -> tuple[bool, bool, bool, bool, str]:
    never = link.mac is None or link.bridge is not None
    return (never, link.default_route, link.name not in selected, not link.usable, link.name)
