"""What the export form holds, as a value: what is wrong with it, what it asks the engine for, and what will happen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aoetui.engine.api import AddExport, EngineError
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import LINUX_REFUSED_SHELF, sectors_per_frame
from aoetui.engine.spec import Durability, ExportSpec, NewFile
from aoetui.sizes import parse_size
from aoetui.widgets import figures
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.api import BackingReport
    from aoetui.engine.snapshot import ExportSnapshot, LinkSnapshot

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

    @property
    def makes_file(self) -> bool:
        """Whether the backing is to be made: the path is known not to exist."""
        return self.report is not None and not self.report.exists

    def command(self, *, force: bool = False) -> AddExport:
        """What to ask the engine for. Raises EngineError, with its field, for what can be known wrong without asking."""
        path = parse_path(self.path)
        if self.report is not None and self.report.exists and self.report.refusal:
            raise EngineError(self.report.refusal, field="path")
        new_file = NewFile(self._size(), self.sparse) if self.makes_file else None
        address = _read(Address.parse, self.address, "address")
        if not self.interfaces:
            raise EngineError("no interface is chosen: mark at least one with space", field="interfaces")
        spec = ExportSpec(
            address=address,
            path=path,
            interfaces=self.interfaces,
            read_only=self.read_only,
            durability=self.durability,
        )
        return AddExport(spec, new_file, force)

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
        mode = "read-only" if spec.read_only else "read-write"
        where = ", ".join(_link_words(link) for link in links if link.name in spec.interfaces)
        backing = f"{printable(str(spec.path), 60)} ({self._backing_words(command.new_file)})"
        return f"Serves {backing} as {spec.address} on {where}, {mode}, {spec.durability}."

    def _backing_words(self, new_file: NewFile | None) -> str:
        if new_file is not None:
            return f"{figures.size(new_file.size)}, new, {'sparse' if new_file.sparse else 'allocated'}"
        return figures.size(self.report.size) if self.report is not None else "not looked at yet"


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


def _read(parse: Callable[[str], Value], text: str, field: str) -> Value:
    """Parse a field; what the parser refuses is said beside that field."""
    try:
        return parse(text)
    except (ValueError, RuntimeError) as error:
        raise EngineError(str(error), field=field) from error


def _link_words(link: LinkSnapshot) -> str:
    return f"{printable(link.name, 15)} (MTU {link.mtu}, {sectors_per_frame(link.mtu)} sectors a frame)"
