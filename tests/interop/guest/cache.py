"""Where built guests are kept: one folder for each state of what a guest is made of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


def place(kind: str, sources: tuple[str, ...], *others: bytes) -> Path:
    """The folder of a `kind` of guest for the kernel that apt would install, whether it exists or not.

    Another content of this package's files `sources`, or of `others`, has another folder. Raises NoKernelError when apt does not
    know that kernel.
    """
    package = kernel.newest_package()
    digest = hashlib.sha256(b"\0".join([*((HERE / name).read_bytes() for name in sources), *others])).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aoetui" / "guest"
    return cache / f"{kind}_{package.name}_{package.version}_{digest}"


def fill(place: Path, make: Callable[[Path, Path], None]) -> None:
    """Have `make` fill the folder if there is none yet; it is given a folder to fill, and one for what it leaves behind."""
    if place.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        make(ready, Path(scratch))
        ready.rename(place)
