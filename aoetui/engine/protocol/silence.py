"""Why a frame is not answered."""

from __future__ import annotations

from enum import StrEnum


class Silence(StrEnum):
    """Each is counted: on the interface, or on the export it was for."""

    MALFORMED = "malformed"
    """Not AoE, or shorter than its own fields say."""
    NOT_A_REQUEST = "not a request"
    """The response flag is set: two targets that answered such frames would never stop."""
    WRONG_VERSION = "wrong version"
    BAD_SOURCE = "bad source"
    """A multicast or all-zero source, which no answer can reach."""
    NOT_TO_US = "not to us"
    """Sent neither to this port's MAC nor to broadcast."""
    NOT_OURS = "not ours"
    """For another shelf or slot."""
    DENIED = "denied"
    """The deny list holds the requester."""
    NOT_ACCEPTED = "not accepted"
    """There is an accept list, and it does not hold the requester."""
    MASKED = "masked"
    """There is a mask list, and it does not hold the requester."""
    WILDCARD_ATA = "wildcard ATA"
    """An ATA command other than IDENTIFY and CHECK POWER to every shelf or slot: a write would reach every disk."""
    CONFIG_MISMATCH = "config string mismatch"
    """A test of the config string that is not met: silence is its answer (AoEr11, section 3.2)."""
