"""What the dialogs for config string, mask list and reservation edit: an export of ours, or a device of somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from rich.text import Text

from aoetui.engine.api import SetConfigString, SetMask, SetReservation
from aoetui.engine.commands.remote import EditRemoteMask, ReadRemote, SetRemoteConfig, SetRemoteReservation
from aoetui.screens.confirm import Confirm, user_line
from aoetui.widgets import figures
from aoetui.widgets.known_macs import known_macs, shut_out
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.app import ConsoleApp
    from aoetui.engine.api import Command
    from aoetui.engine.commands.remote import RemoteState
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.snapshot import ExportSnapshot, InitiatorSnapshot, StateLimits

GIVEN_UP = "Linux retries their reads and writes for 180 s, then fails the disk."
OTHERS = {"mask": "They will get no answer any more.", "reservation": "Their reads and writes will be refused."}
"""What becomes of those whom a list shuts out."""


class Subject(Protocol):
    """What is edited. `field` is `config_string`, `mask` or `reservation`."""

    address: Address

    @property
    def limits(self) -> StateLimits:
        """What fits a reply."""
        ...

    @property
    def note(self) -> str:
        """What is peculiar about it; empty if nothing."""
        ...

    async def look(self, console: ConsoleApp) -> None:
        """See what stands now. Raises EngineError."""
        ...

    def value(self, field: str) -> object:
        """What stood when it was looked at last."""
        ...

    def known(self, field: str) -> dict[Mac, str]:
        """MACs to pick from, the listed first, each with what is known of it."""
        ...

    def hurt(self, field: str, chosen: Sequence[Mac]) -> str:
        """Whom a list of these shuts out; empty if nobody that is known."""
        ...

    def question(self, field: str, chosen: Sequence[Mac]) -> Confirm | None:
        """What to ask before that is done."""
        ...

    def command(self, field: str, value: object) -> Command[Any]:
        """What to ask the engine for. Raises ValueError with a sentence for what no target keeps."""
        ...


class OwnExport:
    """An export of ours: the snapshot tells what stands, and who uses it now."""

    note = ""

    def __init__(self, export: ExportSnapshot, console: ConsoleApp) -> None:
        self.address = export.spec.address
        self.limits = export.limits
        self._console = console
        self._last = export

    @property
    def _export(self) -> ExportSnapshot:
        """As it is now; as it was last, if it has gone."""
        found = (each for each in self._console.snapshot.exports if each.spec.address == self.address)
        self._last = next(found, self._last)
        return self._last

    async def look(self, console: ConsoleApp) -> None:
        """Nothing is to be asked."""

    def value(self, field: str) -> object:
        """As the snapshot has it."""
        return getattr(self._export, field)

    def known(self, field: str) -> dict[Mac, str]:
        """Who uses it, asked, or was refused."""
        return known_macs(self._export, cast("tuple[Mac, ...]", self.value(field)), self._console.snapshot.taken)

    def _users(self, field: str, chosen: Sequence[Mac]) -> list[InitiatorSnapshot]:
        return shut_out(self._export, cast("tuple[Mac, ...]", self.value(field)), chosen)

    def hurt(self, field: str, chosen: Sequence[Mac]) -> str:
        """Who reads or writes now, and could not any more."""
        users = list(dict.fromkeys(str(each.mac) for each in self._users(field, chosen)))
        named = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
        return f"Will be shut out, and read or write now: {named}." if users else ""

    def question(self, field: str, chosen: Sequence[Mac]) -> Confirm | None:
        """Who reads or writes now, and could not any more."""
        users, now = self._users(field, chosen), self._console.snapshot.taken
        if not users:
            return None
        title = f"Shut {figures.many(len({each.mac for each in users}), 'initiator')} out of {self.address}?"
        lines = [Text("Read or wrote within the last minute:", "bold yellow"), *(user_line(each, now) for each in users), Text()]
        return Confirm(title, [*lines, Text(f"{OTHERS[field]} {GIVEN_UP}", "yellow")], "Shut out")

    def command(self, field: str, value: object) -> Command[Any]:
        """To our own engine."""
        match field:
            case "config_string":
                return SetConfigString(self.address, cast("bytes", value))
            case "mask":
                return SetMask(self.address, cast("tuple[Mac, ...]", value))
            case _:
                return SetReservation(self.address, cast("tuple[Mac, ...]", value))


class RemoteDevice:
    """A device of somebody else, as it was read over the wire. Who uses it, nobody here can know, but for this host itself."""

    def __init__(self, state: RemoteState) -> None:
        self.address = state.address
        self._state = state

    @property
    def limits(self) -> StateLimits:
        """By the interface of this host with the smallest MTU; the target may hold less."""
        return self._state.limits

    @property
    def note(self) -> str:
        """Saving makes different things the same."""
        kept = {(each.config_string, each.mask, each.reservation) for each in self._state.targets}
        return "The MACs of this device keep different things: saving gives all of them the same." if len(kept) > 1 else ""

    async def look(self, console: ConsoleApp) -> None:
        """Read it again: others may have changed it."""
        self._state = await console.ask(ReadRemote(self.address))

    def value(self, field: str) -> object:
        """What its first MAC keeps."""
        return getattr(self._state.targets[0], field) or (b"" if field == "config_string" else ())

    def known(self, field: str) -> dict[Mac, str]:
        """Those on the list, this host's own, and those on the other list."""
        listed = cast("tuple[Mac, ...]", self.value(field))
        other, why = ("reservation", "holds the reservation") if field == "mask" else ("mask", "is on the mask list")
        elsewhere = dict.fromkeys(cast("tuple[Mac, ...]", self.value(other)), why)
        found = dict.fromkeys((*listed, *self._state.here, *elsewhere))
        return {mac: printable(self._state.who(mac), 50) or elsewhere.get(mac, "not known here") for mac in found}

    def hurt(self, field: str, chosen: Sequence[Mac]) -> str:
        """Whether this host is not on a list, and who loses a reservation."""
        missing = [mac for mac in self._state.here if chosen and mac not in chosen]
        if missing:
            over = "" if len(missing) == len(self._state.here) else f" over {', '.join(map(str, missing))}"
            return f"This host gets no answer{over} then." if field == "mask" else f"This host may not read or write{over} then."
        return self._robbed(field, chosen)

    def _robbed(self, field: str, chosen: Sequence[Mac]) -> str:
        before = cast("tuple[Mac, ...]", self.value(field))
        if field != "reservation" or not before or set(before) & set(self._state.here) or set(before) <= set(chosen):
            return ""
        return f"It is taken from {', '.join(map(str, before[:3]))}{' and others' if len(before) > 3 else ''}."

    def question(self, field: str, chosen: Sequence[Mac]) -> Confirm | None:
        """Before this host is shut out, which it could not undo, and before a reservation is taken from who holds it."""
        robbed = self._robbed(field, chosen)
        own = [Text(f"  {mac}  {printable(self._state.who(mac), 60)}") for mac in self._state.here]
        if field == "mask" and chosen and not set(chosen) & set(self._state.here):
            lines = [Text(f"{self.address} will not answer this host any more:", "bold yellow"), *own, Text()]
            remedy = "It cannot be undone from here. Put one of these on the list, unless you mean it."
            return Confirm(f"Shut this host out of {self.address}?", [*lines, Text(remedy, "yellow")], "Shut out")
        if robbed:
            holders = cast("tuple[Mac, ...]", self.value(field))
            lines = [Text("Now it is reserved for", "bold yellow"), *(Text(f"  {mac}") for mac in holders), Text()]
            why = "A host that holds a reservation means to keep others from its disk: ask there first."
            return Confirm(f"Take the reservation of {self.address}?", [*lines, Text(why, "yellow")], "Take it")
        return None

    def command(self, field: str, value: object) -> Command[Any]:
        """By force: what stands was shown, has been looked at again, and was asked about."""
        match field:
            case "config_string":
                return SetRemoteConfig(self.address, cast("bytes", value), force=True)
            case "mask":
                return EditRemoteMask(self.address, cast("tuple[Mac, ...]", value), replace=True, force=True)
            case _:
                return SetRemoteReservation(self.address, cast("tuple[Mac, ...]", value), force=True)
