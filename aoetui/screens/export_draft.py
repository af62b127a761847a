"""What the export form holds, as a value: what is wrong with it, what it asks the engine for, and what will happen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aoetui.engine.api import AddExport, EngineError
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import DEFAULT_BUFFER_COUNT, LINUX_REFUSED_SHELF, sectors_per_frame
from aoetui.engine.spec import MAX_VLAN, MIN_VLAN, Durability, ExportSpec, NewFile
from aoetui.sizes import parse_size
from aoetui.widgets import figures
from aoetui.widgets.durability import mode_name
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aoetui.engine.api import BackingReport
    from aoetui.engine.snapshot import ExportSnapshot, LinkSnapshot

Given = TypeVar("Given")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The form's fields as they were typed. `report` is what the engine says of `path`; None while it was not asked."""

    path: str
    report: BackingReport | None
    size: str
    sparse: bool
    address: str
    interfaces: tuple[str, ...]
    read_only: bool
    durability: Durability
    direct: bool
    advanced: Mapping[str, str] = field(default_factory=dict)
    """What was typed into the advanced fields, by ExportSpec's names; empty where nothing was."""

    @property
    def makes_file(self) -> bool:
        """Whether the backing is to be made: the path is known not to exist."""
        return self.report is not None and not self.report.exists

    @property
    def vlan(self) -> int | None:
        """As it was typed; None where it cannot be read, which `command` tells."""
        text = self.advanced.get("vlan", "").strip()
        return int(text) if text.isascii() and text.isdigit() and MIN_VLAN <= int(text) <= MAX_VLAN else None

    def command(self, *, force: bool = False) -> AddExport:
        """What to ask the engine for. Raises EngineError, with its field, for what can be known wrong without asking."""
        path = parse_path(self.path)
        if self.report is not None and self.report.exists and self.report.refusal:
            raise EngineError(self.report.refusal, field="path")
        new_file = NewFile(self._size(), self.sparse) if self.makes_file else None
        address = _read(Address.parse, self.address, "address")
        if not self.interfaces:
            raise EngineError("no interface is chosen: mark at least one with space", field="interfaces")
        spec = _read(partial(self._plain_spec, address), path, "interfaces")
        for name, text in self.advanced.items():
            if text.strip():
                spec = _read(partial(_with, spec, name), text, name)
        return AddExport(spec, new_file, force)

    def _plain_spec(self, address: Address, path: Path) -> ExportSpec:
        return ExportSpec(
            address=address,
            path=path,
            interfaces=self.interfaces,
            read_only=self.read_only,
            durability=self.durability,
            direct=self.direct,
        )

    def _size(self) -> int:
        if not self.size.strip():
            raise EngineError("a new file needs a size: write it, as 10G", field="size")
        return _read(parse_size, self.size, "size")

    def summary(self, links: Sequence[LinkSnapshot]) -> str:
        """One sentence on what will happen; on what is missing, while something is."""
        try:
            command = self.command()
        except EngineError as error:
            return f"Not ready: {error}"
        spec = command.spec
        where = ", ".join(_link_words(link) for link in links if link.name in spec.interfaces)
        backing = f"{printable(str(spec.path), 60)} ({self._backing_words(command.new_file)})"
        mode = f"{'read-only' if spec.read_only else 'read-write'}, {mode_name(spec.durability, direct=spec.direct)}"
        return f"Serves {backing} as {spec.address} on {where}, {mode}{_advanced_words(spec)}."

    def _backing_words(self, new_file: NewFile | None) -> str:
        if new_file is not None:
            return f"{figures.size(new_file.size)}, new, {'sparse' if new_file.sparse else 'allocated'}"
        return figures.size(self.report.size) if self.report is not None else "not looked at yet"


def _with(spec: ExportSpec, name: str, text: str) -> ExportSpec:
    """`spec` with one advanced field as it was typed. Raises ValueError with a sentence for the user."""
    match name:
        case "vlan":
            return replace(spec, vlan=_number(text))
        case "accept":
            return replace(spec, accept=_words(text))
        case "deny":
            return replace(spec, deny=_words(text))
        case "offset":
            return replace(spec, offset=_number(text))
        case "length":
            return replace(spec, length=_number(text))
        case "buffer_count":
            return replace(spec, buffer_count=_number(text))
        case _:
            return replace(spec, serial=text.strip())


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.replace(",", " ").split())
    if not words:
        raise ValueError("the list names nobody: write MACs or names, or leave it empty")
    return words


def _number(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit()) or len(text.strip()) > 18:
        raise ValueError(f"{text.strip()!r} is not a number: write digits alone")
    return int(text)


def _advanced_words(spec: ExportSpec) -> str:
    """What of the advanced fields is not as it would be without them."""
    words = "" if spec.vlan is None else f", VLAN {spec.vlan}"
    words += f", from sector {spec.offset}" if spec.offset else ""
    words += "" if spec.length is None else f", {figures.many(spec.length, 'sector')}"
    words += f", {spec.buffer_count} buffers" if spec.buffer_count != DEFAULT_BUFFER_COUNT else ""
    for name, listed in (("accepts only", spec.accept), ("denies", spec.deny)):
        words += f", {name} {printable(' '.join(listed), 60)}" if listed else ""
    return words + (f", serial {printable(spec.serial, 20)}" if spec.serial else "")


def parse_path(text: str) -> Path:
    """Read the path field; `~` is the user's home. Raises EngineError unless the path is absolute."""
    if not text.strip():
        raise EngineError("no backing is chosen: write a path, or pick a disk from the list", field="path")
    if "\0" in text:
        raise EngineError("a path holds no NUL: write it from /, as /srv/a.img", field="path")
    path = _read(lambda given: Path(given).expanduser(), text.strip(), "path")
    if not path.is_absolute():
        raise EngineError(f"{printable(text)} is not a whole path: write it from /, as /srv/a.img", field="path")
    return path


def address_warning(address: Address) -> str:
    """What to know of an address that is allowed; empty if nothing."""
    return "Linux refuses shelf 4095: choose another for Linux initiators" if address.shelf == LINUX_REFUSED_SHELF else ""


def own_export(address: Address, exports: Sequence[ExportSnapshot]) -> str:
    """A sentence if one of our own exports has this address already; empty if none has."""
    for export in exports:
        if export.spec.address == address:
            return f"{address} is your own export of {printable(str(export.spec.path), 40)}: choose another address"
    return ""


def new_file_words(size: str, *, sparse: bool) -> tuple[str, bool]:
    """The line beside the size of a file that is to be made, and whether the size is right."""
    kind = "sparse file, takes room as it is written" if sparse else "file with all its room taken now"
    if not size.strip():
        return "how big? as 10G or 512M", True
    try:
        return f"will be made: {figures.size(parse_size(size))} {kind}", True
    except ValueError as error:
        return str(error), False


def _read(parse: Callable[[Given], Value], given: Given, field: str) -> Value:
    """Parse a field; what the parser refuses is said beside that field."""
    try:
        return parse(given)
    except (ValueError, RuntimeError) as error:
        raise EngineError(str(error), field=field) from error


def _link_words(link: LinkSnapshot) -> str:
    return f"{printable(link.name, 15)} (MTU {link.mtu}, {sectors_per_frame(link.mtu)} sectors a frame)"
