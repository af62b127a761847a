"""Debian's kernel package: which one, its vmlinux, and its modules in the order they load in."""

from __future__ import annotations

import lzma
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

META_PACKAGE = "linux-image-amd64"
XZ_MAGIC = b"\xfd7zXZ\x00"


class NoKernelError(Exception):
    """Debian's kernel package cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class KernelPackage:
    """What the metapackage depends on today."""

    name: str
    version: str


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=300).stdout
    except FileNotFoundError as error:
        raise NoKernelError(f"there is no {command[0]}") from error
    except subprocess.CalledProcessError as error:
        raise NoKernelError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from error


def newest_package() -> KernelPackage:
    """The kernel that this Debian installs, from apt's lists."""
    fields = _run("apt-cache", "show", "--no-all-versions", META_PACKAGE)
    found = re.search(r"^Depends: (linux-image-\S+) \(= (\S+)\)", fields, re.MULTILINE)
    if found is None:
        raise NoKernelError(f"apt knows no {META_PACKAGE} (`apt-get update`)")
    return KernelPackage(found[1], found[2])


def unpack(package: KernelPackage, folder: Path) -> Path:
    """Download the package into `folder`, and unpack it there. Returns the root of what it holds."""
    _run("apt-get", "download", f"{package.name}={package.version}", cwd=folder)
    (deb,) = folder.glob("*.deb")
    root = folder / "kernel"
    _run("dpkg-deb", "--extract", str(deb), str(root))
    return root


def bootable(root: Path) -> bytes:
    """The kernel as ELF if it is packed with xz, else as it is.

    qemu enters an ELF kernel by its PVH note, which saves some 10 s of unpacking under emulation.
    """
    (packed,) = (root / "boot").glob("vmlinuz-*")
    image = packed.read_bytes()
    for found in re.finditer(re.escape(XZ_MAGIC), image):
        try:
            elf = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[found.start() :])
        except lzma.LZMAError:
            continue
        if elf.startswith(b"\x7fELF"):
            return elf
    return image


def _content(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def _needs(content: bytes) -> list[str]:
    found = re.search(rb"\0depends=([^\0]*)\0", content)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def modules(root: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """The wanted modules and all that they need, each after what it needs. One that is built in is left out."""
    paths = {path.name.split(".")[0].replace("-", "_"): path for path in root.glob("lib/modules/**/*.ko*")}
    loaded: dict[str, bytes] = {}

    def load(name: str) -> None:
        if name in loaded or name not in paths:
            return
        content = _content(paths[name])
        for needed in _needs(content):
            load(needed)
        loaded[name] = content

    for name in wanted:
        load(name)
    return loaded
