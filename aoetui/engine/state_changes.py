"""Config string, mask list and reservation of one export: changed in the export's thread, kept, and told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.protocol import changes
from aoetui.engine.protocol.repeats import ChangeRepeats
from aoetui.engine.shown import shown_list, shown_string
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from aoetui.engine.clock import Clock
    from aoetui.engine.current_facts import CurrentFacts
    from aoetui.engine.events import EventLog
    from aoetui.engine.jobs import Edit, Job
    from aoetui.engine.protocol.changes import Change
    from aoetui.engine.protocol.facts import TargetState
    from aoetui.engine.protocol.replies import Reply
    from aoetui.engine.state import KeptState


class StateChanges:
    """Makes changes, of the wire and of the console. A new state is answered by only once it is kept."""

    def __init__(self, facts: CurrentFacts, kept: KeptState, events: EventLog, clock: Clock) -> None:
        self._facts = facts
        self._kept = kept
        self._events = events
        self._clock = clock
        self._repeats = ChangeRepeats()

    def carry_out(self, job: Job, change: Change) -> Reply | None:
        """Change the state as an initiator asked.

        None is silence: the network repeated a frame that was answered, and it would undo what was changed since.
        """
        before = self._facts.now.state
        made = changes.carry_out(change, self._facts.now)
        if made.state != before and self._repeats.is_repeat(change, job.arrived, job.initiator.tags):
            return None
        try:
            self._become(made.state)
        except EngineError as error:
            self._say(Severity.WARNING, f"{job.initiator.mac} changed nothing: {error}")
            return changes.not_kept(change, self._facts.now)
        if made.state != before or not made.reply.error:
            self._repeats.carried_out(change, self._clock.monotonic())
        self._tell(before, f"{job.initiator.mac} on {job.port.interface}")
        return made.reply

    def edit(self, edit: Edit) -> None:
        """Change the state as a person asked."""
        before = self._facts.now.state
        try:
            self._become(edit.act(self._facts.now))
        except EngineError as error:
            edit.future.set_exception(error)
        else:
            self._tell(before, "this console")
            edit.future.set_result(None)

    def _become(self, state: TargetState) -> None:
        """Keep a new state, then answer by it. Raises EngineError; then the old one stands."""
        if state != self._facts.now.state:
            self._kept.keep(state)
            self._facts.change(lambda facts: facts.with_state(state))

    def _tell(self, before: TargetState, who: str) -> None:
        """Say what was changed, and by whom: a mask list or a reservation shuts others out."""
        after = self._facts.now.state
        if after.config_string != before.config_string:
            self._say_set("config string", shown_string(after.config_string), who)
        if after.mask != before.mask:
            self._say_set("mask list", shown_list(after.mask), who)
        if after.reservation != before.reservation:
            self._say_set("reservation", shown_list(after.reservation), who)

    def _say_set(self, name: str, value: str, who: str) -> None:
        self._say(Severity.INFO, f"{name} {f'set to {value}' if value else 'cleared'} by {who}")

    def _say(self, severity: Severity, text: str) -> None:
        self._events.add(severity, str(self._facts.now.address), text)
