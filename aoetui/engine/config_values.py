"""What each key of the config file takes."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.fanout import MAX_QUEUES
from aoetui.engine.spec import Durability, ExportSpec
from aoetui.engine.state import MAX_SERIAL

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_NAME = 15
"""Bytes of an interface's name: IFNAMSIZ (linux/if.h) is 16 with the NUL at its end."""
_GLOB = frozenset("*?[")
"""What makes a name a pattern, which may be longer."""


class BadValueError(ValueError):
    """A value that its key does not take; the text continues a sentence that begins with the key."""


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        quoted = isinstance(value, str) and value.isascii() and value.isdecimal()
        remedy = f"without quotes, as {int(str(value))}" if quoted else "in digits alone"
        raise BadValueError(f"must be a whole number, not {_shown(value)}: write it {remedy}")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadValueError(f"must be true or false, not {_shown(value)}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f'must be text, not {_shown(value)}: write it in quotes, as "web01"')
    if not value.isprintable():
        raise BadValueError("has a control character: remove it")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise BadValueError(f'must be a path, not {_shown(value)}: write it in quotes, as "/srv/web01.img"')
    if "\0" in value:
        raise BadValueError("holds a NUL, which no path can: remove it")
    if not value.startswith("/"):
        raise BadValueError(f'must be absolute, not {_shown(value)}: write it from the root, as "/srv/web01.img"')
    return Path(value)


def names(value: object) -> tuple[str, ...]:
    """Interface names or patterns. Raises BadValueError."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadValueError(f'must be a list of names, not {_shown(value)}: write ["eth1"]')
    for name in value:
        if not name or not name.isprintable() or any(letter.isspace() or letter == "/" for letter in name):
            raise BadValueError(f'holds {_shown(name)}, which no interface is called: write a name or a pattern, as "eth1"')
        if len(name.encode()) > _MAX_NAME and _GLOB.isdisjoint(name):
            raise BadValueError(
                f"holds {_shown(name)}, but Linux names have at most {_MAX_NAME} bytes: look it up with `ip -br link`"
            )
    return tuple(value)


def queues(value: object) -> int:
    """Receive queues of a port. Raises BadValueError."""
    number = _integer(value)
    if not 1 <= number <= MAX_QUEUES:
        raise BadValueError(f"must be 1 to {MAX_QUEUES}, not {number}: one for each core that is to do nothing else, or 1")
    return number


def _names_of_export(value: object) -> tuple[str, ...]:
    found = names(value)
    if not found:
        raise BadValueError('names none: name at least one, as ["eth1"]')
    return found


def access_list(value: object) -> tuple[str, ...]:
    """MACs, groups of `[acl]`, names of /etc/ethers.

    Raises BadValueError, also for an empty list: it might mean nobody or everybody.
    """
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() and word.isprintable() for word in value):
        raise BadValueError(f'must be a list of MACs and names, not {_shown(value)}: write ["52:54:00:a0:e0:01", "webservers"]')
    if not value:
        raise BadValueError("names nobody: name an initiator, or remove the line")
    return tuple(value)


def _durability(value: object) -> Durability:
    try:
        return Durability(str(value))
    except ValueError as error:
        known = " or ".join(f'"{each}"' for each in Durability)
        raise BadValueError(f"must be {known}, not {_shown(value)}") from error


def _serial(value: object) -> str:
    text = _text(value)
    if len(text) > MAX_SERIAL or not text.isascii() or text != text.strip():
        raise BadValueError(f"{_shown(value)} does not fit: choose at most {MAX_SERIAL} ASCII characters, no space at either end")
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


READERS: dict[str, Callable[[object], object]] = {
    "shelf": _integer,
    "slot": _integer,
    "path": _path,
    "interfaces": _names_of_export,
    "vlan": _integer,
    "read_only": _boolean,
    "durability": _durability,
    "direct": _boolean,
    "offset": _integer,
    "length": _integer,
    "buffer_count": _integer,
    "accept": access_list,
    "deny": access_list,
    "serial": _serial,
    "label": _text,
    "enabled": _boolean,
}
"""Every key of an export, in the order in which a new one is written.

Each reader returns what ExportSpec holds, or raises BadValueError."""

DEFAULTS: dict[str, object] = {each.name: each.default for each in fields(ExportSpec) if each.default is not MISSING}
"""What a key means that is not there."""

EXPORT_KEYS = tuple(READERS)
