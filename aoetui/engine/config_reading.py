"""The text of a config file into a Config, or an error that names file, line and remedy."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.acl import UnknownWordError, is_mac, members
from aoetui.engine.api import EngineError
from aoetui.engine.config_text import Layout, Section, lay_out
from aoetui.engine.config_values import EXPORT_KEYS, READERS, BadValueError, access_list, names, queues
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import ExportSpec
from aoetui.engine.window import windows_meet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from aoetui.engine.protocol.address import Mac

_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_REQUIRED = ("shelf", "slot", "path", "interfaces")
_TOP = ("engine", "acl", "export")
_ENGINE = ("interfaces", "queues")


class ConfigError(EngineError):
    """The config file is wrong, or cannot be read or written. Its text names file, line (where one is meant) and remedy."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the config file says."""

    interfaces: tuple[str, ...] | None
    """`[engine] interfaces`; None if it is not set."""
    exports: tuple[ExportSpec, ...]
    """In the file's order."""
    groups: Mapping[str, frozenset[Mac]] = field(default_factory=dict)
    """`[acl]`: named groups of MACs."""
    queues: int = 1
    """`[engine] queues`: receive queues of each port, 1 to MAX_QUEUES."""


def read_config(text: str, file: Path) -> Config:
    """Read and judge the whole text. Raises ConfigError for the first thing that is wrong."""
    data = _load(text, file)
    layout = lay_out(text)
    _refuse_unknown(data, _TOP, layout.top, 1, file)
    interfaces, count = _read_engine(data["engine"], layout, file) if "engine" in data else (None, 1)
    groups = _read_groups(data.get("acl", {}), layout, file)
    exports = _read_exports(data.get("export", []), layout, file)
    _refuse_unknown_words(exports, groups, layout, file)
    _refuse_duplicates(exports, layout, file)
    _refuse_shared_backing(exports, layout, file)
    return Config(interfaces, exports, groups, count)


