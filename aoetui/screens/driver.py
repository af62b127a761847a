"""What the console has the Linux driver do: revalidate and flush a device, and load the module. Nothing without a question that
could hurt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import work

from aoetui.engine.api import EngineError
from aoetui.engine.commands.kernel import FlushDevice, KernelUsers, LoadModule, Revalidate
from aoetui.engine.commands.kernel_words import comes_back
from aoetui.engine.snapshot import Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.confirm import Confirm
from aoetui.widgets.driver import in_driver
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from aoetui.app import ConsoleApp
    from aoetui.engine.protocol.address import Address

OF_DRIVER = frozenset({"revalidate_device", "flush_device"})
"""Actions that need the driver."""


class DriverScreen(ConsoleScreen):
    """A section where one device is selected."""

    def selected_address(self) -> Address | None:
        """Of the device under the cursor."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without the driver there is nothing to revalidate or flush."""
        kernel = self.console.snapshot.kernel
        if action in OF_DRIVER and (kernel is None or not kernel.here):
            return False
        return super().check_action(action, parameters)

    def action_revalidate_device(self) -> None:
        """Have the driver ask the device again what it is."""
        if (address := self._in_driver()) is not None:
            self.console.send(Revalidate(address), f"The Linux driver asks {address} again what it is.")

    @work(group="question", exclusive=True)
    async def action_flush_device(self) -> None:
        """Have the driver forget the device, once it is known that nobody uses it and someone said yes."""
        if (address := self._in_driver()) is None:
            return
        try:
            users = await self.console.ask(KernelUsers(address))
        except EngineError as error:
            self.console.say(str(error), Severity.ALARM)
            return
        if users:
            text = f"{address} is in use: {', '.join(users)}. Unmount or close it, then press F again."
            self.console.say(text, Severity.WARNING)
        elif await self.app.push_screen_wait(flush_question(address)):
            self.console.send(FlushDevice(address), f"{comes_back(address)}.")

    def _in_driver(self) -> Address | None:
        """The selected device, if the driver has it; else say so."""
        address = self.selected_address()
        if address is not None and in_driver(self.console.snapshot, address) is None:
            self.console.say(f"The Linux driver has no {address}: press d to discover.", Severity.WARNING)
            return None
        return address


def flush_question(address: Address) -> Confirm:
    """Before a device is flushed."""
    lines = [
        Text(f"/dev/etherd/{address} and its partitions go from this host."),
        Text("Nobody uses it, as far as this user may know."),
        Text(),
        Text("It comes back with the next discovery, within a minute, if its target still answers. Its data stays as it is."),
    ]
    return Confirm(f"Have Linux forget {address}?", lines, "Flush")


def load_question(interfaces: tuple[str, ...], *, persist: bool) -> Confirm:
    """Before the module is loaded."""
    where = ", ".join(printable(name, 15) for name in interfaces)
    lines = [
        plain(f"modprobe aoe, for {where} alone", 300),
        Text(),
        Text("Every device that answers there becomes a disk of this host, /dev/etherd/eX.Y."),
        Text("The driver asks there at once, and every minute."),
    ]
    if persist:
        lines += [
            Text(),
            Text("/etc/modules-load.d/aoe.conf and /etc/modprobe.d/aoe.conf have it done whenever this host starts."),
        ]
    return Confirm("Load the Linux aoe driver?", lines, "Load")


async def load_driver(console: ConsoleApp, *, persist: bool) -> None:
    """Load the module for the chosen interfaces, once someone said yes."""
    interfaces = console.snapshot.interfaces
    if not interfaces:
        console.say(
            "No interface is chosen: press i on SAN first, for the driver asks as soon as it is loaded.", Severity.WARNING
        )
    elif await console.push_screen_wait(load_question(interfaces, persist=persist)):
        try:
            said = await console.ask(LoadModule(interfaces, persist=persist), 90.0)
        except EngineError as error:
            console.say(str(error), Severity.ALARM)
        else:
            console.say(". ".join(said) + ".")
        console.pull()
