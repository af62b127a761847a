"""What an answered write is worth, in a word and in a sentence: shown wherever an export is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from aoetui.engine.spec import ExportSpec

RISKS = {
    (Durability.CACHED, False): "a power cut here can lose answered writes",
    (Durability.DURABLE, False): "slower; an answered write is on stable storage",
    (Durability.CACHED, True): "past the page cache; a power cut can lose what the disk's own cache holds",
    (Durability.DURABLE, True): "past the page cache; an answered write is on stable storage",
}
"""By durability and direct."""


def mode_word(spec: ExportSpec) -> str:
    """`cached`, `durable`, `direct` or `direct+dur`; `read-only` where no write is answered at all. At most 10 columns."""
    if spec.read_only:
        return "read-only"
    if spec.direct:
        return "direct+dur" if spec.durability is Durability.DURABLE else "direct"
    return str(spec.durability)


def short_mode(spec: ExportSpec) -> str:
    """The same in 7 columns: of what is direct and durable too, what the answers are worth."""
    if spec.read_only:
        return "ro"
    return "direct" if mode_word(spec) == "direct" else str(spec.durability)


def mode_name(durability: Durability, *, direct: bool) -> str:
    """`cached`, `durable`, `direct` or `direct, durable`."""
    if not direct:
        return str(durability)
    return "direct, durable" if durability is Durability.DURABLE else "direct"


def mode_sentence(spec: ExportSpec) -> str:
    """`cached: a power cut here can lose answered writes`."""
    if spec.read_only:
        return "read-only: writes are refused" + (", reads go past the page cache" if spec.direct else "")
    return f"{mode_name(spec.durability, direct=spec.direct)}: {RISKS[spec.durability, spec.direct]}"
