"""The palette's commands, drawn from the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand

from aoetui.actions import Scope, actions_in, shown_key
from aoetui.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.screen import Screen

    from aoetui.app import ConsoleApp


def palette_commands(app: ConsoleApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Every action of the visible section, then those of everywhere; without the palette itself."""
    owners: list[tuple[Scope, ConsoleApp | ConsoleScreen]] = [(Scope.GLOBAL, app)]
    if isinstance(screen, ConsoleScreen):
        owners.insert(0, (screen.SCOPE, screen))
    for scope, owner in owners:
        for action in actions_in(scope, read_only=app.read_only):
            if action.id != "command_palette" and app.offers(action.id):
                keys = ", ".join(shown_key(key) for key in action.keys) or "only here"
                yield SystemCommand(action.help.rstrip("."), f"{scope}: {keys}", _runner(app, action.id, owner))


def _runner(app: ConsoleApp, name: str, owner: ConsoleApp | ConsoleScreen) -> Callable[[], None]:
    async def run() -> None:
        await app.run_action(name, owner)

    def later() -> None:
        # The palette is still closing when it calls.
        app.call_later(run)

    return later
