"""What a path is, and whether it may be exported: looks, opens nothing for writing, changes nothing."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine import block_devices
from aoetui.engine.api import BackingReport, EngineError, NoPermissionError
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.window import choose_window
from aoetui.engine.writers import writer_of

if TYPE_CHECKING:
    from pathlib import Path

_SLOW = "its size is no multiple of 8 sectors (4096 bytes): Linux initiators then use it 512 bytes at a time, which is slow"


@dataclass(frozen=True, slots=True)
class Found:
    """A file or block device that may be exported, but for its size."""

    path: Path
    identity: tuple[int, int, int]
    """st_dev, st_ino, st_rdev."""
    block_device: bool
    size: int
    """Bytes."""
    model: str
    lasting: str
    """Of a block device: what the hardware or the volume manager calls it (block_devices.lasting_name)."""
    relatives: frozenset[str]
    """Running keys of what shares sectors with it: the disk of a partition, the partitions of a disk."""

    @property
    def running_key(self) -> str:
        """While this host runs, by whatever path: `st_dev:st_ino` of a file, `block:major:minor` of a block device."""
        return (
            _block_key(block_devices.number_of(self.identity[2]))
            if self.block_device
            else f"{self.identity[0]}:{self.identity[1]}"
        )

    @property
    def key(self) -> str:
        """What it is, also across restarts, which may number devices anew: a file's inode and real path, a device's own name
        or else its path.

        A file that another takes the place of, or that is moved, is another disk.
        """
        real = os.path.realpath(self.path)
        return f"block:{self.lasting or real}" if self.block_device else f"file:{self.identity[1]}:{real}"


def _block_key(number: str) -> str:
    return f"block:{number}"


def examine(path: Path, *, read_only: bool) -> Found:
    """Judge `path` for an export. Raises EngineError or NoPermissionError (field `path`): one sentence with the remedy."""
    status = _status(path)
    found = _identify(path, status)
    refuse_use(found, status, read_only=read_only)
    return found


def inspect(path: Path, *, read_only: bool = False) -> BackingReport:
    """The same as a report for the form, with what is to be warned of."""
    status = None
    try:
        status = _status(path)
        found = _identify(path, status)
    except EngineError as error:
        return BackingReport(path, status is not None, False, 0, "", str(error), "")
    refusal = ""
    try:
        choose_window(path, found.size, 0, None)
        refuse_use(found, status, read_only=read_only)
    except EngineError as error:
        refusal = str(error)
    warning = _SLOW if found.size // SECTOR % 8 else ""
    return BackingReport(path, True, found.block_device, found.size, found.model, refusal, warning)


def list_block_devices() -> tuple[BackingReport, ...]:
    """Every disk and partition of this host that has a size. Needs no privilege: what may not be opened says so."""
    paths = (block_devices.device_path(folder) for folder in block_devices.every_device())
    return tuple(inspect(path) for path in paths if path.exists())


def refuse_use(found: Found, status: os.stat_result, *, read_only: bool) -> None:
    """Raise EngineError if someone else uses it, or NoPermissionError if this user may not."""
    if found.block_device:
        use = block_devices.use_of(block_devices.folder_of(block_devices.number_of(status.st_rdev)), read_only=read_only)
        if use:
            raise EngineError(f"{found.path} is {use}: end that use first, or choose another", field="path")
    elif not read_only:
        _refuse_loop_or_swap(found.path, status)
    _refuse_permission(found, status, read_only=read_only)
    if not found.block_device and not read_only:
        _refuse_writer(found.path)


def permission_refusal(path: Path, *, read_only: bool) -> NoPermissionError:
    """The sentence for a path that the kernel lets this user not open, with the command that helps."""
    if os.geteuid() == 0:
        text = f"even root may not {'read' if read_only else 'write'} {path}: look at `lsattr -d {shlex.quote(str(path))}`"
        return NoPermissionError(text, field="path")
    words = [_program("sudo"), _program("chown"), pwd_name(), str(path)]
    return NoPermissionError(
        f"no permission to {'read' if read_only else 'read and write'} {path}: run aoetui as root, or `{shlex.join(words)}`",
        field="path",
    )


def pwd_name() -> str:
    """The name of this user, or the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _program(name: str) -> str:
    return shutil.which(name) or f"/usr/bin/{name}"


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as error:
        make = f"make it with `truncate -s 10G {shlex.quote(str(path))}`"
        remedy = "look for its name with `lsblk -p`" if path.is_relative_to("/dev") else make
        raise EngineError(f"{path} does not exist: {remedy}", field="path") from error
    except PermissionError as error:
        raise NoPermissionError(f"no permission to look into {path.parent}: run aoetui as root", field="path") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be looked at ({error}): choose another", field="path") from error


def _identify(path: Path, status: os.stat_result) -> Found:
    identity = (status.st_dev, status.st_ino, status.st_rdev)
    if stat.S_ISREG(status.st_mode):
        return Found(path, identity, False, status.st_size, "", "", frozenset())
    if not stat.S_ISBLK(status.st_mode):
        raise EngineError(f"{path} is {_kind(status.st_mode)}: choose a file or a block device", field="path")
    folder = block_devices.folder_of(block_devices.number_of(status.st_rdev))
    if not folder.exists():
        raise EngineError(f"{path} names a block device that this host does not have: choose another", field="path")
    related = frozenset(_block_key(block_devices.read(each / "dev")) for each in block_devices.relatives(folder))
    size, model, lasting = block_devices.size_of(folder), block_devices.model_of(folder), block_devices.lasting_name(folder)
    return Found(path, identity, True, size, model, lasting, related)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFCHR: "a character device", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "neither file nor device")


def _refuse_loop_or_swap(path: Path, status: os.stat_result) -> None:
    loop = block_devices.loop_on(status)
    if loop is not None:
        raise EngineError(f"{path} is in use as {loop}: detach it with `losetup -d {loop}`, or serve {loop}", field="path")
    if any(os.path.samestat(swap, status) for swap in block_devices.swap_table()):
        raise EngineError(f"{path} is swap space: end that with `swapoff {path}`, or choose another", field="path")


def _refuse_permission(found: Found, status: os.stat_result, *, read_only: bool) -> None:
    if not os.access(found.path, os.R_OK, effective_ids=True):
        raise permission_refusal(found.path, read_only=True)
    if read_only:
        return
    if found.block_device:
        folder = block_devices.folder_of(block_devices.number_of(status.st_rdev))
        if block_devices.read(folder / "ro") == "1":
            raise EngineError(f"{found.path} is write-protected: serve it read-only", field="path")
    elif os.statvfs(found.path).f_flag & os.ST_RDONLY:
        raise EngineError(f"{found.path} is on a file system that is mounted read-only: serve it read-only", field="path")
    if not os.access(found.path, os.W_OK, effective_ids=True):
        raise permission_refusal(found.path, read_only=False)


def _refuse_writer(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise permission_refusal(path, read_only=True) from error
    except OSError as error:
        raise EngineError(f"{path} cannot be opened ({error.strerror}): choose another", field="path") from error
    try:
        writer = writer_of(path, descriptor)
    finally:
        os.close(descriptor)
    if writer:
        raise EngineError(f"{path} is open for writing by {writer}: end that program first", field="path")
