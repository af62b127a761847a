"""Carries out the commands that change something. Each is done whole or not at all, and saved before it takes effect."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine import backing, conflicts
from aoetui.engine.api import EngineError
from aoetui.engine.links import port_refusal, refusal_for
from aoetui.engine.port_names import port_name
from aoetui.engine.snapshot import Severity
from aoetui.engine.state_edits import edited

if TYPE_CHECKING:
    from concurrent.futures import Future

    from aoetui.engine.api import AddExport, CheckAddress, SetConfigString, SetMask, SetReservation, StartExport
    from aoetui.engine.config import ConfigFile
    from aoetui.engine.core import Core
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.serving import Held
    from aoetui.engine.spec import ExportSpec

_UNDO_TIME = 1.0
"""Seconds that a refused export may wait for its disk."""


class Desk:
    """Where commands arrive. Without a config file nothing is saved."""

    def __init__(self, core: Core, config: ConfigFile | None) -> None:
        self._core = core
        self._config = config

    def load(self) -> None:
        """Take up what the config file holds, and open its enabled exports. Raises EngineError if the file is not good."""
        if self._config is None:
            return
        loaded = self._config.load()
        self._core.interfaces, self._core.queues = loaded.interfaces, loaded.queues
        self._core.acl.groups = loaded.groups
        for spec in loaded.exports:
            held = self._core.serving.hold(spec)
            if spec.enabled:
                self.reopen(held)

    def reopen(self, held: Held) -> None:
        """Open an export's backing; what is wrong with it stands as its problem."""
        with suppress(EngineError):
            self._core.serving.open(held)

    def add(self, command: AddExport) -> None:
        """Serve a new export, and save it."""
        spec, core = command.spec, self._core
        if core.serving.get(spec.address) is not None:
            raise EngineError(f"{spec.address} is one of our exports already: choose another address", field="address")
        self._refuse_interfaces(spec)
        self._learn_groups()
        if command.new_file is not None:
            backing.create(spec.path, command.new_file)
        held = core.serving.hold(spec, force=command.force)
        try:
            core.serving.open(held)
            core.serve(held)
            if self._config is not None:
                self._config.put_export(spec)
        except BaseException:
            core.serving.close(held, _UNDO_TIME)
            core.serving.forget(spec.address)
            core.reconcile()
            if command.new_file is not None:
                spec.path.unlink(missing_ok=True)
            raise
        core.admit(held)

    def start(self, command: StartExport) -> None:
        """Serve a stopped or waiting export."""
        core, held = self._core, self._find(command.address)
        if held.export is not None and held.export.fault:
            core.close(held)
        was_open = held.export is not None
        self._refuse_interfaces(held.spec)
        self._learn_groups()
        held.force = command.force
        if not was_open:
            core.serving.open(held)
        try:
            core.serve(held)
            self._enable(held, enabled=True)
        except BaseException:
            if not was_open:
                core.close(held)
            raise
        core.admit(held)

    def stop(self, address: Address) -> None:
        """Serve an export no more, and keep it."""
        held = self._find(address)
        if self._config is None or self._saves(self._config, address):
            self._enable(held, enabled=False)
        held.spec = replace(held.spec, enabled=False)
        self._core.close(held)
        self._core.events.add(Severity.INFO, str(address), "stopped")

    def delete(self, address: Address) -> None:
        """Serve an export no more, and forget it."""
        held = self._find(address)
        if self._config is not None and self._saves(self._config, address):
            self._config.remove_export(address)
        self._core.serving.forget(address)
        self._core.close(held)
        self._core.events.add(Severity.INFO, str(address), f"deleted; {held.spec.path} is left as it is")

    def set_state(self, command: SetConfigString | SetMask | SetReservation, future: Future[None]) -> None:
        """Change config string, mask list or reservation; the export's own thread does it in its turn."""
        export = self._find(command.address).export
        if export is None:
            raise EngineError(f"{command.address} is not open: start it, then change it", field="address")
        export.edit(lambda facts: edited(command, facts), future)

    def choose(self, interfaces: tuple[str, ...]) -> None:
        """Scan on these interfaces."""
        links = self._core.links.current()
        for name in interfaces:
            if name not in links:
                raise EngineError(refusal_for(name, links), field="interfaces")
        if self._config is not None:
            self._config.set_interfaces(interfaces)
        self._core.interfaces = interfaces
        self._core.settle()

    def discover(self) -> None:
        """Broadcast now."""
        chosen = self._core.interfaces
        if not chosen:
            raise EngineError("no interface is chosen for AoE: choose one on the Interfaces screen", field="interfaces")
        if not any(self._core.ports.get(name) for name in chosen):
            self._core.ports.require(chosen[0])
        self._core.scanner.discover()

    def check(self, command: CheckAddress) -> tuple[str, ...]:
        """Who else serves an address."""
        core = self._core
        if core.serving.get(command.address) is not None:
            return (f"{command.address} is one of our exports already: choose another address",)
        names = [port_name(interface, command.vlan) for interface in command.interfaces]
        core.reconcile(besides=names)
        try:
            ports = [core.ports.require(name) for name in names]
            found = core.serving.questions.ask([(port, command.address) for port in ports])
            for port in ports:
                found += conflicts.on_this_host((command.address,), port)
        finally:
            core.reconcile()
        return tuple(conflict.text for conflict in found)

    def _refuse_interfaces(self, spec: ExportSpec) -> None:
        links = self._core.links.current()
        for name in spec.interfaces:
            refusal = "" if set("*?[") & set(name) else port_refusal(port_name(name, spec.vlan), links)
            if refusal:
                raise EngineError(refusal, field="interfaces")

    def _learn_groups(self) -> None:
        """Groups of `[acl]` as the file has them now: a person may have added one. Raises ConfigError if the file is not good."""
        if self._config is not None:
            self._core.acl.groups = self._config.load().groups

    def _find(self, address: Address) -> Held:
        held = self._core.serving.get(address)
        if held is None:
            raise EngineError(f"{address} is none of our exports", field="address")
        return held

    @staticmethod
    def _saves(config: ConfigFile, address: Address) -> bool:
        """Whether the file still has the export: someone may have taken it out by hand."""
        return any(spec.address == address for spec in config.load().exports)

    def _enable(self, held: Held, *, enabled: bool) -> None:
        if held.spec.enabled != enabled:
            if self._config is not None:
                self._config.set_enabled(held.spec.address, enabled)
            held.spec = replace(held.spec, enabled=enabled)
