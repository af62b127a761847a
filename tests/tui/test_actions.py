"""One registry: what it names exists, and no key means two things."""

from __future__ import annotations

from collections import Counter

import pytest
from textual.binding import Binding

from aoetui.actions import ACTIONS, Scope, actions_in, bindings, is_change, shown_key
from aoetui.app import ConsoleApp
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.path_check import PathCheckScreen
from aoetui.widgets.table import LiveTable

PLACES: dict[Scope, type[ConsoleApp | ConsoleScreen]] = {Scope.GLOBAL: ConsoleApp} | {
    screen.SCOPE: screen for screen in ConsoleApp.MODES.values() if isinstance(screen, type) and issubclass(screen, ConsoleScreen)
}
PLACES[Scope.PATHS] = PathCheckScreen  # no section: it opens over one


def test_every_section_has_a_scope() -> None:
    """A section that forgot its SCOPE would have no keys in the footer and none in the help."""
    assert set(PLACES) == set(Scope)


@pytest.mark.parametrize("scope", PLACES)
def test_each_action_has_its_method(scope: Scope) -> None:
    """A key without a method does nothing, and says nothing."""
    missing = [action.id for action in actions_in(scope) if not hasattr(PLACES[scope], f"action_{action.id}")]
    assert missing == []


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.GLOBAL])
def test_a_key_means_one_thing_in_its_scope(scope: Scope) -> None:
    """Nor may it be one that moves the cursor in a table, which would win."""
    keys = [key for action in (*actions_in(scope), *actions_in(Scope.GLOBAL)) for key in action.keys]
    for binding in LiveTable.BINDINGS:
        assert isinstance(binding, Binding)
        keys += binding.key.split(",")
    assert [key for key, times in Counter(keys).items() if times > 1] == []


def test_ids_differ_within_a_scope() -> None:
    """An id is a method's name."""
    assert len({(action.scope, action.id) for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("scope", Scope)
def test_read_only_strips_what_changes_something(scope: Scope) -> None:
    """And nothing else."""
    kept = actions_in(scope, read_only=True)
    assert all(not action.changes for action in kept)
    assert [action for action in actions_in(scope) if not action.changes] == list(kept)


def test_what_reaches_the_config_or_the_wire_is_a_change() -> None:
    """These are the commands that do more than look."""
    changing = {"new_export", "stop_export", "start_export", "delete_export", "choose_interfaces", "discover"}
    changing |= {"edit_config", "edit_mask", "edit_reservation", "make_bundle", "check_paths", "check_again"}
    changing |= {"revalidate_device", "flush_device", "load_driver", "load_driver_always"}
    changing |= {"copy_device"}
    changing |= {"trace", "hold", "save_trace", "open_trace", "clear_trace"}
    assert {action.id for action in ACTIONS if is_change(action.id)} == changing


def test_the_footer_shows_an_action_once() -> None:
    """With the first of its keys, as it stands on a keyboard."""
    shown = [binding for binding in bindings(Scope.GLOBAL) if isinstance(binding, Binding) and binding.show]
    assert len({binding.action for binding in shown}) == len(shown)
    assert {binding.key_display for binding in shown} >= {"?", "/", "esc", "q"}


def test_every_key_can_be_read() -> None:
    """Textual's long names are for Textual."""
    assert {shown_key(key) for action in ACTIONS for key in action.keys}.isdisjoint(
        {"question_mark", "colon", "slash", "plus", "minus"}
    )


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.scope}-{action.id}")
def test_help_is_one_sentence(action: object) -> None:
    """It stands in help and palette as it is."""
    text = str(getattr(action, "help"))  # noqa: B009 - parametrised by object
    assert text[0].isupper()
    assert text.endswith(".")
