"""Changes what a device keeps: config string, mask list, reservation. What is reported is what stands, not what was hoped.

An edit goes to each MAC that answers for the address: two vblades that serve one disk on two interfaces share no state. It is
asked again while no answer comes, which does no harm; and whatever comes of that, all is read once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.initiator.reading import paths_by_mac, read_state, state_of
from aoetui.engine.initiator.refusals import refused
from aoetui.engine.initiator.remote_device import remote_device
from aoetui.engine.protocol.changes import unique
from aoetui.engine.protocol.frames import ConfigArgument, MaskArgument, ReserveArgument
from aoetui.engine.protocol.mask_edits import applied, batches, directives_for, wanted_list
from aoetui.engine.protocol.wire import VERSION, AoeError, Command, ConfigOp, MaskError, MaskOp, ReserveOp
from aoetui.engine.shown import shown_list, shown_string
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aoetui.engine.commands.remote import (
        EditRemoteMask,
        ReadRemote,
        RemoteState,
        RemoteTarget,
        SetRemoteConfig,
        SetRemoteReservation,
    )
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.finding import TargetPath
    from aoetui.engine.initiator.remote_device import RemoteDevice
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.frames import Argument, Directive

    Paths = tuple[TargetPath, ...]


class Administration:
    """The errands that change what others' devices keep. Each method is called in a thread of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def read(self, command: ReadRemote) -> RemoteState:
        """What stands. Raises EngineError, NoAnswerError."""
        with remote_device(self._core, command.address) as device:
            return read_state(self._core, device, command.mac)

    def set_config(self, command: SetRemoteConfig) -> RemoteState:
        """Set the config string. Raises EngineError, NoAnswerError."""
        op = ConfigOp.FORCE_SET if command.force else ConfigOp.SET
        question = ConfigArgument(0, 0, 0, VERSION, op, command.string)
        with remote_device(self._core, command.address) as device:
            self._sound(device, command.mac, "config_string")
            problems = {
                mac: self._refusal(device, paths, Command.QUERY_CONFIG, question, AoeError.CONFIG_STRING_PRESENT)
                for mac, paths in paths_by_mac(device, command.mac).items()
            }
            after = read_state(self._core, device, command.mac)
        self._tell(command.address, f"config string {_set_to(shown_string(command.string))}")
        for target in after.targets:
            if target.config_string != command.string:
                raise EngineError(_config_problem(command.address, target, problems[target.mac]), field="config_string")
        return after

    def edit_mask(self, command: EditRemoteMask) -> RemoteState:
        """Edit the mask list. Raises EngineError, NoAnswerError."""
        with remote_device(self._core, command.address) as device:
            before = self._sound(device, command.mac, "mask")
            edits = [_MaskEdit(self._core, device, target, before, command) for target in before.targets]
            for edit in edits:
                if edit.locks_out and not command.force:
                    raise EngineError(_locks_out(before), field="mask")
            problems = {edit.target.mac: edit.carry_out() for edit in edits}
            told = tuple(edit.target for edit in edits if edit.locks_out and not problems[edit.target.mac])
            after = self._after(device, command.mac, before, told)
        self._tell(command.address, f"mask list {_set_to(shown_list(edits[0].wanted))}")
        for edit, target in zip(edits, after.targets, strict=True):
            if set(target.mask or ()) != set(edit.wanted):
                why = problems[target.mac] or f"{command.address} answered as if it had done it"
                raise EngineError(f"{why}; its mask list is {shown_list(target.mask or ()) or 'empty'} now", field="mask")
        return after

    def set_reservation(self, command: SetRemoteReservation) -> RemoteState:
        """Reserve the device, or release it. Raises EngineError, NoAnswerError."""
        op = ReserveOp.FORCE_SET if command.force else ReserveOp.SET
        with remote_device(self._core, command.address) as device:
            before = self._sound(device, command.mac, "reservation")
            wanted = unique(before.here if command.macs is None else command.macs)
            problems = {}
            for target in before.targets:
                if target.reservation is None:
                    text = f"{command.address} answers nothing about reservations: its program has none"
                    raise EngineError(text, field="reservation")
                paths = self._holders_first(device, target)
                question = ReserveArgument(op, wanted)
                problems[target.mac] = self._refusal(device, paths, Command.RESERVE, question, AoeError.TARGET_RESERVED)
            after = read_state(self._core, device, command.mac)
        self._tell(command.address, f"reservation {_set_to(shown_list(wanted))}")
        for target in after.targets:
            if set(target.reservation or ()) != set(wanted):
                holders = named(after, target.reservation)
                raise EngineError(_reservation_problem(command.address, holders, problems[target.mac]), field="reservation")
        return after

    def _sound(self, device: RemoteDevice, mac: Mac | None, field: str) -> RemoteState:
        """What stands. Raises EngineError where different disks answer: nobody knows which one is meant."""
        before = read_state(self._core, device, mac)
        if before.conflict:
            raise EngineError(f"nothing is changed: {before.conflict}, or name the MAC that is meant", field=field)
        return before

    def _after(self, device: RemoteDevice, mac: Mac | None, before: RemoteState, told: tuple[RemoteTarget, ...]) -> RemoteState:
        """What stands now: `told` are the targets that have shut this host out, as they said last."""
        if not told:
            return read_state(self._core, device, mac)
        by_mac = {target.mac: target for target in told}
        targets = tuple(by_mac.get(target.mac, target) for target in before.targets)
        paths = [path for each in paths_by_mac(device, mac).values() for path in each]
        return state_of(self._core, device, targets, paths)

    def _holders_first(self, device: RemoteDevice, target: RemoteTarget) -> Paths:
        """Only a holder may change a reservation: ask first over the interfaces whose MAC is one."""
        holders = set(target.reservation or ())
        return tuple(
            sorted(
                (path for path in device.paths if path.mac == target.mac),
                key=lambda path: own_mac(self._core, path) not in holders,
            )
        )

    def _refusal(
        self, device: RemoteDevice, paths: Paths, command: Command, question: Argument, later: AoeError
    ) -> str | AoeError:
        """Ask for a change; why it was refused, or nothing. Silence is no refusal yet: what stands is read afterwards.

        `later` is what stands in the way of a change: the caller names it, once it has read it.
        """
        try:
            frame = device.ask(command, question, paths=paths).frame
        except NoAnswerError as error:
            return str(error)
        match frame.header.error:
            case None:
                return ""
            case code if code == later:
                return later
            case code:
                return refused(device.address, code)

    def _tell(self, address: Address, text: str) -> None:
        """Have the scanner look at once, and the events say who did it."""
        self._core.scanner.discover()
        self._core.events.add(Severity.INFO, str(address), f"{text} was asked for by this host")


