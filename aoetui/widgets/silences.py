"""Why requests were not answered, in words."""

from __future__ import annotations

from aoetui.engine.snapshot import Silence

MEANINGS = {
    Silence.MALFORMED: "that are no AoE, or shorter than their own fields say",
    Silence.NOT_A_REQUEST: "that are answers of other targets",
    Silence.WRONG_VERSION: "of another version of AoE than 1",
    Silence.BAD_SOURCE: "from a source that no answer can reach",
    Silence.NOT_TO_US: "sent to another MAC",
    Silence.NOT_OURS: "for a shelf or slot that is not served here",
    Silence.DENIED: "from MACs on a deny list",
    Silence.NOT_ACCEPTED: "from MACs that an accept list does not hold",
    Silence.MASKED: "from MACs that a mask list does not hold",
    Silence.WILDCARD_ATA: "that read or write every disk at once",
    Silence.CONFIG_MISMATCH: "that ask for another config string",
}
"""Goes on after `3 frames`."""

LISTS = {
    Silence.DENIED: "on the deny list",
    Silence.NOT_ACCEPTED: "not on the accept list",
    Silence.MASKED: "not on the mask list",
}
"""What refused a MAC."""


def refusing_list(why: Silence) -> str:
    """Which list refused a MAC; another reason in its own words."""
    return LISTS.get(why, str(why))
