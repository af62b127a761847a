"""The config file. A person edits it too: comments, order and every byte that an edit does not mean stay as they are."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.atomic import make_folder, remove_leftovers, replace_file
from aoetui.engine.config_edit import with_export, with_interfaces, without_export
from aoetui.engine.config_reading import Config, ConfigError, read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aoetui.engine.protocol.address import Address
    from aoetui.engine.spec import ExportSpec

__all__ = ["BACKUPS", "Config", "ConfigError", "ConfigFile"]

BACKUPS = 3
"""Older versions that are kept beside the file: config.toml.1 (the newest) to config.toml.3."""

_MARK = "\ufeff"
"""The byte order mark that some editors put first. It says nothing in UTF-8, and tomllib refuses it; edits leave it there."""


class ConfigFile:
    """The config at `path`; with None there is none: it is empty, and edits are kept nowhere.

    Each edit reads the file anew, changes what is meant, judges the whole, and replaces the file at once, under a lock that
    other consoles heed. Raises ConfigError or NoPermissionError; then the file is as it was.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def load(self) -> Config:
        """What the file says; an empty Config if there is no file."""
        if self.path is None:
            return Config(None, ())
        return read_config(_read(self.path).removeprefix(_MARK), self.path)

    def put_export(self, spec: ExportSpec) -> None:
        """Add `spec`, or change the export of its address. Keys that have their default are not added."""
        if not spec.path.is_absolute():
            raise UsageError(f"{spec.path} is relative: name the backing from the root, as /srv/web01.img", field="path")
        self._edit(lambda text, config: with_export(text, config, spec))

    def set_enabled(self, address: Address, enabled: bool) -> None:
        """Change whether the export is served at start. Raises EngineError if the file has no such export."""

        def change(text: str, config: Config) -> str:
            return with_export(text, config, replace(self._find(config, address), enabled=enabled))

        self._edit(change)

    def remove_export(self, address: Address) -> None:
        """Remove the export, with the comment lines right above it. Raises EngineError if the file has no such export."""

        def change(text: str, config: Config) -> str:
            return without_export(text, config.exports.index(self._find(config, address)))

        self._edit(change)

    def set_interfaces(self, names: Sequence[str]) -> None:
        """Set `[engine] interfaces`."""
        self._edit(lambda text, config: text if config.interfaces == tuple(names) else with_interfaces(text, tuple(names)))

    def _find(self, config: Config, address: Address) -> ExportSpec:
        for spec in config.exports:
            if spec.address == address:
                return spec
        raise EngineError(f"{self.path} has no export {address}: it was removed meanwhile, or never saved")

    def _edit(self, change: Callable[[str, Config], str]) -> None:
        if self.path is None:
            return
        with _told_plainly(self.path):
            real = self.path.resolve()
            make_folder(real.parent)
            with _locked(real.parent):
                whole = _read(self.path)
                old = whole.removeprefix(_MARK)
                new = change(old, read_config(old, self.path))
                if new == old:
                    return
                _judge(new, self.path)
                remove_leftovers(real)
                _back_up(real, whole)
                replace_file(real, (whole.removesuffix(old) + new).encode())


def _judge(text: str, path: Path) -> None:
    try:
        read_config(text, path)
    except ConfigError as error:
        raise ConfigError(f"not saved, since it would read: {error}") from error


def _read(path: Path) -> str:
    with _told_plainly(path):
        try:
            return path.read_bytes().decode()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ConfigError(f"{path}:{line}: this is not UTF-8 text: save it as such") from error


@contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        text = f"no permission for {error.filename or path}: run aoetui as root, or name a config of your own with --config"
        raise NoPermissionError(text) from error
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path}: {error.strerror}: repair that, or name another config with --config"
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One edit at a time, among all programs of ours: a flock on the folder, which leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _back_up(path: Path, content: str) -> None:
    """Keep `content` as .1 and move the older ones up; nothing if .1 is that already, or there was no file."""
    copies = [path.with_name(f"{path.name}.{number}") for number in range(1, BACKUPS + 1)]
    if not path.exists() or (copies[0].exists() and copies[0].read_bytes() == content.encode()):
        return
    for older, newer in zip(reversed(copies[1:]), reversed(copies[:-1]), strict=True):
        if newer.exists():
            newer.replace(older)
    replace_file(copies[0], content.encode(), mode=path.stat().st_mode & 0o777)
