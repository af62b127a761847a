"""The one registry of actions. Key map, footer, help screen, palette and read-only mode are all drawn from it.

An action's `id` is its Textual action name: `action_<id>` is a method of the screen whose scope it has, or of the app for
GLOBAL. Keys carry Textual's names (`question_mark`); `shown_key` turns them into what stands on a keyboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding, BindingType

_KEY_NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "delete": "del",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}

_PRIORITY_KEYS = frozenset({"ctrl+q"})
"""Heard everywhere, in dialogs and while typing too: there is always a way out, and it asks."""

LEADING = frozenset(
    {
        "show_san",
        "show_exports",
        "show_interfaces",
        "show_events",
        "show_doctor",
        "new_export",
        "filter",
        "help",
        "command_palette",
    }
    | {"edit_config", "edit_mask", "edit_reservation"}
    | {"device_config", "device_mask", "device_reservation", "device_identify"}
    | {"show_trace", "save_trace", "open_trace"}
    | {"copy_device", "show_sectors", "show_tasks"}
)
"""These lead to where the next key belongs. They are done before that key is looked at: over a slow link keys come in bunches."""


class Scope(StrEnum):
    """Where an action can be done."""

    GLOBAL = "everywhere"
    SAN = "SAN"
    PATHS = "Path check"
    EXPORTS = "Exports"
    INTERFACES = "Interfaces"
    TRACE = "Trace"
    EVENTS = "Events"
    DOCTOR = "Doctor"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do."""

    id: str
    keys: tuple[str, ...]
    title: str
    """The footer's word."""
    help: str
    """One sentence, for help and palette."""
    scope: Scope
    changes: bool = False
    """Whether it changes what is served or asked: such actions do not exist in read-only mode."""
    footer: bool = True
    """Whether the footer has room for it; help and palette list every action."""
    footer_in: Scope | None = None
    """The one section whose footer names it, of an action that can be done everywhere."""


def _everywhere(
    name: str,
    keys: tuple[str, ...],
    title: str,
    text: str,
    *,
    changes: bool = False,
    footer: bool = False,
    footer_in: Scope | None = None,
) -> Action:
    return Action(name, keys, title, text, Scope.GLOBAL, changes, footer, footer_in)


