"""Who else serves an address: asked on the wire, and looked up among this host's own packet sockets.

Two sockets on one interface of one host never hear each other, so another AoE program here is invisible on the wire: the kernel's
list of packet sockets tells of it, and its command line (vblade) or its claims (aoetui) tell what it serves.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import ConfigArgument, MalformedFrame, config_request, decode
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, SCANNER_TAG_BIT
from aoetui.engine.vlan_tags import ETHERTYPE_ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from aoetui.engine.ports import Port

QUESTIONS = 3
QUESTION_GAP = 0.2
"""Seconds between two questions, and after the last."""
_TAG = SCANNER_TAG_BIT | 0x3E00_0000
_INITIATORS = frozenset({"aoeping", "aoecfg", "aoe-sancheck", "tcpdump", "dumpcap", "tshark", "wireshark"})
"""Programs that open such sockets and serve nothing."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else at an address, on one interface of ours."""

    address: Address
    interface: str
    text: str
    """One sentence that names who, and the remedy."""


class EndingError(EngineError):
    """The engine ends: what was not found free is not served any more."""

    def __init__(self) -> None:
        super().__init__("aoetui is ending: nothing new is begun; start it again")


class WireQuestions:
    """Asks on the wire who serves addresses. `heard` is fed with every response that any port receives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, Address], dict[Mac, None]] = {}
        self._stop = threading.Event()

    def heard(self, port: Port, frames: Iterable[bytes]) -> None:
        """Note who answers for an address that is being asked for."""
        if not self._asking:
            return
        for frame in frames:
            try:
                answer = decode(frame)
            except MalformedFrame:
                continue
            if not answer.header.response or not isinstance(answer.argument, ConfigArgument):
                continue
            try:
                key = (port.interface, Address(answer.header.shelf, answer.header.slot))
            except ValueError:
                continue
            with self._lock:
                if key in self._asking:
                    self._asking[key][answer.header.source] = None

    def ask(self, wanted: Iterable[tuple[Port, Address]], ours: Collection[Mac] = ()) -> list[Conflict]:
        """Ask three times, 200 ms apart, for each address on each port. Blocks 0.6 s.

        Raises EndingError once `stop` was called: an answer may have been on its way.
        """
        asked = list(wanted)
        with self._lock:
            for port, address in asked:
                self._asking.setdefault((port.interface, address), {})
        try:
            for number in range(QUESTIONS):
                for port, address in asked:
                    port.send([config_request(source=port.facts.mac, address=address, tag=_TAG | number)])
                if self._stop.wait(QUESTION_GAP):
                    raise EndingError
        finally:
            with self._lock:
                found = {(port.interface, address): self._asking.pop((port.interface, address), {}) for port, address in asked}
        return [
            Conflict(
                address, interface, f"{address} is answered by {mac} on {interface}: choose another address, or end that target"
            )
            for (interface, address), macs in found.items()
            for mac in macs
            if mac not in ours
        ]

    def stop(self) -> None:
        """Let every question that waits, now and later, end at once, without a result."""
        self._stop.set()


class Claims:
    """Names in the network namespace's abstract socket space: they tell other aoetui processes of this host what is served here.

    The kernel gives a name to one process only, and takes it back when that process ends.
    """

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}

    def announce(self, pid: int) -> None:
        """Let others know that this process is an aoetui, whose claims can be trusted to be complete."""
        self._bind(_process_name(pid))

    def claim(self, interface: str, address: Address) -> bool:
        """Take an address on an interface. False if another aoetui of this host has it."""
        return self._bind(_claim_name(interface, address))

    def force(self, interface: str, address: Address) -> None:
        """Take an address, or where another aoetui has it, let that one know that it is served by this process as well."""
        if not self.claim(interface, address):
            self._bind(_forced_name(interface, address, os.getpid()))

    def release(self, interface: str, address: Address) -> None:
        """Give it back."""
        for name in (_claim_name(interface, address), _forced_name(interface, address, os.getpid())):
            held = self._held.pop(name, None)
            if held is not None:
                held.close()

    def close(self) -> None:
        """Give everything back."""
        while self._held:
            self._held.popitem()[1].close()

    def _bind(self, name: str) -> bool:
        if name in self._held:
            return True
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind("\0" + name)
        except OSError:
            claim.close()
            return False
        self._held[name] = claim
        return True


@dataclass(frozen=True, slots=True)
class OtherProgram:
    """A program of this host, other than this one, that speaks AoE on an interface, or hears its frames."""

    name: str
    """Empty where it is not ours to see."""
    process: int | None
    user: int
    serves: tuple[Address, ...]
    """As its command line or its claims tell; empty: nothing, or unknown."""
    target: bool
    """Whether it may serve something: it is none of those that only ask or look."""


_Owner = tuple[int, str, list[str]]
"""Process, program name and arguments."""


@dataclass(frozen=True, slots=True)
class _PacketSocket:
    """One that hears the AoE frames of an interface, and is not ours."""

    inode: int
    user: int
    aoe_alone: bool
    """False: it hears all frames. Only another aoetui that serves a VLAN so is known to speak AoE by such a one."""


def on_this_host(addresses: Iterable[Address], port: Port) -> list[Conflict]:
    """Other programs of this host that serve one of these on this port, or whose addresses cannot be known.

    Those that hear untagged frames answer to a VLAN's too, if they are not an aoetui.
    """
    others = [(found, _owner(found.inode)) for found in _packet_sockets(port.index)]  # once for all: it takes some milliseconds
    names = _abstract_names()
    return [
        Conflict(address, port.interface, text)
        for address in addresses
        for text in dict.fromkeys(_suspicion(address, port.interface, *other, names) for other in others)  # each of its sockets
        if text
    ]


def rivals(port: Port, addresses: Collection[Address]) -> dict[Address, str]:
    """Who of this host has come to serve these addresses on this port beside us: a sentence for each, with the remedy."""
    found: dict[Address, str] = {}
    for other in _packet_sockets(port.index):
        owner = _owner(other.inode)
        if owner is None:
            continue
        pid, name, arguments = owner
        names = _abstract_names()
        for address in addresses:
            forced = _forced_name(port.interface, address, pid) in names
            if forced or (other.aoe_alone and _is_vblade(name, arguments, address)):
                found[address] = (
                    f"{'another aoetui' if forced else name} (process {pid}) serves {address} on {port.interface} as well:"
                    " initiators take the two for one disk and corrupt both; end one of them"
                )
    return found


def other_programs(interface: str, index: int, ours: Collection[Address]) -> tuple[OtherProgram, ...]:
    """All of them on one interface, without those that hear every frame and are not known to speak AoE. `ours` we serve there."""
    found: dict[int | str, OtherProgram] = {}
    names = _abstract_names()
    for each in _packet_sockets(index):
        owner = _owner(each.inode)
        if owner is None:
            if each.aoe_alone:
                found[f"of user {each.user}"] = OtherProgram("", None, each.user, (), target=True)
            continue
        pid, name, arguments = owner
        if _process_name(pid) in names:
            found[pid] = OtherProgram("aoetui", pid, each.user, _claimed(interface, pid, names, ours), target=True)
        elif each.aoe_alone:
            serves = _vblade_address(arguments) if name == "vblade" else ()
            found[pid] = OtherProgram(name, pid, each.user, serves, target=name not in _INITIATORS)
    return tuple(found.values())


def _claimed(interface: str, pid: int, names: Collection[str], ours: Collection[Address]) -> tuple[Address, ...]:
    """What another aoetui serves on an interface or in a VLAN of it; claims name no process, but those of ours are known."""
    pattern = re.compile(rf"aoetui/(?:serves/{re.escape(interface)}(?: vlan \d+)?/(\S+)|forces/[^/]+/(\S+)/{pid})")
    matches = (pattern.fullmatch(name) for name in names)
    claimed = {Address.parse(match[1] or match[2]): bool(match[2]) for match in matches if match}
    return tuple(sorted(address for address, forced in claimed.items() if forced or address not in ours))


def _vblade_address(arguments: list[str]) -> tuple[Address, ...]:
    try:
        shelf, slot = (_number(word) for word in arguments[-4:-2])
        return (Address(shelf, slot),)
    except ValueError:
        return ()


def _is_vblade(name: str, arguments: list[str], address: Address) -> bool:
    return name == "vblade" and [_number(word) for word in arguments[-4:-2]] == [address.shelf, address.slot]


def _suspicion(address: Address, interface: str, found: _PacketSocket, owner: _Owner | None, names: Collection[str]) -> str:
    if owner is not None and _process_name(owner[0]) in names:
        # Its claim is taken atomically when we claim ours; here only so that a form can tell beforehand.
        return (
            f"{address} is served on {interface} by another aoetui (process {owner[0]}): choose another address"
            if _claim_name(interface, address) in names
            else ""
        )
    if not found.aoe_alone:
        return ""
    if owner is None:
        return (
            f"another program (of user {found.user}) speaks AoE on {interface} and cannot be asked what it serves:"
            " end it, or serve with force"
        )
    pid, name, arguments = owner
    if name in _INITIATORS:
        return ""
    if name == "vblade":
        if not _is_vblade(name, arguments, address):
            return ""
        return f"{address} is served on {interface} by vblade (process {pid}): choose another address, or end it"
    return f"{name} (process {pid}) speaks AoE on {interface} and cannot be asked what it serves: end it, or serve with force"


def _number(word: str) -> int:
    """As vblade reads its arguments (atoi): `09` is 9."""
    digits = re.match(r"\s*([+-]?[0-9]+)", word)
    return int(digits[1]) if digits else 0


def _process_name(pid: int) -> str:
    return f"aoetui/process/{pid}"


def _claim_name(interface: str, address: Address) -> str:
    return f"aoetui/serves/{interface}/{address}"


def _forced_name(interface: str, address: Address, pid: int) -> str:
    return f"aoetui/forces/{interface}/{address}/{pid}"


def _abstract_names() -> set[str]:
    lines = Path("/proc/thread-self/net/unix").read_text(errors="replace").splitlines()[1:]
    return {line.split(maxsplit=7)[-1].removeprefix("@") for line in lines}  # the name may have spaces


def _packet_sockets(index: int) -> Iterator[_PacketSocket]:
    """Those on an interface, or on all (/proc/net/packet)."""
    own = {inode for inode, pid in _socket_owners([Path("/proc/self")])}
    for line in Path("/proc/thread-self/net/packet").read_text().splitlines()[1:]:
        _, _, _, protocol, interface, _, _, user, inode = line.split()[:9]
        ethertype = int(protocol, 16)
        if ethertype in (ETHERTYPE_AOE, ETHERTYPE_ALL) and int(interface) in (0, index) and int(inode) not in own:
            yield _PacketSocket(int(inode), int(user), aoe_alone=ethertype == ETHERTYPE_AOE)


def _socket_owners(processes: Iterable[Path]) -> Iterator[tuple[int, Path]]:
    for process in processes:
        try:
            entries = list((process / "fd").iterdir())
        except OSError:
            continue  # ended meanwhile, or another user's
        for entry in entries:
            with suppress(OSError):  # closed meanwhile
                link = entry.readlink().name
                if link.startswith("socket:["):
                    yield int(link[8:-1]), process


def _owner(inode: int) -> _Owner | None:
    """Process, program name and arguments of the holder of a socket; None if it is not ours to see."""
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    for found, process in _socket_owners(processes):
        if found == inode:
            try:
                name = (process / "comm").read_text().strip()
                arguments = (process / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            except OSError:
                return None
            return int(process.name), name, arguments
    return None
