"""Text that is painted only when it says something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import App
from textual.widgets import Static

from aoetui.widgets.words import Words

if TYPE_CHECKING:
    import pytest
    from textual.app import ComposeResult


class WordsApp(App[None]):
    """One text, as high as it needs."""

    CSS = "Words { height: auto; width: 10; }"

    def compose(self) -> ComposeResult:
        """It alone."""
        yield Words()

    @property
    def words(self) -> Words:
        """It."""
        return self.query_one(Words)


async def test_the_same_text_again_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the same shape no layout; and whatever else it is, it stands there at its full height."""
    done: list[tuple[str, bool]] = []
    update = Static.update

    def noted(self: Static, content: Text, *, layout: bool) -> None:
        done.append((content.plain, layout))
        update(self, content, layout=layout)

    monkeypatch.setattr(Static, "update", noted)
    app = WordsApp()
    async with app.run_test() as pilot:
        for text in (
            Text("one"),
            Text("one"),
            Text("two"),
            Text("two", "red"),
            Text("a\nb"),
            Text("longer than ten"),
            Text("b\na"),
        ):
            app.words.update(text)
            await pilot.pause()
            assert app.words.size.height == (1 if len(text.plain) == 3 and "\n" not in text.plain else 2)
    assert done == [
        ("one", True),
        ("two", False),
        ("two", False),
        ("a\nb", True),
        ("longer than ten", True),
        ("b\na", True),
    ]


async def test_what_is_given_while_a_layout_is_due_has_its_height() -> None:
    """Sections are filled while they are made."""
    app = WordsApp()
    async with app.run_test() as pilot:
        app.words.refresh(layout=True)
        app.screen._refresh_layout()
        app.words.update(Text("a\nb"))
        await pilot.pause()
        assert app.words.size.height == 2
