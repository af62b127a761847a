"""The one place where the command line makes engines, and asks the host what they can run on."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from aoetui import logs
from aoetui.cli.options import parts
from aoetui.engine import places as folders
from aoetui.engine.api import ChooseInterfaces, Discover, EngineError, UsageError
from aoetui.engine.clock import Clock
from aoetui.engine.config import ConfigError, ConfigFile
from aoetui.engine.kernel.host import Host
from aoetui.engine.links import candidates, read_links, refusal_for
from aoetui.engine.local import LocalEngine
from aoetui.engine.packet import PacketSocket
from aoetui.engine.state import StateStore
from aoetui.engine.tracing.live import LiveTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from aoetui.engine.api import Command, Engine, Errand
    from aoetui.engine.commands.trace import TraceRequest
    from aoetui.engine.config import Config
    from aoetui.engine.links import LinkFacts
    from aoetui.engine.snapshot import DeviceSnapshot
    from aoetui.engine.spec import ExportSpec

Result = TypeVar("Result")
_ANSWER_SECONDS = 10.0
"""How long the engine may take over a command before we say so."""
_PATIENCE = 90.0
"""The same, of what the kernel may take long over."""
_NO_MODULES = "a module is loaded into the kernel that runs, not into a folder: leave --root out"


def log_file() -> Path:
    """Where the log is, whether it exists yet or not."""
    return folders.log_file()


def start_log() -> None:
    """Send what the engine logs to the journal or the log file."""
    logs.start(folders.log_file())


def places(config: Path | None) -> dict[str, Path]:
    """Where everything is kept."""
    return {"config": config or folders.config_file(), "state": folders.state_dir(), "log": folders.log_file()}


def chosen_interfaces(named: Sequence[str], config: Path | None) -> tuple[str, ...]:
    """The interfaces to speak on: those named, else `[engine] interfaces`. Each is looked at and opened once.

    Raises UsageError listing the candidates when nobody chose, EngineError for one that cannot carry AoE,
    NoPermissionError.
    """
    links = read_links()
    chosen = _chosen(named, config, links)
    for name in chosen:
        if refusal := refusal_for(name, links):
            raise EngineError(refusal, field="interfaces")
    for name in chosen:
        PacketSocket(name).close()
    return chosen


def configured_interfaces(config: Path | None) -> tuple[str, ...]:
    """`[engine] interfaces`, as it stands there; empty if nobody chose."""
    return _checked(ConfigFile(config or folders.config_file())).interfaces or ()


def traced_interfaces(named: Sequence[str], config: Path | None) -> tuple[str, ...]:
    """The interfaces to listen on: those named, else `[engine] interfaces`. Raises UsageError listing the candidates."""
    return _chosen(named, config, read_links())


def _chosen(named: Sequence[str], config: Path | None, links: Mapping[str, LinkFacts]) -> tuple[str, ...]:
    chosen = named_or_configured(named, config)
    if not chosen:
        usable = ", ".join(candidates(links)) or "none on this host can carry AoE now"
        raise UsageError(f"no interface is chosen: name one with -i, or in [engine] interfaces of the config ({usable})")
    return chosen


def live_trace(request: TraceRequest) -> LiveTrace:
    """A trace from frame to frame, to be entered. Raises EngineError."""
    return LiveTrace(request, Clock().wall, read_links)


@contextmanager
def san_engine(interfaces: Sequence[str], root: Path | None = None) -> Iterator[Engine]:
    """An engine that serves nothing and speaks on these interfaces: for commands to the devices of others.

    With no interface it speaks on none: for commands to the Linux driver, which is looked for below `root`.
    """
    engine = LocalEngine(compiled=False, host=None if root is None else Host(root, no_modules=_NO_MODULES))
    try:
        engine.start()
        if interfaces:
            engine.submit(ChooseInterfaces(tuple(interfaces))).result(_ANSWER_SECONDS)
        yield engine
    finally:
        engine.stop()


def ask(engine: Engine, command: Command[Result], seconds: float = _PATIENCE) -> Result:
    """Have a command carried out. Raises EngineError, also if it takes longer."""
    try:
        return engine.submit(command).result(seconds)
    except TimeoutError as error:
        text = f"no end of it within {seconds:.0f} s: the kernel's log (`dmesg`) may say what it waits for"
        raise EngineError(text) from error


def carry_out(errand: Errand[Result], named: Sequence[str], config: Path | None) -> Result:
    """Have one errand carried out on the interfaces that are named, or chosen in the config. Raises EngineError."""
    with san_engine(chosen_interfaces(parts(named), config)) as engine:
        return engine.submit(errand).result()


def survey(interfaces: Sequence[str], wait: float) -> tuple[DeviceSnapshot, ...]:
    """Broadcast once on these interfaces, listen for `wait` seconds, and return what answered, sorted by address."""
    with san_engine(interfaces) as engine:
        listen(engine, wait)
        return engine.snapshot().devices


def listen(engine: Engine, wait: float) -> None:
    """Broadcast once, and let what answers within `wait` seconds be heard."""
    engine.submit(Discover()).result(_ANSWER_SECONDS)
    time.sleep(wait)


def named_or_configured(named: Sequence[str], config: Path | None) -> tuple[str, ...]:
    """The interfaces named, else `[engine] interfaces`; none of them is looked at. Raises UsageError for an unusable config."""
    return tuple(named) or _checked(ConfigFile(config or folders.config_file())).interfaces or ()


@contextmanager
def watching_engine(interfaces: Sequence[str]) -> Iterator[Engine]:
    """An engine that serves nothing, and speaks on these interfaces as far as it can; it needs no privilege."""
    engine = LocalEngine(compiled=False)
    try:
        engine.start()
        with suppress(EngineError):  # why not is what the doctor is asked for
            engine.submit(ChooseInterfaces(tuple(interfaces))).result(_ANSWER_SECONDS)
        yield engine
    finally:
        engine.stop()


def export_engine(spec: ExportSpec, state: Path | None) -> LocalEngine:
    """An engine for one export that keeps no config, and state only in the folder `state`. Looks at its interfaces first."""
    chosen_interfaces(spec.interfaces, None)
    return LocalEngine(state=StateStore(state))


def console_engine(config: Path | None) -> LocalEngine:
    """The engine of the console, with the usual state. Raises UsageError for a config file that cannot be used."""
    file = ConfigFile(config or folders.config_file())
    _checked(file)
    return LocalEngine(config=file, state=StateStore(folders.state_dir()))


def _checked(file: ConfigFile) -> Config:
    """The config as it is. What is wrong with it is known without looking at the host: exit code 2."""
    try:
        return file.load()
    except ConfigError as error:
        raise UsageError(str(error)) from error
