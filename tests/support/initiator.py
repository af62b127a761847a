"""A plain initiator for tests: one request at a time over a real packet socket, answers matched by tag."""

from __future__ import annotations

import itertools
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import BROADCAST_MAC, Address
from aoetui.engine.protocol.frames import (
    AtaArgument,
    ConfigArgument,
    Directive,
    Frame,
    MaskArgument,
    ReserveArgument,
    config_request,
    decode,
    encode,
)
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import SECTOR, VERSION, AtaFlag, AtaOp, Command, ConfigOp, DirectiveOp, MaskOp, ReserveOp
from tests.support.waiting import DEADLINE
from tests.support.wires import next_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.frames import Argument
    from tests.support.netns import Namespace


class InitiatorWire(Protocol):
    """What an initiator needs of a link."""

    mac: Mac

    def send(self, frames: Sequence[bytes], /) -> int:
        """Send in order."""
        ...

    def receive(self, timeout: float, /) -> list[bytes]:
        """Frames that came, or none in time."""
        ...


class Initiator:
    """Asks one target. `target` is learnt from `find`."""

    def __init__(self, wire: InitiatorWire, address: Address) -> None:
        self.wire = wire
        self.address = address
        self.target = BROADCAST_MAC
        self._tags = itertools.count(1)

    def find(self) -> Frame:
        """Ask by broadcast for the address, and note the MAC that answers."""
        tag = next(self._tags)
        self.wire.send([config_request(source=self.wire.mac, address=self.address, tag=tag)])
        answer = self._answer(tag)
        self.target = answer.header.source
        return answer

    def ata(self, op: AtaOp, lba: int = 0, count: int = 1, data: bytes = b"") -> AtaArgument:
        """Carry out one ATA command, and return its answer."""
        tag = next(self._tags)
        self.wire.send([self.request(op, lba, count, data, tag)])
        argument = self._answer(tag).argument
        assert isinstance(argument, AtaArgument)
        return argument

    def request(self, op: AtaOp, lba: int, count: int, data: bytes, tag: int) -> bytes:
        """One ATA request frame."""
        flags = AtaFlag.EXTENDED | (AtaFlag.WRITE if data else AtaFlag(0))
        return self.frame(Command.ATA, AtaArgument(int(flags), 0, count, op, lba, data), tag)

    def frame(self, command: Command, argument: Argument, tag: int) -> bytes:
        """A request of any command."""
        header = Header(
            destination=self.target,
            source=self.wire.mac,
            version=VERSION,
            response=False,
            error=None,
            shelf=self.address.shelf,
            slot=self.address.slot,
            command=command,
            tag=tag,
        )
        return encode(Frame(header, argument))

    def ask(self, command: Command, argument: Argument) -> Frame:
        """Send one request of any command, and return its answer."""
        tag = next(self._tags)
        self.wire.send([self.frame(command, argument, tag)])
        return self._answer(tag)

    def config(self, op: ConfigOp, string: bytes = b"") -> Frame:
        """Read, set or compare the config string."""
        return self.ask(Command.QUERY_CONFIG, ConfigArgument(0, 0, 0, VERSION, op, string))

    def mask(self, *, add: Sequence[Mac] = (), delete: Sequence[Mac] = ()) -> Frame:
        """Edit the mask list; or read it, if there is nothing to edit."""
        lines = [Directive(DirectiveOp.ADD, mac) for mac in add] + [Directive(DirectiveOp.DELETE, mac) for mac in delete]
        op = MaskOp.EDIT if lines else MaskOp.READ
        return self.ask(Command.MAC_MASK, MaskArgument(op, 0, len(lines), tuple(lines)))

    def reserve(self, op: ReserveOp, *macs: Mac) -> Frame:
        """Read the reservation, or set it."""
        return self.ask(Command.RESERVE, ReserveArgument(op, macs))

    def write(self, lba: int, data: bytes) -> int:
        """Write whole sectors; returns the ATA status."""
        return self.ata(AtaOp.WRITE_EXT, lba, len(data) // SECTOR, data).op_or_status

    def read(self, lba: int, count: int) -> bytes:
        """Read sectors."""
        return bytes(self.ata(AtaOp.READ_EXT, lba, count).data)[: count * SECTOR]

    def heard(self) -> list[Frame]:
        """What comes in: waits for at least one frame."""
        return self.decoded(next_frames(self.wire))

    @staticmethod
    def decoded(frames: list[bytes]) -> list[Frame]:
        """Each frame as a value."""
        return [decode(frame) for frame in frames]

    def answers(self, tags: Sequence[int]) -> list[Frame]:
        """The answers to these tags, in the order in which they came; a tag that stands twice is answered twice."""
        missing, found = list(tags), list[Frame]()
        end = time.monotonic() + DEADLINE
        while missing:
            # Nothing may have come but frames to others, which the wire refuses.
            assert time.monotonic() < end, f"no answer to the tags {missing}"
            for frame in self.decoded(self.wire.receive(0.05)):
                if frame.header.response and frame.header.tag in missing:
                    missing.remove(frame.header.tag)
                    found.append(frame)
        return found

    def meanwhile(self) -> list[Frame]:
        """Every answer that came until one to a new question is there: what has not come by then was not sent before it."""
        tag = next(self._tags)
        self.wire.send([config_request(source=self.wire.mac, destination=self.target, address=self.address, tag=tag)])
        heard: list[Frame] = []
        end = time.monotonic() + DEADLINE
        while not any(frame.header.tag == tag for frame in heard):
            assert time.monotonic() < end, f"no answer to tag {tag}"
            heard += [frame for frame in self.decoded(self.wire.receive(0.05)) if frame.header.response]
        return [frame for frame in heard if frame.header.tag != tag]

    def _answer(self, tag: int) -> Frame:
        return self.answers([tag])[0]


@contextmanager
def initiator(namespace: Namespace, link: str, address: str = "e9.1") -> Iterator[Initiator]:
    """An initiator on a link of a namespace."""
    wire = namespace.run(lambda: PacketSocket(link))
    with closing(wire):
        yield Initiator(wire, Address.parse(address))
