"""What outlives a restart and is no setting: the serial of each export. One file each, keyed by address and backing together, so
that another disk at the same address inherits nothing."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.atomic import make_folder, replace_file

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address

_VERSION = 1
_SERIAL_LENGTH = 16
MAX_SERIAL = 20
"""Characters of the serial in IDENTIFY (ATA, words 10 to 19)."""


class StateStore:
    """State files in `directory`; None keeps none, and the serials are the same all the same as long as the host keeps its id."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def serial_for(self, address: Address, backing_key: str) -> str:
        """The serial of the export of this backing at this address: made and saved on first use, 16 hex digits.

        It is made of this host's id, the address and the backing's key, so that it is unique on the SAN and comes out the same
        if the file is lost; saved, it also survives a change of the host's id. Raises EngineError if the file cannot be used.
        """
        if self._directory is None:
            return _make_serial(address, backing_key)
        path = self._directory / f"{address}-{hashlib.sha256(backing_key.encode()).hexdigest()[:16]}.json"
        try:
            return self._load(path, address, backing_key)
        except FileNotFoundError:
            serial = _make_serial(address, backing_key)
            self._save(path, {"version": _VERSION, "address": str(address), "backing": backing_key, "serial": serial})
            return serial

    def _load(self, path: Path, address: Address, backing_key: str) -> str:
        try:
            state = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise EngineError(
                f"the state file {path} cannot be read ({error.strerror}): repair its permissions or disk"
            ) from error
        except ValueError as error:
            raise _broken(path) from error
        match state:
            case {"version": 1, "address": str(written), "backing": str(key), "serial": str(serial)} if (
                written == str(address)
                and key == backing_key
                and 0 < len(serial) <= MAX_SERIAL
                and serial.isascii()
                and serial.isprintable()
            ):
                return serial
        raise _broken(path)

    def _save(self, path: Path, state: dict[str, str | int]) -> None:
        try:
            make_folder(path.parent)
            replace_file(path, json.dumps(state, indent=1).encode() + b"\n")
        except PermissionError as error:
            raise NoPermissionError(f"no permission to write {path}: run aoetui as root, or set XDG_STATE_HOME") from error
        except OSError as error:
            raise EngineError(
                f"the state file {path} cannot be written ({error.strerror}): make room or repair its disk"
            ) from error


def _broken(path: Path) -> EngineError:
    return EngineError(f"the state file {path} is damaged: restore it, or remove it and the export gets its first serial again")


def _make_serial(address: Address, backing_key: str) -> str:
    text = "\0".join((_host_id(), str(address), backing_key))
    return hashlib.sha256(text.encode()).hexdigest()[:_SERIAL_LENGTH]


def _host_id() -> str:
    """machine-id(5), of which only a hash leaves this host; the host's name where there is none."""
    try:
        found = Path("/etc/machine-id").read_text(errors="replace").strip()
    except OSError:
        found = ""
    return found or socket.gethostname()
