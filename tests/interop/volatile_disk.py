"""A disk for a guest whose write cache forgets: what the guest has not flushed is lost with the power, or half of it is.

qemu's own disks are not such: what a guest has written outlives a killed qemu in this host's page cache, flushed or not. This one
is served to qemu as a network block device (NBD's doc/proto.md: fixed newstyle negotiation, simple replies).
"""

from __future__ import annotations

import contextlib
import enum
import os
import random
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from io import BufferedReader

SECTOR = 512
NEWSTYLE, OPTION, OPTION_REPLY = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
FIXED_NEWSTYLE, HAS_FLAGS, SEND_FLUSH = 1, 1, 4
GO, ACK, INFO, UNSUPPORTED = 7, 1, 3, (1 << 31) + 1
REPLY = 0x67446698


class Request(enum.IntEnum):
    """What qemu asks. Anything else ends the session, as NBD_CMD_DISC does."""

    READ = 0
    WRITE = 1
    FLUSH = 3


class VolatileDisk:
    """A disk of zeros. `stable` is the file that holds what would be on the medium."""

    def __init__(self, size: int) -> None:
        """`size` is in bytes, whole sectors."""
        self._folder = tempfile.TemporaryDirectory()
        self.stable = Path(self._folder.name) / "stable.img"
        self._size = size
        self._medium = os.open(self.stable, os.O_RDWR | os.O_CREAT)
        os.truncate(self._medium, size)
        self._unflushed: dict[int, bytes] = {}
        self._requests_left: int | None = None
        self.stopped = threading.Event()
        """Set when the power has gone after the requests that `stop_after` gave it."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder.name) / "nbd"))
        self._listener.listen()
        self._server = threading.Thread(target=self._serve)
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):  # it was shut down before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._server.join()
        self._listener.close()
        os.close(self._medium)
        self._folder.cleanup()

    @property
    def file(self) -> str:
        """What qemu takes as `file=`."""
        return f"nbd:unix:{self._listener.getsockname()}"

    def stop_after(self, requests: int) -> None:
        """Let the power go once so many more requests (1 at least) were carried out: the rest is neither done nor answered."""
        self._requests_left = requests

    def power_cut(self, seed: int) -> int:
        """Once qemu is gone: lose some of the sectors that were not flushed, each with even odds. Returns how many."""
        self._server.join()
        odds = random.Random(seed)  # noqa: S311  # no secret
        lost = {sector for sector in sorted(self._unflushed) if odds.random() < 0.5}
        self._unflushed = {sector: data for sector, data in self._unflushed.items() if sector not in lost}
        self._flush()
        return len(lost)

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # nobody came before the end
            return
        with connection, connection.makefile("rb") as requests, contextlib.suppress(ConnectionError, EOFError):
            self._negotiate(connection, requests)
            while self._carry_out(connection, requests) and self._has_power():
                pass
            self.stopped.set()
            requests.read()

    def _negotiate(self, connection: socket.socket, requests: BufferedReader) -> None:
        connection.sendall(NEWSTYLE + OPTION + struct.pack(">H", FIXED_NEWSTYLE))
        _exactly(requests, 4)
        option = 0
        while option != GO:
            _, option, length = struct.unpack(">8sII", _exactly(requests, 16))
            _exactly(requests, length)
            if option == GO:
                export = struct.pack(">HQH", 0, self._size, HAS_FLAGS | SEND_FLUSH)
                connection.sendall(struct.pack(">QIII", OPTION_REPLY, option, INFO, len(export)) + export)
            answer = ACK if option == GO else UNSUPPORTED
            connection.sendall(struct.pack(">QIII", OPTION_REPLY, option, answer, 0))

    def _has_power(self) -> bool:
        if self._requests_left is None:
            return True
        self._requests_left -= 1
        return self._requests_left > 0

    def _carry_out(self, connection: socket.socket, requests: BufferedReader) -> bool:
        _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", _exactly(requests, 28))
        answer = b""
        match kind:
            case Request.READ:
                answer = self._read(offset, length)
            case Request.WRITE:
                self._write(offset, _exactly(requests, length))
            case Request.FLUSH:
                self._flush()
            case _:
                return False
        connection.sendall(struct.pack(">IIQ", REPLY, 0, cookie) + answer)
        return True

    def _read(self, offset: int, length: int) -> bytes:
        data = bytearray(os.pread(self._medium, length, offset))
        for at in range(0, length, SECTOR):
            if (newer := self._unflushed.get((offset + at) // SECTOR)) is not None:
                data[at : at + SECTOR] = newer
        return bytes(data)

    def _write(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), SECTOR):
            self._unflushed[(offset + at) // SECTOR] = data[at : at + SECTOR]

    def _flush(self) -> None:
        for sector, data in self._unflushed.items():
            os.pwrite(self._medium, data, sector * SECTOR)
        self._unflushed.clear()


def _exactly(stream: BufferedReader, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
