"""Reads or writes many sectors of one device over all of its paths: windows, round trips, repetition, failover.

The caller hands in answers and times, sends what `outgoing` gives for each port, and calls `handle_timer` when `timer` says so.
Each repetition has a tag of its own, and an answer to any tag of a request counts: so each answer measures its own round trip.
No request is begun twice for the same sectors by one transfer, and a write is repeated with the same data: a copy of it that the
network delivers late finds that data there already, as long as nobody else has written meanwhile.
"""

from __future__ import annotations

import struct
from collections import deque
from itertools import filterfalse
from typing import TYPE_CHECKING

from aoetui.engine.protocol.ata import parse_identify
from aoetui.engine.protocol.frames import identify_request
from aoetui.engine.protocol.header import FLAG_ERROR
from aoetui.engine.protocol.transfer_check import DiskCheck
from aoetui.engine.protocol.transfer_failures import Failure, Fault
from aoetui.engine.protocol.transfer_path import DEAF_AFTER, FIRST_TIMEOUT, PathFacts, Request, TransferPath
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR, VERSION, AoeError, AtaError, AtaFlag, AtaOp, AtaStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.ata import Identity
    from aoetui.engine.protocol.transfer_work import Work

PATIENCE = 180.0
"""Seconds without an answer to any request after which a transfer gives up, as Linux does (aoe_deadsecs)."""
PROBE_EVERY = 1.0
MAX_BAD = 10_000
"""Ranges of bad sectors that are told apart; with more of them the disk is taken for dead."""
MOST_ABORTED = 4096
"""Sectors that a device may abort before it has read one: with more it is taken for one that reads nothing."""

_FAILED = int(AtaStatus.BSY | AtaStatus.DF | AtaStatus.DRQ | AtaStatus.ERR)
_ANSWER = struct.Struct("<6x14s4sBBBBI")
"""Source to command, tag, flags, error, sector count, status, low half of the LBA."""
_TAG = struct.Struct(">I")
_REQUEST = struct.Struct("<20s4sBBBBIH2x")
_PADDED = struct.Struct("<20s4sBBBBIH2x24x")
_LBA28_DEVICE = 0xE000_0000
"""Linux fills the device byte so (aoecmd.c, put_lba)."""


