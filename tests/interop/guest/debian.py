"""Makes the Debian guest once, into the cache folder: a kernel, and a disk with systemd, Python and what aoetui imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from . import archive, cache, kernel
from .booting import DebianGuest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("aoetools", "dmsetup", "e2fsprogs", "fio", "iproute2", "kmod", "python3", "systemd-sysv", "udev")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
EARLY_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "crc32c_generic", "ext4")
"""Loaded before the disk is there."""
MODULES = (
    "8021q",
    "aoe",
    "bonding",
    "bridge",
    "dm_delay",
    "dm_flakey",
    "dm_mod",
    "dm_snapshot",
    "dummy",
    "loop",
    "sch_netem",
    "veth",
)
"""For modprobe."""
MASKED = (
    *("aoetools.service", "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("e2scrub_reap.service", "fstrim.timer", "getty.target", "systemd-timesyncd.service"),
)
"""Units that would do something of their own while a test runs, or wait for somebody to log in."""
FREE_BYTES = 512 << 20
"""Of the disk, beyond what is on it."""
HOST_TOOLS = ("qemu-system-x86_64", "busybox", "dpkg-deb", "mkfs.ext4", "mmdebstrap")
"""What this host needs so that the guest can be built and run."""
PROJECT = Path(__file__).parents[3]
SOURCES = ("archive.py", "debian.py", "kernel.py", "stage1", "stage2", "agent.service", "aoetui")
DEADLINE = 900


class NotRootError(Exception):
    """Only root can make a disk with the files of several users on it."""


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from error


def _release() -> str:
    """This host's own Debian: its apt knows the kernel, and its Python is the guest's."""
    facts = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return facts["VERSION_CODENAME"]


def _dependencies() -> list[str]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        named: list[str] = tomllib.load(file)["project"]["dependencies"]
    return named


def _lock() -> Path:
    return PROJECT / ".ci" / "requirements.lock"


def _place() -> Path:
    return cache.place("debian", SOURCES, _release().encode(), _lock().read_bytes(), "\n".join(_dependencies()).encode())


def _install_debian(root: Path) -> None:
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    _run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", *excluded, _release(), str(root))


def _install_modules(root: Path, kernel_root: Path) -> None:
    (whole,) = (kernel_root / "lib" / "modules").iterdir()
    folder = root / "lib" / "modules" / whole.name
    folder.mkdir(parents=True)
    for listing in whole.glob("modules.builtin*"):
        shutil.copy(listing, folder)
    (folder / "modules.order").touch()
    for name, content in kernel.modules(kernel_root, (*EARLY_MODULES, *MODULES)).items():
        (folder / f"{name}.ko").write_bytes(content)
    _run("chroot", str(root), "depmod", whole.name)


def _install_dependencies(root: Path, scratch: Path) -> None:
    """With a pip of our own: Debian's python3 has none."""
    (library,) = (root / "usr" / "lib").glob("python3.*")
    folder = root / "usr" / "local" / "lib" / library.name / "dist-packages"
    venv.create(scratch / "venv", with_pip=True)
    version = ("--only-binary=:all:", "--python-version", library.name.removeprefix("python"), "--no-compile")
    place = ("--target", str(folder), "--constraint", str(_lock()))
    _run(str(scratch / "venv" / "bin" / "pip"), "install", "--quiet", *version, *place, *_dependencies())
    (folder / "aoetui.pth").write_text("/opt/aoetui\n")
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", f"/{folder.relative_to(root)}")


def _configure(root: Path) -> None:
    here = cache.HERE
    (root / "etc" / "hostname").write_text("guest\n")
    (root / "etc" / "machine-id").write_text("0a0e" * 8 + "\n")  # an empty one makes each start the first one
    for name, folder in (("aoetui", "usr/local/bin"), ("stage2", "usr/local/sbin")):
        shutil.copy(here / name, root / folder / name)
        (root / folder / name).chmod(0o755)
    shutil.copy(here / "agent.service", root / "etc" / "systemd" / "system")
    _run("chroot", str(root), "systemctl", "--quiet", "enable", "agent.service")
    _run("chroot", str(root), "systemctl", "--quiet", "mask", *MASKED)
    _run("chroot", str(root), "systemctl", "--quiet", "set-default", "multi-user.target")


def _disk(root: Path, image: Path) -> None:
    used = sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))
    with image.open("wb") as file:
        file.truncate(used + FREE_BYTES)
    _run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-d", str(root), str(image))


def _first_file_system(kernel_root: Path) -> Iterator[archive.Entry]:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox")
    yield archive.file("init", (cache.HERE / "stage1").read_bytes(), executable=True)
    yield from (archive.directory(name) for name in ("proc", "sys", "dev", "disk", "overlay"))
    yield archive.character_device("dev/console", 5, 1)
    yield archive.file("bin/busybox", Path(busybox).read_bytes(), executable=True)
    modules = kernel.modules(kernel_root, EARLY_MODULES)
    yield from (archive.file(f"modules/{name}.ko", content) for name, content in modules.items())
    yield archive.file("modules/order", "".join(f"{name}\n" for name in modules).encode())


def _make(ready: Path, scratch: Path) -> None:
    kernel_root = kernel.unpack(kernel.newest_package(), scratch)
    root = scratch / "root"
    _install_debian(root)
    _install_modules(root, kernel_root)
    _install_dependencies(root, scratch)
    _configure(root)
    _disk(root, ready / "disk.img")
    (ready / "vmlinux").write_bytes(kernel.bootable(kernel_root))
    (ready / "initramfs.cpio").write_bytes(archive.archive(_first_file_system(kernel_root)))


def built_debian_guest() -> DebianGuest | None:
    """The guest for this Debian and these sources, if it was built before.

    Raises NoKernelError when apt does not know its kernel.
    """
    place = _place()
    return DebianGuest(place) if place.is_dir() else None


def build_debian_guest() -> DebianGuest:
    """The same, built first if need be.

    Raises NoKernelError when the kernel cannot be had, NotRootError for a user who cannot build it, and RuntimeError, with
    what it said, when a tool fails.
    """
    place = _place()
    if not place.is_dir() and os.geteuid() != 0:
        raise NotRootError("the Debian guest can be built by root alone")
    cache.fill(place, _make)
    return DebianGuest(place)
