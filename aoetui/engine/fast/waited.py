"""How long requests waited for their replies: the same steps as latency.py."""

from __future__ import annotations

from aoetui.engine.fast.compiler import compiled
from aoetui.engine.fast.tables import STEPS, Tables


@compiled
def step_of(nanoseconds: int) -> int:
    """The step of a latency histogram. See latency._step."""
    microseconds = nanoseconds // 1000
    if microseconds < 4:
        return max(0, microseconds)
    bits = 0
    rest = microseconds
    while rest:
        rest >>= 1
        bits += 1
    step = 4 * (bits - 2) + (microseconds >> (bits - 3) & 3)
    return min(STEPS - 1, step)


@compiled
def note_wait(t: Tables, initiator: int, export: int, is_read: bool, nanoseconds: int) -> None:
    """One request of an initiator waited so long."""
    step = step_of(nanoseconds)
    t.latencies[initiator, step] += 1
    t.export_latencies[export, step + (0 if is_read else STEPS)] += 1
