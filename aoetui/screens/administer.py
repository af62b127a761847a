"""What the keys of a device on SAN do: read what it keeps or says over the wire, then let it be edited, or show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aoetui.engine.commands.identify import ReadIdentify
from aoetui.engine.commands.remote import ReadRemote, RemoteState
from aoetui.screens.asking import Asking
from aoetui.screens.edit_config import EditConfig
from aoetui.screens.edit_macs import MASK, RESERVATION, EditMacs
from aoetui.screens.edit_subject import OwnExport, RemoteDevice
from aoetui.screens.identify_page import IdentifyPage
from aoetui.screens.page import Page
from aoetui.widgets.kept_lines import export_lines, remote_lines

if TYPE_CHECKING:
    from textual.screen import Screen

    from aoetui.app import ConsoleApp
    from aoetui.engine.snapshot import DeviceSnapshot, ExportSnapshot
    from aoetui.screens.edit_subject import Subject

Result = TypeVar("Result")


async def administer(console: ConsoleApp, device: DeviceSnapshot | None, field: str) -> None:
    """Edit `config_string`, `mask` or `reservation` of a device; where nothing may be changed, show all that it keeps."""
    if device is None:
        return
    if device.ours:
        export = next((each for each in console.snapshot.exports if each.spec.address == device.address), None)
        if export is not None:
            await console.push_screen(_own(console, export, field))
        return
    await console.push_screen(
        Asking(ReadRemote(device.address), f"Reading what {device.address} keeps..."),
        lambda state: None if state is None else _open(console, _remote(console, state, field)),
    )


async def identify(console: ConsoleApp, device: DeviceSnapshot | None) -> None:
    """Show all that a disk says of itself."""
    if device is not None:
        await console.push_screen(
            Asking(ReadIdentify(device.address), f"Asking {device.address} what it is..."),
            lambda reports: None if reports is None else _open(console, IdentifyPage(reports)),
        )


def _open(console: ConsoleApp, screen: Screen[None]) -> None:
    console.push_screen(screen)


def _own(console: ConsoleApp, export: ExportSnapshot, field: str) -> Screen[None]:
    if console.read_only:
        return Page(f"What {export.spec.address} keeps", list(export_lines(export)))
    return _editor(OwnExport(export, console), field)


def _remote(console: ConsoleApp, state: RemoteState, field: str) -> Screen[None]:
    unknown = any(getattr(target, field) is None for target in state.targets)
    if console.read_only or state.conflict or unknown:
        return Page(f"What {state.address} keeps", list(remote_lines(state)))
    return _editor(RemoteDevice(state), field)


def _editor(subject: Subject, field: str) -> Screen[None]:
    match field:
        case "config_string":
            return EditConfig(subject)
        case "mask":
            return EditMacs(subject, MASK)
        case _:
            return EditMacs(subject, RESERVATION)
