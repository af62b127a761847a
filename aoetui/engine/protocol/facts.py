"""What an answer needs to know: of the interface it leaves by, of the export, and what initiators may change of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import (
    CONFIG_HEADER,
    DEFAULT_FRAME_LIMIT,
    DIRECTIVE,
    MAC_LENGTH,
    MASK_HEADER,
    MAX_CONFIG_STRING,
    MAX_LIST,
    RESERVE_HEADER,
)

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac


def config_limit(frame_limit: int) -> int:
    """Bytes of the longest config string that a frame of `frame_limit` bytes holds."""
    return max(0, min(MAX_CONFIG_STRING, frame_limit - CONFIG_HEADER))


def mask_limit(frame_limit: int) -> int:
    """MACs of the longest mask list that a frame of `frame_limit` bytes holds: 185 where the MTU is 1500."""
    return max(0, min(MAX_LIST, (frame_limit - MASK_HEADER) // DIRECTIVE))


def reservation_limit(frame_limit: int) -> int:
    """MACs of the longest reservation that a frame of `frame_limit` bytes holds: 248 where the MTU is 1500."""
    return max(0, min(MAX_LIST, (frame_limit - RESERVE_HEADER) // MAC_LENGTH))


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What an answer needs to know of the interface it leaves by."""

    mac: Mac
    sector_count: int
    """Advertised there: the most sectors of one frame, 0 to 255."""
    frame_limit: int = DEFAULT_FRAME_LIMIT
    """Bytes of the longest frame there."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """What initiators may change over the wire. It outlives a restart."""

    config_string: bytes = b""
    """At most 1024 bytes."""
    mask: tuple[Mac, ...] = ()
    """Where not empty, the only initiators that are answered; at most 255, none twice."""
    reservation: tuple[Mac, ...] = ()
    """Where not empty, the only initiators whose ATA commands are carried out; at most 255, none twice."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who is answered at all, as the config says. Protects from accidents: a MAC can be forged."""

    deny: frozenset[Mac] = frozenset()
    accept: frozenset[Mac] | None = None
    """None: everybody. An empty set: nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFacts:
    """What an answer needs to know of the export."""

    address: Address
    sectors: int
    """Of 512 bytes, from 1."""
    identify: bytes
    """The IDENTIFY page, 512 bytes."""
    read_only: bool
    buffer_count: int
    """Advertised, 2 to 65535."""
    policy: AccessPolicy = field(default_factory=AccessPolicy)
    state: TargetState = field(default_factory=TargetState)
    frame_limit: int = DEFAULT_FRAME_LIMIT
    """Bytes of the longest frame that all of its interfaces carry: every list and string must fit a reply on each of them."""
    masked: frozenset[Mac] = frozenset()
    """`state.mask`, to look a MAC up in."""
    holders: frozenset[Mac] = frozenset()
    """`state.reservation`, to look a MAC up in."""

    @property
    def config_limit(self) -> int:
        """Bytes that the config string may have."""
        return config_limit(self.frame_limit)

    @property
    def mask_limit(self) -> int:
        """MACs that the mask list may hold: 185 where the MTU is 1500."""
        return mask_limit(self.frame_limit)

    @property
    def reservation_limit(self) -> int:
        """MACs that a reservation may hold: 248 where the MTU is 1500."""
        return reservation_limit(self.frame_limit)

    def with_state(self, state: TargetState) -> ExportFacts:
        """The same export with another state."""
        return replace(self, state=state, masked=frozenset(state.mask), holders=frozenset(state.reservation))
