"""Where things stand in the text of a TOML file, so that errors can name lines and edits leave every other byte as it is.

No TOML reader tells this. The text is one that `tomllib` has accepted, which is why nothing is checked here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^#\n]*")
_IN_BRACKETS = re.compile(r"[^\"'\[\]{}#]+|#[^\n]*")


@dataclass(frozen=True, slots=True)
class Key:
    """`name = value`: `start` to `end` are its whole lines, `value_start` to `value_end` the value alone (offsets)."""

    line: int
    """From 1."""
    start: int
    value_start: int
    value_end: int
    end: int


@dataclass(slots=True)
class Section:
    """A header and the keys under it."""

    line: int
    start: int
    end: int
    """Behind the last line of the header or its last key."""
    keys: dict[str, Key] = field(default_factory=dict)


@dataclass(slots=True)
class Layout:
    """A file: its top-level names, and the sections of `engine`, of `acl` and of each `export` in order."""

    top: dict[str, int] = field(default_factory=dict)
    """Line on which each top-level name is first used."""
    engine: Section | None = None
    acl: Section | None = None
    exports: list[Section] = field(default_factory=list)


def lay_out(text: str) -> Layout:
    """Find every header and key. The text must be valid TOML."""
    layout = Layout()
    section: Section | None = None
    at = _skip_space(text, 0)
    while at < len(text):
        if text[at] == "[":
            section, at = _read_header(text, at, layout, section)
        else:
            at = _read_key_value(text, at, layout, section)
        at = _skip_space(text, at)
    return layout


def _read_header(text: str, at: int, layout: Layout, section: Section | None) -> tuple[Section, int]:
    array = text.startswith("[[", at)
    names, close = _read_names(text, at + 1 + array)
    end = _line_end(text, close)
    line, start = _line_of(text, at), _line_start(text, at)
    found = Section(line, start, end)
    layout.top.setdefault(names[0], line)
    if len(names) > 1:  # A table inside one: to its owner it is one more key.
        owner = layout.exports[-1] if names[0] == "export" and layout.exports else section
        if owner is not None:
            owner.keys.setdefault(names[1], Key(line, start, close, close, end))
    elif array and names[0] == "export":
        layout.exports.append(found)
    elif names[0] == "engine":
        layout.engine = found
    elif names[0] == "acl":
        layout.acl = found
    return found, end


def _read_key_value(text: str, at: int, layout: Layout, section: Section | None) -> int:
    names, equals = _read_names(text, at)
    value_start = _match_end(_BLANK, text, equals + 1)
    value_end = _skip_value(text, value_start)
    end = _line_end(text, value_end)
    key = Key(_line_of(text, at), _line_start(text, at), value_start, value_end, end)
    if section is None:
        layout.top.setdefault(names[0], key.line)
    else:
        section.keys.setdefault(names[0], key)
        section.end = end
    return end


def _read_names(text: str, at: int) -> tuple[list[str], int]:
    """The parts of a dotted key, and where the character behind it stands (`=` or `]`)."""
    names: list[str] = []
    while True:
        at = _match_end(_BLANK, text, at)
        if text[at] in "\"'":
            end = _match_end(_STRING, text, at)
            names.append(_unquote(text[at:end]))
        else:
            end = _match_end(_BARE_KEY, text, at)
            names.append(text[at:end])
        at = _match_end(_BLANK, text, end)
        if text[at] != ".":
            return names, at
        at += 1


def _unquote(quoted: str) -> str:
    """A key in quotes. JSON knows all escapes that TOML keys need but `\\U` and `\\e`, which no name of ours has."""
    if quoted[0] == "'":
        return quoted[1:-1]
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted


def _skip_value(text: str, at: int) -> int:
    if text[at] in "\"'":
        return _match_end(_STRING, text, at)
    if text[at] not in "[{":
        plain = _match_end(_PLAIN, text, at)
        return at + len(text[at:plain].rstrip())
    depth = 0
    while True:
        if text[at] in "\"'":
            at = _match_end(_STRING, text, at)
        elif text[at] in "[]{}":
            depth += 1 if text[at] in "[{" else -1
            at += 1
            if depth == 0:
                return at
        else:
            at = _match_end(_IN_BRACKETS, text, at)


def _skip_space(text: str, at: int) -> int:
    return _match_end(_SPACE, text, at)


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Behind the newline that ends this line."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1
