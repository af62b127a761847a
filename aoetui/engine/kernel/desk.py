"""Carries out what is asked of the driver, each errand in its own thread, and looks at once what came of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aoetui.engine.api import EngineError, Errand, UsageError
from aoetui.engine.commands.kernel import (
    FlushAll,
    FlushDevice,
    FlushDown,
    KernelDiscover,
    KernelUsers,
    LoadModule,
    MakeNodes,
    ReadDriverVersions,
    ReadKernel,
    ReadKernelErrors,
    Revalidate,
    SetKernelInterfaces,
)
from aoetui.engine.kernel import controls, module, nodes
from aoetui.engine.kernel.differences import remarks_of
from aoetui.engine.kernel.reading import PREFIX
from aoetui.engine.kernel.users import users_of
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aoetui.engine.commands.kernel import KernelDevice, KernelSnapshot
    from aoetui.engine.events import EventLog
    from aoetui.engine.kernel.watch import KernelWatch
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.snapshot import DeviceSnapshot

    Wire = Callable[[], tuple[Iterable[DeviceSnapshot], tuple[str, ...]]]
    """What the wire tells now: the devices, and the interfaces that are asked."""

_PATIENCE = 1.0
"""Seconds that a device which was flushed may take to go."""


class KernelDesk:
    """The errands of one engine."""

    def __init__(self, watch: KernelWatch, events: EventLog, wire: Wire) -> None:
        self._watch = watch
        self._host = watch.host
        self._events = events
        self._wire = wire

    def handlers(self) -> Mapping[type[Errand[Any]], Callable[[Any], object]]:
        """Who carries out which errand."""
        return {
            ReadKernel: lambda _: self._read(),
            KernelDiscover: lambda _: self._discover(),
            Revalidate: self._revalidate,
            FlushDevice: self._flush,
            FlushDown: lambda _: self._flush_some(controls.tell_flush_down, "those that were down"),
            FlushAll: lambda _: self._flush_some(controls.tell_flush_all, "all that were not open"),
            KernelUsers: lambda command: users_of(self._host, self._find(command.address)),
            SetKernelInterfaces: self._set_interfaces,
            ReadKernelErrors: lambda _: controls.take_errors(self._host),
            LoadModule: self._load,
            ReadDriverVersions: lambda _: module.versions(self._host),
            MakeNodes: lambda command: nodes.make_nodes(self._host, command),
        }

    def _look(self) -> KernelSnapshot:
        kernel = self._watch.look_now(whole=True)
        if kernel is None:
            raise EngineError(controls.NOT_LOADED)
        return kernel

    def _read(self) -> KernelSnapshot:
        kernel = self._look()
        devices, asked = self._wire()
        return replace(kernel, remarks=remarks_of(kernel, devices, asked))

    def _find(self, address: Address) -> KernelDevice:
        found = next((device for device in self._look().devices if device.address == address), None)
        if found is None:
            raise EngineError(f"the Linux driver has no {address}: `aoetui kernel` lists what it has", field="address")
        return found

    def _discover(self) -> None:
        controls.tell_discover(self._host)
        self._watch.look_now()

    def _revalidate(self, command: Revalidate) -> None:
        self._find(command.address)
        controls.tell_revalidate(self._host, command.address)
        self._tell(command.address, "revalidated: the Linux driver asked it again what it is")
        self._watch.look_now(whole=True)

    def _flush(self, command: FlushDevice) -> None:
        address = command.address
        device = self._find(address)
        users = () if command.force else users_of(self._host, device)
        if users:
            raise EngineError(
                f"{address} is in use ({', '.join(users)}): unmount or close it first; `aoetui kernel flush --force {address}`"
                " takes it from under them, and Linux may fail when they close it",
                field="address",
            )
        controls.tell_flush(self._host, address)
        self._gone(address)
        self._tell(address, "flushed: the Linux driver has forgotten it")

    def _gone(self, address: Address) -> None:
        """Wait until the driver has let go of it."""
        folder = self._host.block / f"{PREFIX}{address}"
        limit = time.monotonic() + _PATIENCE
        while folder.exists():
            if time.monotonic() > limit:
                raise EngineError(
                    f"the Linux driver kept {address}: it is being set up, or the driver is too old to forget one alone"
                )
            time.sleep(0.01)
        self._watch.look_now(whole=True)

    def _flush_some(self, tell: Callable[[Any], None], which: str) -> tuple[Address, ...]:
        before = {device.address for device in self._look().devices}
        tell(self._host)
        after = {device.address for device in self._look().devices}
        gone = tuple(sorted(before - after))
        if gone:
            names = ", ".join(map(str, gone))
            self._events.add(Severity.INFO, "linux", f"flushed: the Linux driver has forgotten {which} ({names})")
        return gone

    def _set_interfaces(self, command: SetKernelInterfaces) -> None:
        self._check(command.interfaces)
        controls.tell_interfaces(self._host, command.interfaces)
        only = ", ".join(command.interfaces)
        self._events.add(Severity.INFO, "linux", f"the Linux driver uses {f'{only} alone' if only else 'every interface'}")
        self._watch.look_now(whole=True)

    def _check(self, interfaces: Iterable[str]) -> None:
        known = {path.name for path in self._host.links.glob("*")}
        for name in interfaces:
            if name not in known:
                raise EngineError(f"{name!r} is no interface of this host: `ip link` lists them", field="interfaces")

    def _load(self, command: LoadModule) -> tuple[str, ...]:
        host = self._host
        told = module.options(host)
        named = any(map(module.interfaces_in, told.values()))
        if not (command.interfaces or command.everywhere or named or host.has_driver):
            raise UsageError(
                "the driver broadcasts on every interface as soon as it is loaded: name those that it may use (-i IFACE), or say"
                " --all-interfaces",
                field="interfaces",
            )
        self._check(command.interfaces)
        said = []
        if host.has_driver:
            said.append("the aoe module is loaded already")
            if command.interfaces:
                self._set_interfaces(SetKernelInterfaces(command.interfaces))
        else:
            module.load(host, command.interfaces)
            said.append("the aoe module is loaded")
            self._events.add(Severity.INFO, "linux", "the aoe module is loaded")
        if command.interfaces:
            said.append(f"it uses {', '.join(command.interfaces)} alone")
        said += [f"{path} has options for it: {each}" for path, each in told.items()]
        if command.persist:
            said += module.persist(host, command.interfaces)
        self._watch.look_now(whole=True)
        return tuple(said)

    def _tell(self, address: Address, text: str) -> None:
        self._events.add(Severity.INFO, str(address), text)