def _load(text: str, file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise _wrong(file, line, f"this is not TOML ({_LINE.sub('', str(error)).strip()}): correct the line") from error


def _wrong(file: Path, line: int, text: str) -> ConfigError:
    return ConfigError(f"{file}:{line}: {text}")


def _refuse_unknown(present: Iterable[str], known: tuple[str, ...], lines: dict[str, int], line: int, file: Path) -> None:
    """`line` is the header's, for what has no line of its own."""
    for name in present:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise _wrong(file, lines.get(name, line), f"unknown key {name!r}: {hint}the keys here are {', '.join(known)}")


def _read_engine(table: object, layout: Layout, file: Path) -> tuple[tuple[str, ...] | None, int]:
    """The interfaces, if they are set, and the number of queues."""
    line = layout.top.get("engine", 1)
    if not isinstance(table, dict) or layout.engine is None:
        raise _wrong(file, line, "engine must be a table of its own: write [engine], and its keys below")
    lines = _lines(layout.engine)
    _refuse_unknown(table, _ENGINE, lines, line, file)
    key = "interfaces"
    try:
        chosen = names(table[key]) if key in table else None
        key = "queues"
        return chosen, queues(table.get(key, 1))
    except BadValueError as error:
        raise _wrong(file, lines.get(key, line), f"{key} {error}") from error


def _read_groups(table: object, layout: Layout, file: Path) -> dict[str, frozenset[Mac]]:
    """A group may hold groups that stand above it."""
    line = layout.top.get("acl", 1)
    if not isinstance(table, dict):
        raise _wrong(file, line, "acl must be a table of its own: write [acl], and a line for each group below")
    lines = _lines(layout.acl)
    groups: dict[str, frozenset[Mac]] = {}
    for name, value in table.items():
        try:
            groups[name] = _read_group(name, value, groups, later=table.keys() - groups.keys())
        except (BadValueError, UnknownWordError) as error:
            raise _wrong(file, lines.get(name, line), f"the group {name} {error}") from error
    return groups


def _read_group(name: str, value: object, groups: Mapping[str, frozenset[Mac]], later: Collection[str]) -> frozenset[Mac]:
    """Raises BadValueError, UnknownWordError."""
    if is_mac(name):
        raise BadValueError("would pass for a MAC: give the group another name")
    words = access_list(value)
    for word in words:
        if word in later:
            raise BadValueError(f"holds {word!r}, a group that does not stand above it: move that up, or remove the word")
    return members(words, groups)


def _refuse_unknown_words(
    exports: tuple[ExportSpec, ...], groups: Mapping[str, frozenset[Mac]], layout: Layout, file: Path
) -> None:
    for spec, section in zip(exports, layout.exports, strict=True):
        for name, words in (("accept", spec.accept), ("deny", spec.deny)):
            try:
                members(words, groups)
            except UnknownWordError as error:
                raise _wrong(file, _lines(section).get(name, section.line), f"{name} {error}") from error


def _read_exports(tables: object, layout: Layout, file: Path) -> tuple[ExportSpec, ...]:
    if not isinstance(tables, list) or len(tables) != len(layout.exports):
        raise _wrong(file, layout.top["export"], "exports must be tables of their own: write each under a line [[export]]")
    return tuple(_read_export(table, section, file) for table, section in zip(tables, layout.exports, strict=True))


def _read_export(table: dict[str, object], section: Section, file: Path) -> ExportSpec:
    lines = _lines(section)
    _refuse_unknown(table, EXPORT_KEYS, lines, section.line, file)
    missing = [key for key in _REQUIRED if key not in table]
    if missing:
        raise _wrong(file, section.line, f"this export lacks {', '.join(missing)}: add the line")
    values: dict[str, object] = {}
    for key, value in table.items():
        try:
            values[key] = READERS[key](value)
        except BadValueError as error:
            raise _wrong(file, lines.get(key, section.line), f"{key} {error}") from error
    try:
        values["address"] = Address(values.pop("shelf"), values.pop("slot"))  # type: ignore[arg-type] # both read by _integer
        return ExportSpec(**values)  # type: ignore[arg-type] # each read by its own reader
    except ValueError as error:
        raise _wrong(file, _line_meant(str(error), lines, section.line), str(error)) from error


def _lines(section: Section | None) -> dict[str, int]:
    return {name: key.line for name, key in section.keys.items()} if section else {}


def _line_meant(text: str, lines: dict[str, int], otherwise: int) -> int:
    """The line of the key whose name (`buffer count` for `buffer_count`) the sentence begins with."""
    return next((line for key, line in lines.items() if text.startswith(key.replace("_", " "))), otherwise)


def _refuse_duplicates(exports: tuple[ExportSpec, ...], layout: Layout, file: Path) -> None:
    seen: dict[Address, int] = {}
    for spec, section in zip(exports, layout.exports, strict=True):
        if spec.address in seen:
            text = f"{spec.address} is at line {seen[spec.address]} already: give one of the two another shelf or slot"
            raise _wrong(file, section.line, text)
        seen[spec.address] = section.line


def _refuse_shared_backing(exports: tuple[ExportSpec, ...], layout: Layout, file: Path) -> None:
    """Of the enabled exports: those that are stopped hold nothing."""
    users: dict[object, list[tuple[int, ExportSpec]]] = {}
    for spec, section in zip(exports, layout.exports, strict=True):
        names = _names_of_backing(spec.path) if spec.enabled else ()
        others = [other for name in names for other in users.get(name, ()) if _collide(spec, other[1])]
        if others:
            line, other = min(others, key=lambda each: each[0])
            raise _wrong(
                file,
                section.line,
                f"{spec.path} is exported for writing as {other.address} (line {line}) and again as {spec.address}:"
                " disable one, make both read-only, or give them windows (offset, length) that do not meet",
            )
        for name in names:
            users.setdefault(name, []).append((section.line, spec))


def _names_of_backing(path: Path) -> Collection[object]:
    """What tells one file or device from another, whether it exists yet or not: two paths that share one lead to the same."""
    names: list[object] = [os.path.realpath(path)]
    with suppress(OSError):
        status = path.stat()
        names.append((status.st_dev, status.st_ino))
        if status.st_rdev:
            names.append(status.st_rdev)
    return names


def _collide(one: ExportSpec, other: ExportSpec) -> bool:
    """Of one backing."""
    if one.read_only and other.read_only:
        return False
    return windows_meet(one.offset, one.length, other.offset, other.length)
