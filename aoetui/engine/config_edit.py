"""Edits of a config's text: old text in, new text out, nothing else touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tomlkit

from aoetui.engine.config_text import Layout, Section, lay_out
from aoetui.engine.config_values import DEFAULTS, EXPORT_KEYS

if TYPE_CHECKING:
    from aoetui.engine.config_reading import Config
    from aoetui.engine.spec import ExportSpec

Value = str | int | bool | list[str] | None


def with_export(text: str, config: Config, spec: ExportSpec) -> str:
    """Add the export, or change those of its keys that differ. `config` is what `text` says."""
    values = _values(spec)
    for number, old in enumerate(config.exports):
        if old.address == spec.address:
            before = _values(old)
            changes = {key: value for key, value in values.items() if value != before[key]}
            return _with_changes(text, number, changes)
    lines = [_line(key, value) for key, value in values.items() if key not in DEFAULTS or getattr(spec, key) != DEFAULTS[key]]
    return _ended(text) + ("\n" if text.strip() else "") + "[[export]]\n" + "".join(lines)


def without_export(text: str, number: int) -> str:
    """Remove the export of this number, with the comment lines right above its header unless the file begins with them.

    Comments below its last key stay: they may belong to what follows.
    """
    layout = lay_out(text)
    section = layout.exports[number]
    before, after = text[: _comment_start(text, layout, section)], text[section.end :]
    gap = not before or before.endswith(("\n\n", "\n\r\n"))
    return before + (after.removeprefix("\r").removeprefix("\n") if gap else after)


def with_interfaces(text: str, names: tuple[str, ...]) -> str:
    """Set `[engine] interfaces`; a new `[engine]` stands above the first export."""
    layout = lay_out(text)
    if layout.engine is not None:
        return _with_key(text, layout.engine, "interfaces", list(names))
    first = _comment_start(text, layout, layout.exports[0]) if layout.exports else len(text)
    head, rest = _ended(text[:first]), text[first:]
    gap = "\n" if head.strip() and not head.endswith("\n\n") else ""
    return f"{head}{gap}[engine]\n{_line('interfaces', list(names))}" + (f"\n{rest}" if rest else "")


def _values(spec: ExportSpec) -> dict[str, Value]:
    """As TOML writes them, in the order of EXPORT_KEYS."""
    found: dict[str, Value] = {"shelf": spec.address.shelf, "slot": spec.address.slot, "path": str(spec.path)}
    found |= {
        "interfaces": list(spec.interfaces),
        "vlan": spec.vlan,
        "read_only": spec.read_only,
        "durability": spec.durability.value,
    }
    found |= {"direct": spec.direct, "offset": spec.offset, "length": spec.length, "buffer_count": spec.buffer_count}
    found |= {"accept": list(spec.accept) or None, "deny": list(spec.deny) or None}
    found |= {"serial": spec.serial, "label": spec.label, "enabled": spec.enabled}
    return {key: found[key] for key in EXPORT_KEYS}


def _with_changes(text: str, number: int, changes: dict[str, Value]) -> str:
    for key, value in changes.items():
        section = lay_out(text).exports[number]
        if value is not None:
            text = _with_key(text, section, key, value)
        elif key in section.keys:
            text = text[: section.keys[key].start] + text[section.keys[key].end :]
    return text


def _with_key(text: str, section: Section, name: str, value: Value) -> str:
    key = section.keys.get(name)
    if key is not None:
        return text[: key.value_start] + _rendered(value) + text[key.value_end :]
    return _ended(text[: section.end]) + _line(name, value) + text[section.end :]


def _comment_start(text: str, layout: Layout, section: Section) -> int:
    """Where the comment lines right above a section begin; the section itself if they are the file's own head."""
    others = [*layout.exports, *([layout.engine] if layout.engine else [])]
    floor = max((each.end for each in others if each.end <= section.start), default=0)
    start = section.start
    while start > floor:
        above = text.rfind("\n", floor, start - 1) + 1 or floor
        if not text[above:start].lstrip().startswith("#"):
            break
        start = above
    return start or section.start


def _line(name: str, value: Value) -> str:
    return f"{name} = {_rendered(value)}\n"


def _rendered(value: Value) -> str:
    return tomlkit.item(value).as_string()


def _ended(text: str) -> str:
    """The text with its last line ended."""
    return text if not text or text.endswith("\n") else text + "\n"
