"""What a compiled loop knows of a write whose tag it has met before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """The last write that it met with that tag."""

    since: int
    """When it was executed: nanoseconds of the monotonic clock."""
    is_executed: bool
    """It is the very write that was asked about; False: another."""