class _MaskEdit:
    """One target's mask list on its way to another. `target` is as it told last."""

    def __init__(
        self, core: Core, device: RemoteDevice, target: RemoteTarget, before: RemoteState, command: EditRemoteMask
    ) -> None:
        if target.mask is None:
            text = f"{device.address} answers nothing about mask lists: its program has none"
            raise EngineError(text, field="mask")
        self.target = target
        self._device = device
        self._paths = tuple(path for path in device.paths if path.mac == target.mac)
        self.wanted = wanted_list(target.mask, add=command.add, delete=command.delete, replace=command.replace)
        own = {mac for path in self._paths if (mac := own_mac(core, path)) is not None}
        self.locks_out = bool(self.wanted) and not own & set(self.wanted)
        self._limit = before.limits.mask
        directives = directives_for(target.mask, self.wanted, limit=self._limit, own=own)
        self._batches = batches(directives, most=max(1, self._limit), own=own)

    def carry_out(self) -> str:
        """Send all that is to be changed; why not all was, or nothing."""
        for batch in self._batches:
            expected = applied(self.target.mask or (), batch)
            if problem := self._send(batch):
                return problem
            if frozenset(self.target.mask or ()) != expected:
                break  # it does not do what it answers: go no further
        return ""

    def _send(self, batch: Sequence[Directive]) -> str:
        question = MaskArgument(MaskOp.EDIT, 0, len(batch), tuple(batch))
        try:
            frame = self._device.ask(Command.MAC_MASK, question, paths=self._paths).frame
        except NoAnswerError as error:
            return str(error)
        said = frame.argument
        if frame.header.error is not None or not isinstance(said, MaskArgument):
            return refused(self._device.address, frame.header.error)
        if said.error:
            return _failed(self._device.address, said, batch)
        self.target = replace(self.target, mask=tuple(line.mac for line in said.directives))
        return ""


def own_mac(core: Core, path: TargetPath) -> Mac | None:
    """This host's MAC on a path; None if its port is gone."""
    port = core.ports.get(path.port)
    return None if port is None else port.facts.mac


def named(state: RemoteState, macs: Collection[Mac] | None) -> str:
    """MACs and who they are: `52:54:00:a0:e0:01 (this host, eth1), 52:54:00:a0:e0:02 and 3 more`."""
    found = [f"{mac} ({who})" if (who := state.who(mac)) else str(mac) for mac in macs or ()]
    return shown_list(found) or "nobody"


def _failed(address: Address, said: MaskArgument, batch: Sequence[Directive]) -> str:
    """A sentence on the directive at which an edit stopped. Those before it stay done (AoEr11, section 3.3)."""
    which = batch[said.count].mac if said.count < len(batch) else f"number {said.count}"
    match said.error:
        case MaskError.LIST_FULL:
            return f"the mask list of {address} is full: {which} was not added"
        case MaskError.BAD_DIRECTIVE:
            return f"{address} does not understand what is to become of {which} on its mask list"
        case code:
            return f"{address} did not change its mask list at {which} (error {code})"


def _config_problem(address: Address, target: RemoteTarget, problem: str | AoeError) -> str:
    stands = shown_string(target.config_string)
    if isinstance(problem, AoeError):
        return f"{address} has the config string {stands} already: set it by force to replace it"
    return f"{problem or f'{address} answered, and did not do it'}; its config string is {stands or 'empty'} now"


def _reservation_problem(address: Address, holders: str, problem: str | AoeError) -> str:
    if isinstance(problem, AoeError):
        return f"{address} is reserved for {holders}: have it released there, or take it by force"
    return f"{problem or f'{address} answered, and did not do it'}; it is reserved for {holders} now"


def _locks_out(before: RemoteState) -> str:
    own = ", ".join(f"{mac} ({before.who(mac)})" for mac in before.here)
    return (
        f"that would shut this host out of {before.address}: it would answer {own} no more, not even to undo it;"
        " put one of these on the list, or do it by force"
    )


def _set_to(value: str) -> str:
    return f"set to {value}" if value else "cleared"