ACTIONS: tuple[Action, ...] = (
    Action("open_device", ("enter",), "open", "Open the device, or fold its shelf.", Scope.SAN),
    Action(
        "check_paths",
        ("c",),
        "check",
        "Measure the paths to the device, or to all of its shelf, and say what is wrong with them.",
        Scope.SAN,
        changes=True,
    ),
    Action(
        "choose_interfaces",
        ("i",),
        "interfaces",
        "Choose the interfaces that are scanned.",
        Scope.SAN,
        changes=True,
        footer=False,
    ),
    Action(
        "copy_device",
        ("o",),
        "copy",
        "Copy the device to a file, write a file to it, or compare the two.",
        Scope.SAN,
        changes=True,
    ),
    Action("show_sectors", ("x",), "sectors", "Show the device's sectors, and what it holds.", Scope.SAN, footer=False),
    Action("sort", ("s",), "sort", "Sort each shelf by the next column.", Scope.SAN),
    Action("reverse", ("S",), "reverse", "Reverse the order within each shelf.", Scope.SAN, footer=False),
    Action("fold", ("space",), "fold", "Fold or unfold the shelf.", Scope.SAN, footer=False),
    Action("check_again", ("r",), "again", "Check the same devices again.", Scope.PATHS, changes=True),
    Action("device_config", ("C",), "config", "Read the device's config string, and edit it.", Scope.SAN, footer=False),
    Action("device_mask", ("m",), "mask", "Read the device's mask list, whom it answers, and edit it.", Scope.SAN, footer=False),
    Action(
        "device_reservation",
        ("r",),
        "reserve",
        "Read who holds the device's reservation, and take, give or release it.",
        Scope.SAN,
        footer=False,
    ),
    Action("device_identify", ("w",), "identify", "Show all that the disk says of itself.", Scope.SAN, footer=False),
    Action(
        "revalidate_device",
        ("v",),
        "revalidate",
        "Have the Linux driver ask the device again what it is: size, and whether it is there.",
        Scope.SAN,
        changes=True,
        footer=False,
    ),
    Action(
        "flush_device",
        ("F",),
        "flush",
        "Have the Linux driver forget the device; asks first, and refuses while somebody uses it.",
        Scope.SAN,
        changes=True,
        footer=False,
    ),
    Action("open_export", ("enter",), "open", "Open the export.", Scope.EXPORTS),
    Action("stop_export", ("x",), "stop", "Stop serving the export; it stays in the config.", Scope.EXPORTS, changes=True),
    Action("start_export", ("a",), "start", "Serve a stopped export again.", Scope.EXPORTS, changes=True),
    Action(
        "delete_export",
        ("delete", "D"),
        "delete",
        "Stop the export and remove it from the config; its file or disk is left as it is.",
        Scope.EXPORTS,
        changes=True,
    ),
    Action(
        "next_part",
        ("right_square_bracket",),
        "part",
        "Go to the next part of the open export, as right does.",
        Scope.EXPORTS,
        footer=False,
    ),
    Action(
        "previous_part", ("left_square_bracket",), "part", "Go to the part before, as left does.", Scope.EXPORTS, footer=False
    ),
    Action(
        "edit_config",
        ("c",),
        "config",
        "Edit the config string, by which hosts find their disk.",
        Scope.EXPORTS,
        changes=True,
        footer=False,
    ),
    Action(
        "edit_mask",
        ("m",),
        "mask",
        "Edit the mask list: the only initiators that are answered.",
        Scope.EXPORTS,
        changes=True,
        footer=False,
    ),
    Action(
        "edit_reservation",
        ("r",),
        "reserve",
        "Edit the reservation: the only initiators that may read and write.",
        Scope.EXPORTS,
        changes=True,
        footer=False,
    ),
    Action("open_link", ("enter",), "open", "Open the interface.", Scope.INTERFACES),
    Action(
        "choose_interfaces",
        ("c", "i"),
        "choose",
        "Choose the interfaces that are scanned.",
        Scope.INTERFACES,
        changes=True,
    ),
    Action("open_frame", ("enter",), "open", "Open the frame: every field by its name, and its bytes.", Scope.TRACE),
    Action("trace", ("t",), "trace", "Begin to trace, or end; what is kept stays.", Scope.TRACE, changes=True),
    Action(
        "hold",
        ("space",),
        "hold",
        "Keep what there is and only count what passes, or go on.",
        Scope.TRACE,
        changes=True,
    ),
    Action("follow", ("f",), "follow", "Go to the newest frame and stay there.", Scope.TRACE),
    Action(
        "save_trace",
        ("w",),
        "save",
        "Save what passes the filter as a capture file that Wireshark reads.",
        Scope.TRACE,
        changes=True,
    ),
    Action("open_trace", ("o",), "load", "Show a capture file instead.", Scope.TRACE, changes=True),
    Action("clear_trace", ("c",), "clear", "Forget the frames that are kept.", Scope.TRACE, changes=True, footer=False),
    Action("next_frame", ("right_square_bracket",), "next", "Open the next frame.", Scope.TRACE),
    Action("previous_frame", ("left_square_bracket",), "before", "Open the frame before.", Scope.TRACE, footer=False),
    Action("follow", ("f",), "follow", "Go to the newest event and stay there.", Scope.EVENTS),
    Action("severity", ("v",), "severity", "Show every event, warnings and alarms, or alarms alone.", Scope.EVENTS),
    Action(
        "examine", ("e", "enter"), "examine", "Look at host, links and wire now, for some seconds: it only asks.", Scope.DOCTOR
    ),
    Action(
        "make_bundle",
        ("b",),
        "bundle",
        "Gather everything for whoever helps into one file, without anything secret.",
        Scope.DOCTOR,
        changes=True,
    ),
    _everywhere("new_export", ("n",), "new", "Serve a disk or a file.", changes=True, footer=True),
    _everywhere(
        "discover",
        ("d",),
        "discover",
        "Ask every device on the chosen interfaces to answer now; the Linux driver, where it is loaded, asks on its own too.",
        changes=True,
        footer_in=Scope.SAN,
    ),
    _everywhere(
        "load_driver",
        (),
        "load driver",
        "Load the Linux aoe driver (module aoe), for the chosen interfaces; asks first.",
        changes=True,
    ),
    _everywhere(
        "load_driver_always",
        (),
        "load driver",
        "Load the Linux aoe driver (module aoe) now and whenever this host starts; asks first.",
        changes=True,
    ),
    _everywhere("filter", ("slash",), "filter", "Show only rows that hold some text.", footer=True),
    _everywhere("back", ("escape",), "back", "Close what is open, or clear the filter.", footer=True),
    _everywhere("help", ("question_mark", "f1"), "help", "Show the keys of this view and what its words mean.", footer=True),
    _everywhere("command_palette", ("colon", "ctrl+p"), "palette", "Find any action by its name."),
    _everywhere("show_san", ("1",), "SAN", "Go to SAN: every device that answers."),
    _everywhere("show_exports", ("2",), "Exports", "Go to Exports: what this host serves, and who uses it."),
    _everywhere("show_interfaces", ("3",), "Interfaces", "Go to Interfaces: the links of this host."),
    _everywhere("show_trace", ("4",), "Trace", "Go to Trace: AoE frames as they pass."),
    _everywhere("show_events", ("5",), "Events", "Go to Events: what happened."),
    _everywhere("show_doctor", ("6",), "Doctor", "Go to Doctor: why nothing is seen, and what to do."),
    _everywhere("show_tasks", ("T",), "tasks", "Show what is copied, how far it is, and what came of it."),
    _everywhere("copy_row", ("y",), "copy", "Copy the selected row to the terminal's clipboard."),
    _everywhere("pause", ("p",), "pause", "Hold the picture still, or let it go on; what is served goes on anyway."),
    _everywhere("faster", ("plus",), "faster", "Refresh more often, up to 4 times a second."),
    _everywhere("slower", ("minus",), "slower", "Refresh less often, down to once in 2 seconds."),
    _everywhere("slow_link", (), "slow link", "Change between our colours and the terminal's own, which need half the bytes."),
    _everywhere("quit", ("q", "ctrl+q", "ctrl+c"), "quit", "Leave; asks first while something is served.", footer=True),
)


