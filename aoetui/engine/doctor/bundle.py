"""The support bundle: one new .tar.gz of everything that helps to help, and a MANIFEST that says what each file is and why.

Nothing is taken that may be secret: no environment, no comments of the config, no command lines, no file beyond this list.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import fields
from typing import TYPE_CHECKING

from aoetui.engine import places
from aoetui.engine.api import EngineError
from aoetui.engine.atomic import make_folder, replace_file
from aoetui.engine.commands.doctor import Bundle, Examine, MakeBundle, Report
from aoetui.engine.doctor import bundle_parts
from aoetui.engine.doctor.bundle_parts import Part
from aoetui.engine.doctor.examine import examine
from aoetui.engine.snapshot import to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from aoetui.engine.core import Core
    from aoetui.engine.snapshot import EngineSnapshot


def make_bundle(core: Core, snapshot: Callable[[], EngineSnapshot], command: MakeBundle) -> Bundle:
    """Gather it. Raises EngineError where the file exists or cannot be made."""
    now, shown = core.clock.wall(), snapshot()
    path = command.path or _default_path(shown.host, now)
    if os.path.lexists(path):
        raise EngineError(f"{path} exists: name a file that does not", field="path")
    report = command.report or examine(core, Examine())
    parts = _parts(core, shown, report, command.config)
    content = _packed(path.name.removesuffix(".tar.gz"), parts, now)
    try:
        if command.path is None:
            make_folder(path.parent)
        replace_file(path, content)
    except OSError as failed:
        raise EngineError(f"the bundle {path} cannot be made: {failed.strerror}; name another place", field="path") from failed
    return Bundle(path, ("MANIFEST", *(part.name for part in parts)), len(content))


def _default_path(host: str, now: datetime) -> Path:
    return places.state_dir() / "bundles" / f"aoetui-{host}-{now.astimezone():%Y%m%d-%H%M%S}.tar.gz"


def _parts(core: Core, shown: EngineSnapshot, report: Report, config: Path | None) -> list[Part]:
    whole = {field.name: getattr(report, field.name) for field in fields(report)}
    return [
        Part("doctor.txt", "what the doctor found, and what to do", lambda: "\n".join(report.lines())),
        Part("doctor.json", "the same for programs", lambda: json.dumps(to_json(whole), indent=1)),
        Part(
            "snapshot.json",
            "devices, exports, links and the Linux driver as aoetui shows them",
            lambda: json.dumps(to_json(shown), indent=1),
        ),
        Part("events.txt", "what happened since this aoetui was started", lambda: bundle_parts.events(core.events.since(0))),
        Part("config.json", "the config as it is understood, without comments", lambda: bundle_parts.config(config, core)),
        Part("log.txt", "the end of aoetui's own log", lambda: bundle_parts.tail(places.log_file())),
        *bundle_parts.of_host([link for _, link in sorted(core.links.current().items())]),
    ]


def _packed(folder: str, parts: list[Part], now: datetime) -> bytes:
    """A tar of text files, each read now; one that cannot be read says why."""
    texts = {part.name: _text_of(part) for part in parts}
    head = "What is in this bundle of aoetui, and why. There is nothing else, and nothing that is meant to be secret;\n"
    head += "it names hosts, interfaces, MACs, disks and paths of this machine, and config strings as they stand on the wire.\n\n"
    listing = "".join(f"{name:<14} {why}\n" for name, why in [("MANIFEST", "this list"), *((p.name, p.why) for p in parts)])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, text in {"MANIFEST": head + listing, **texts}.items():
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now.timestamp())
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _text_of(part: Part) -> str:
    try:
        return part.content()
    except (OSError, EngineError) as failed:
        return f"not to be had: {failed}\n"