class Transfer:
    """See the module. For one thread. Every `now` is in seconds of one clock that never goes back.

    `data` gives the bytes of sectors to write, by LBA and count; without it they are read. `identity` is who the device is: each
    path has to say the same now and then, and before it is used again after a silence.
    """

    def __init__(
        self,
        address: Address,
        paths: Sequence[PathFacts],
        work: Work,
        *,
        identity: Identity,
        tags: Iterator[int],
        now: float,
        data: Callable[[int, int], bytes] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.address = address
        self.paths = [TransferPath(facts, address, now) for facts in paths]
        self.failure: Fault | None = None
        self.bad: list[tuple[int, int]] = []
        """Sectors that cannot be read, as start and end, in the order in which that was found."""
        self.delivered: list[tuple[int, int, bytes]] = []
        """LBA, sectors, and the whole frame, whose data follows ATA_HEADER; of a write it is empty. The caller empties it."""
        self.latencies: list[float] | None = None
        """Where set, the seconds from each request's first sending to its answer are noted there."""
        self.reached = 0
        """The sector behind the last that was ever asked for or written."""
        self.ignored = 0
        """Frames that were no answer to anything that was asked, or not whole."""
        self._identity = identity
        self._work = work
        self._data = data
        self._patience = patience
        self._moved = now
        self._echoes: bool | None = None
        """Whether answers tell the LBA, learned from the first of another than 0: by it old ones whose tags come again fail."""
        self._queue: deque[Request] = deque()
        self._by_tag: dict[bytes, Request] = {}
        # Tags come again after a million, which a request may outlive that its target does not answer.
        self._tags = filterfalse(self._by_tag.__contains__, map(_TAG.pack, tags))
        self._check = DiskCheck(now, work.left())
        extended = identity.lba48
        flags = AtaFlag.EXTENDED if extended else AtaFlag(0)
        self._extended = extended
        if data is None:
            self._op, self._flags = (AtaOp.READ_EXT if extended else AtaOp.READ), int(flags)
        else:
            self._op, self._flags = (AtaOp.WRITE_EXT if extended else AtaOp.WRITE), int(flags | AtaFlag.WRITE)

    # ---- what the caller asks

    @property
    def ended(self) -> bool:
        """Whether all is done, or nothing more will be."""
        return self.failure is not None or (self._all_done() and self._check.finished(self.paths))

    def _all_done(self) -> bool:
        return not self._by_tag and all(each.done for each in self._queue) and not self._work.left()

    @property
    def under_way(self) -> int:
        """Requests that wait for an answer."""
        return sum(len(path.outstanding) for path in self.paths)

    def remaining(self) -> list[tuple[int, int]]:
        """What is not done, as starts and ends, sorted and joined. Of these sectors some may be written nevertheless.

        Where another disk was found, that is all that was not done when each path was last known to lead to the right one.
        """
        if self.failure is not None and self.failure.failure is Failure.OTHER_DISK:
            return self._check.remaining
        undone = {id(request): request for request in (*self._by_tag.values(), *self._queue) if not request.done}
        ranges = sorted([*((each.lba, each.lba + each.count) for each in undone.values()), *self._work.left()])
        joined: list[tuple[int, int]] = []
        for start, end in ranges:
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined

    def outgoing(self, now: float) -> list[tuple[str, list[bytes]]]:
        """Requests to send, by port. Raises what `data` raises."""
        sending: list[tuple[str, list[bytes]]] = []
        if self.failure is not None:
            return sending
        self._check.ask(self.paths, self.remaining, now)
        for path in self.paths:
            if path.aside:
                frames = [self._probe(path, now)] if path.probe_at <= now and not path.foreign else []
            else:
                frames = [self._question(path, now)] if path.probe_due and path.room > 0 else []
                frames += self._requests(path, now)
            if frames:
                sending.append((path.port, frames))
        return sending

    def timer(self) -> float | None:
        """When `handle_timer` is due, and `outgoing` may have something that no answer brought about."""
        times = [self._moved + self._patience, self._check.at]
        for path in self.paths:
            if path.probe_until is not None:
                times.append(path.probe_until)
            if path.aside:
                times.append(path.probe_at)
            elif path.outstanding:
                oldest = next(iter(path.outstanding.values()))
                times.append(min(oldest.sent + path.timeout, path.silent_since + DEAF_AFTER))
        return None if self.ended else min(times)

    def handle_timer(self, now: float) -> None:
        """Take for lost what was not answered in time; harmless when nothing is due."""
        self._check.handle_timer(now)
        for path in self.paths:
            path.try_full_frames(now)
            if path.probe_until is not None and path.probe_until <= now:
                path.probe_until = None
            if path.aside or not path.outstanding:
                continue
            for request in path.overdue(now):
                path.lose(request, now)
                self._again(request)
            if path.silent_since + DEAF_AFTER <= now:
                self._set_aside(path, now)
        if self._moved + self._patience <= now and self.failure is None and not self._all_done():
            self._fail(Fault(Failure.NO_ANSWER))

    def port_lost(self, port: str, now: float) -> None:
        """Nothing can be sent there now: its requests go to other paths at once, and it is probed until it is back."""
        for path in self.paths:
            if path.port == port and not path.aside:
                self._set_aside(path, now)
                path.probe_at = now + PROBE_EVERY

    def link_is(self, port: str, mac: Mac, sector_count: int) -> None:
        """The port's MAC and the sectors that its frames carry, as they are now."""
        for path in self.paths:
            if path.port == port:
                path.link_is(mac, sector_count)

    # ---- answers

    def receive(self, heard: Iterable[tuple[str, bytes]], now: float) -> None:
        """Take frames, each with its port; whatever is no answer to a request is ignored."""
        by_tag, delivered, reads, latencies = self._by_tag, self.delivered, self._data is None, self.latencies
        counts: dict[TransferPath, int] = {}
        for port, frame in heard:
            try:
                sound, tag, _, _, _, status, low = _ANSWER.unpack_from(frame)
            except struct.error:
                self.ignored += 1
                continue
            request = by_tag.get(tag)
            if (
                request is None
                or request.older is not None
                or sound != request.path.sound
                or status & _FAILED
                or low != request.low
                or len(frame) < request.length
                or port != request.path.port
            ):
                self._odd(port, frame, tag, now)
                continue
            del by_tag[tag]
            path = request.path
            if path.outstanding.pop(tag, None) is None:
                self._unqueue(request)
            request.done = True
            if path not in counts:
                path.measure(now - request.sent)
                counts[path] = 0
                if low:
                    self._echoes = True
            counts[path] += 1
            path.newest = max(path.newest, request.sent)
            path.sectors += request.count
            delivered.append((request.lba, request.count, frame if reads else b""))
            if latencies is not None:
                latencies.append(now - request.begun)
        for path, count in counts.items():
            self._moved = now
            path.answered(count, now)
            self._find_overtaken(path, now)
        if not by_tag and self._all_done():
            self._check.finish(now)

    def _find_overtaken(self, path: TransferPath, now: float) -> None:
        for request in path.overtaken(now):
            path.lose(request, now)
            self._again(request)

    def _odd(self, port: str, frame: bytes, tag: bytes, now: float) -> None:
        """An answer that is not the plain one: to a request sent again, with an error, to a probe, or nobody's."""
        request = self._by_tag.get(tag)
        if request is None:
            self._take_probe(port, frame, tag, now)
            return
        path = request.path if tag == request.tag else (request.older or {})[tag]
        if not _comes_from(path, port, frame):
            self.ignored += 1
            return
        path.heard = now
        if frame[14] & FLAG_ERROR:
            self._aoe_error(request, path, frame[15])
        elif len(frame) < ATA_HEADER:
            self.ignored += 1
        elif frame[27] & _FAILED:
            self._ata_error(request, frame[25], now)
        elif len(frame) < request.length or not self._tells_lba(request, frame):
            self.ignored += 1
        else:
            self._late(request, path, tag, frame, now)

    def _tells_lba(self, request: Request, frame: bytes) -> bool:
        """Whether it is no answer of long ago, whose tag is used again. Targets copy the LBA back, though none has to."""
        if int.from_bytes(frame[28:32], "little") & 0x0FFF_FFFF == request.low & 0x0FFF_FFFF:
            return True
        if self._echoes is None:
            self._echoes = False
        return not self._echoes

    def _late(self, request: Request, path: TransferPath, tag: bytes, frame: bytes, now: float) -> None:
        """A sound answer to a request that may have been sent several times."""
        if tag == request.tag:
            path.measure(now - request.sent)
            path.newest = max(path.newest, request.sent)
        else:
            path.tolerate()
        self._finish(request)
        self._moved = now
        path.answered(1, now)
        path.sectors += request.count
        self.delivered.append((request.lba, request.count, frame if self._data is None else b""))
        if self.latencies is not None:
            self.latencies.append(now - request.begun)
        self._find_overtaken(path, now)

    def _take_probe(self, port: str, frame: bytes, tag: bytes, now: float) -> None:
        path = next((each for each in self.paths if each.probe == tag), None)
        if path is None or not _comes_from(path, port, frame):
            self.ignored += 1
            return
        path.probe_until = None
        if frame[14] & FLAG_ERROR or len(frame) < ATA_HEADER + SECTOR or frame[27] & _FAILED:
            self.ignored += 1
            return
        page = parse_identify(memoryview(frame)[ATA_HEADER:])
        if (page.model, page.serial) != (self._identity.model, self._identity.serial):
            path.foreign = True
            if path.unsure or all(each.foreign for each in self.paths):
                self._fail(Fault(Failure.OTHER_DISK))
        elif page.sectors < self._identity.sectors and any(end > page.sectors for _, end in self.remaining()):
            self._fail(Fault(Failure.SHRUNK, page.sectors))
        else:
            self._check.confirmed(path, self.paths)
            if path.aside:
                path.revive(now)

    # ---- errors

    def _aoe_error(self, request: Request, path: TransferPath, code: int) -> None:
        if code == AoeError.BAD_ARGUMENT and request.count > 1:
            # The target's MTU was cut: it takes less than it said.
            path.most_sectors = max(1, request.count // 2)
            self._split(request, path.most_sectors)
            return
        kinds = {AoeError.TARGET_RESERVED: Failure.RESERVED, AoeError.DEVICE_UNAVAILABLE: Failure.UNAVAILABLE}
        known = kinds.get(AoeError(code)) if code in set(AoeError) else None
        self._fail(Fault(known or Failure.PROTOCOL, request.lba, request.count, code))

    def _ata_error(self, request: Request, error: int, now: float) -> None:
        self._moved = now
        if error & AtaError.IDNF:
            self._fail(Fault(Failure.BEYOND_END, request.lba, request.count, error))
        elif error & AtaError.ABRT and not error & AtaError.UNC and not self._may_be_bad():
            self._fail(Fault(Failure.REFUSED, request.lba, request.count, error))
        elif self._data is not None:
            self._fail(Fault(Failure.BAD_SECTORS, request.lba, request.count, error))
        elif request.count > 1:
            self._split(request, 1)
        else:
            self._finish(request)
            self._add_bad(request.lba)

    def _may_be_bad(self) -> bool:
        """Whether ABRT may tell of bad sectors: vblade reads them so. A device that has read something knows the command."""
        if self._data is not None:
            return False
        return any(path.answers for path in self.paths) or sum(end - start for start, end in self.bad) < MOST_ABORTED

    def _add_bad(self, lba: int) -> None:
        if self.bad and self.bad[-1][1] == lba:
            self.bad[-1] = (self.bad[-1][0], lba + 1)
        else:
            self.bad.append((lba, lba + 1))
            if len(self.bad) > MAX_BAD:
                self._fail(Fault(Failure.BAD_SECTORS, lba, 1))

    def _fail(self, fault: Fault) -> None:
        if self.failure is None:
            self.failure = fault

    # ---- requests

    def _requests(self, path: TransferPath, now: float) -> list[bytes]:
        room = path.room
        if room <= 0:
            return []
        frames: list[bytes] = []
        most, by_tag, outstanding, pack_padded = path.sector_count, self._by_tag, path.outstanding, _PADDED.pack
        head, op, flags, data = path.head, self._op, self._flags, self._data
        device = 0 if self._extended else _LBA28_DEVICE
        if not outstanding and not path.backoff:
            path.waiting_since = now
        requests = self._next_requests(most, room, now)
        try:
            for request, tag in zip(requests, self._tags, strict=False):
                request.tag, request.path = tag, path
                by_tag[tag] = outstanding[tag] = request
                lba, count = request.lba, request.count
                if data is None:
                    frames.append(pack_padded(head, tag, flags, 0, count, op, request.low | device, lba >> 32))
                else:
                    frames.append(
                        _REQUEST.pack(head, tag, flags, 0, count, op, request.low | device, lba >> 32) + data(lba, count)
                    )
        except BaseException:
            self._queue += requests[len(frames) + 1 :]  # what was to follow is still to be done
            raise
        path.requests += len(frames)
        return frames

    def _next_requests(self, most: int, room: int, now: float) -> list[Request]:
        """What is to be sent again, then what is next, at most `room`."""
        found: list[Request] = []
        while self._queue and len(found) < room:
            request = self._queued(most)
            if request is not None:
                request.sent = now
                found.append(request)
        pieces = self._work.take(most, room - len(found)) if len(found) < room else []
        if pieces:
            self.reached = max(self.reached, sum(pieces[-1]))
            data = 0 if self._data is not None else SECTOR
            found += [Request(lba, count, ATA_HEADER + data * count, now) for lba, count in pieces]
        return found

    def _queued(self, most: int) -> Request | None:
        """The next that is to be sent again, in parts if this path carries less."""
        while self._queue:
            request = self._queue.popleft()
            if request.done:
                continue
            if request.count > most:
                self._split(request, most)
                continue
            self._by_older(request)
            return request
        return None

    def _by_older(self, request: Request) -> None:
        """Its last tag is one of its older ones from now on."""
        if request.tag:
            request.older = {**(request.older or {}), request.tag: request.path}

    def _again(self, request: Request) -> None:
        if not request.done:
            self._queue.append(request)

    def _unqueue(self, request: Request) -> None:
        """It was answered while it waited to be sent again."""
        request.path.tolerate()
        self._queue.remove(request)

    def _split(self, request: Request, most: int) -> None:
        """Ask for its sectors in parts of at most `most`, next of all; answers to the whole do not count any more."""
        self._finish(request)
        for lba in reversed(range(request.lba, request.lba + request.count, most)):
            count = min(most, request.lba + request.count - lba)
            length = ATA_HEADER + (SECTOR * count if self._data is None else 0)
            self._queue.appendleft(Request(lba, count, length, request.begun))

    def _finish(self, request: Request) -> None:
        """Forget its tags; where it waits in the queue, it is left out there."""
        request.done = True
        for tag in (request.tag, *(request.older or ())):
            self._by_tag.pop(tag, None)
        if request.tag:
            request.path.outstanding.pop(request.tag, None)

    def _probe(self, path: TransferPath, now: float) -> bytes:
        """An IDENTIFY: it changes nothing, however late it is delivered."""
        path.probe, path.probe_at = next(self._tags), now + PROBE_EVERY
        tag = int.from_bytes(path.probe)
        return identify_request(source=path.source, destination=path.facts.target, address=self.address, tag=tag)

    def _question(self, path: TransferPath, now: float) -> bytes:
        """A probe of a path in use, in the place of a request."""
        path.probe_due, path.probe_until = False, now + min(path.timeout, FIRST_TIMEOUT)
        return self._probe(path, now)

    def _set_aside(self, path: TransferPath, now: float) -> None:
        for request in path.set_aside(now):
            self._again(request)


def _comes_from(path: TransferPath, port: str, frame: bytes) -> bool:
    """Whether a frame is a response of the path's target, for the device, to an ATA command."""
    flags = frame[14]
    return (
        port == path.port
        and frame[6:14] == path.sound[:8]
        and frame[16:20] == path.sound[10:]
        and flags >> 4 == VERSION
        and bool(flags & 0x08)
    )