def actions_in(scope: Scope, *, read_only: bool = False) -> tuple[Action, ...]:
    """The actions of one scope, without those that change something where `read_only`."""
    return tuple(action for action in ACTIONS if action.scope is scope and not (read_only and action.changes))


def is_change(name: str) -> bool:
    """Whether the action of this id changes something, in any scope."""
    return any(action.changes for action in ACTIONS if action.id == name)


def shown_key(key: str) -> str:
    """A key as people read it: `?` for `question_mark`."""
    return _KEY_NAMES.get(key, key)


def bindings(scope: Scope) -> list[BindingType]:
    """Textual's bindings of one scope. The footer shows each action once, with its first key."""
    own = [_binding(action, key, shown=action.footer) for action in actions_in(scope) for key in action.keys]
    named = [action for action in actions_in(Scope.GLOBAL) if action.footer_in is scope]
    return [*own, *(_binding(action, key, shown=True, owner="app.") for action in named for key in action.keys)]


def _binding(action: Action, key: str, *, shown: bool, owner: str = "") -> Binding:
    return Binding(
        key,
        f"{owner}{action.id}",
        action.title,
        tooltip=action.help,
        show=shown and key == action.keys[0],
        key_display=shown_key(key),
        priority=key in _PRIORITY_KEYS or action.id in LEADING,
    )
