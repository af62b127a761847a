"""What outlives a restart and is no setting: each export's serial, config string, mask list and reservation.

One file each, keyed by address and backing together, so that another disk at the same address inherits nothing.
"""

from __future__ import annotations

import hashlib
import json
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.atomic import make_folder, remove_leftovers, replace_file
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.changes import unique
from aoetui.engine.protocol.facts import TargetState
from aoetui.engine.protocol.wire import MAX_CONFIG_STRING, MAX_LIST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.protocol.address import Address

_VERSION = 1
_SERIAL_LENGTH = 16
MAX_SERIAL = 20
"""Characters of the serial in IDENTIFY (ATA, words 10 to 19)."""


@dataclass(slots=True)
class KeptState:
    """What is kept of one export. Without a `path` it is kept as long as the process lives."""

    address: Address
    backing_key: str
    serial: str
    state: TargetState
    path: Path | None

    def keep(self, state: TargetState) -> None:
        """Make `state` the kept one: on stable storage, or not at all. Raises EngineError; then the old one stands."""
        if self.path is not None:
            try:
                _save(self.path, self._written(state))
            except EngineError:
                with suppress(EngineError):  # the new one may have the name already, though its folder could not be synced
                    _save(self.path, self._written(self.state))
                raise
        self.state = state

    def add_to_mask(self, macs: Iterable[Mac]) -> None:
        """Keep these in the mask list too. Raises EngineError (field `mask`), also where no list can hold them all."""
        mask = unique((*self.state.mask, *macs))
        if len(mask) > MAX_LIST:
            raise EngineError(f"{len(mask)} MACs are more than a mask list holds: keep at most {MAX_LIST}", field="mask")
        if mask != self.state.mask:
            self.keep(replace(self.state, mask=mask))

    def _written(self, state: TargetState) -> dict[str, object]:
        return {
            "version": _VERSION,
            "address": str(self.address),
            "backing": self.backing_key,
            "serial": self.serial,
            "config_string": state.config_string.hex(),
            "mask": [str(mac) for mac in state.mask],
            "reservation": [str(mac) for mac in state.reservation],
        }


class StateStore:
    """State files in `directory`; None keeps none, and the serials are the same all the same as long as the host keeps its id."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def open(self, address: Address, backing_key: str) -> KeptState:
        """The state of the export of this backing at this address: made and saved on first use. To be called by who holds the
        backing's lock.

        The serial, 16 hex digits, is made of this host's id, the address and the backing's key, so that it is unique on the SAN
        and comes out the same if the file is lost; saved, it also survives a change of the host's id. Raises EngineError if the
        file cannot be used.
        """
        if self._directory is None:
            return KeptState(address, backing_key, _make_serial(address, backing_key), TargetState(), None)
        path = self._directory / f"{address}-{hashlib.sha256(backing_key.encode()).hexdigest()[:16]}.json"
        remove_leftovers(path)
        try:
            return _load(path, address, backing_key)
        except FileNotFoundError:
            made = KeptState(address, backing_key, _make_serial(address, backing_key), TargetState(), path)
            made.keep(made.state)
            return made


def _load(path: Path, address: Address, backing_key: str) -> KeptState:
    """Raises FileNotFoundError, EngineError."""
    try:
        written = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EngineError(f"the state file {path} cannot be read ({error.strerror}): repair its permissions or disk") from error
    except (ValueError, RecursionError) as error:
        raise _broken(path) from error
    match written:
        case {
            "version": 1,
            "address": str(place),
            "backing": str(key),
            "serial": str(serial),
            "config_string": str(string),
            "mask": list(mask),
            "reservation": list(reservation),
        } if place == str(address) and key == backing_key and _is_serial(serial):
            try:
                state = TargetState(bytes.fromhex(string), _macs(mask), _macs(reservation))
            except ValueError as error:
                raise _broken(path) from error
            if len(state.config_string) <= MAX_CONFIG_STRING:
                return KeptState(address, backing_key, serial, state, path)
    raise _broken(path)


def _macs(written: list[object]) -> tuple[Mac, ...]:
    """Raises ValueError."""
    macs = unique(Mac.parse(str(mac)) for mac in written)
    if len(macs) > MAX_LIST:
        raise ValueError(f"{len(macs)} MACs are more than {MAX_LIST}")
    return macs


def _is_serial(text: str) -> bool:
    return 0 < len(text) <= MAX_SERIAL and text.isascii() and text.isprintable()


def _save(path: Path, state: dict[str, object]) -> None:
    try:
        make_folder(path.parent)
        replace_file(path, json.dumps(state, indent=1).encode() + b"\n")
    except PermissionError as error:
        raise NoPermissionError(f"no permission to write {path}: run aoetui as root, or set XDG_STATE_HOME") from error
    except OSError as error:
        raise EngineError(f"the state file {path} cannot be written ({error.strerror}): make room or repair its disk") from error


def _broken(path: Path) -> EngineError:
    return EngineError(
        f"the state file {path} is damaged: restore it, or remove it"
        " (the export then has its first serial, and neither config string nor mask list nor reservation)"
    )


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
