"""Makes the guest's kernel and first file system once, into the cache folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from . import archive, cache, kernel
from .machine import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = ("virtio_pci", "virtio_console", "virtio_net", "crc32c_generic", "ext4", "aoe")
PROGRAMS = ("mkfs.ext4", "e2fsck", "bash")
SCRIPTS = ("aoe-discover", "aoe-stat", "aoe-revalidate", "aoe-flush")
HOST_TOOLS = ("qemu-system-x86_64", "busybox", "ldd", "dpkg-deb", *PROGRAMS, *SCRIPTS)
"""What this host needs so that the guest can be built and run."""


def _found(program: str) -> Path:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(program)
    return Path(path)


def with_libraries(program: Path) -> Iterator[archive.Entry]:
    """A program of this host and what it is linked with, where they are here."""
    listed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    for path in (str(program), *re.findall(r"(/\S+)", listed)):
        yield archive.file(path.lstrip("/"), Path(path).read_bytes(), executable=True)


def _file_system(root: Path) -> Iterator[archive.Entry]:
    yield archive.file("init", (Path(__file__).parent / "init").read_bytes(), executable=True)
    yield from (archive.directory(name) for name in ("proc", "sys", "dev", "tmp", "mnt", "job"))
    yield archive.character_device("dev/console", 5, 1)
    yield archive.link("etc/mtab", "/proc/mounts")
    yield archive.link("bin/bash", "/usr/bin/bash")  # for aoe-stat
    yield archive.file("bin/busybox", _found("busybox").read_bytes(), executable=True)
    for program in PROGRAMS:
        yield from with_libraries(_found(program))
    for script in SCRIPTS:
        yield archive.file(f"usr/sbin/{script}", _found(script).read_bytes(), executable=True)
    modules = kernel.modules(root, MODULES)
    yield from (archive.file(f"modules/{name}.ko", content) for name, content in modules.items())
    order = [name for name in modules if name != "aoe"]  # it asks the wire once, when it is loaded: last, when eth0 is up
    yield archive.file("modules/order", "".join(f"{name}\n" for name in order).encode())


def _place() -> Path:
    return cache.place("small", ("archive.py", "build.py", "init", "kernel.py"))


def _make(ready: Path, scratch: Path) -> None:
    root = kernel.unpack(kernel.newest_package(), scratch)
    (ready / "vmlinux").write_bytes(kernel.bootable(root))
    (ready / "initramfs.cpio").write_bytes(archive.archive(_file_system(root)))


def built_guest() -> Guest | None:
    """The guest for the kernel that apt would install, if these same scripts built it before.

    Raises NoKernelError when apt does not know that kernel.
    """
    place = _place()
    return Guest(place / "vmlinux", place / "initramfs.cpio") if place.is_dir() else None


def build_guest() -> Guest:
    """The same, built first if need be. Raises NoKernelError when the kernel cannot be had."""
    place = _place()
    cache.fill(place, _make)
    return Guest(place / "vmlinux", place / "initramfs.cpio")
