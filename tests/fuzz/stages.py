"""A stage: some exports on one interface, twice. Once as the pure machines have them, once as the oracle has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.facts import AccessPolicy, ExportFacts, PortFacts, TargetState
from aoetui.engine.protocol.wire import longest_frame, sectors_per_frame
from tests.fuzz import oracle
from tests.fuzz.machines import Machine, Machines
from tests.fuzz.oracle import Content, Disk, Oracle
from tests.fuzz.requests import Place, World

if TYPE_CHECKING:
    from tests.fuzz.dice import Dice

TARGET = bytes.fromhex("020000000009")
MACS = tuple(bytes.fromhex("0200000001") + bytes((number,)) for number in range(8))
SERIAL, FIRMWARE = "FUZZ0000000000000001", "1.2.3"
_MTUS = (1500, 1500, 1500, 9000, 4200, 576, 300)
_ADDRESSES = ((9, 1), (9, 2), (8, 1), (0, 0), (65534, 254), (4095, 3))
_SIZES = (1, 2, 3, 64, 1000, 0x0FFF_FFFF, 0x1000_0001, 1 << 32, (1 << 48) - 1)


def before(lba: int) -> bytes:
    """What a sector holds that was never written."""
    return lba.to_bytes(8) * 64


@dataclass(frozen=True, slots=True)
class Stage:
    """The two, and what frames are made for."""

    world: World
    machines: Machines
    oracle: Oracle

    def clear(self, number: int) -> None:
        """Empty the lists of one export on both sides, as a person does at the console: it may have locked everybody out."""
        machine, disk = self.machines.machines[number], self.oracle.disks[number]
        machine.facts = machine.facts.with_state(TargetState(disk.string))
        disk.mask, disk.holders = [], []

    def differences(self) -> str:
        """What the machines made of disks and states that the oracle did not."""
        for machine, disk in zip(self.machines.machines, self.oracle.disks, strict=True):
            if machine.content.written != disk.content.written:
                return f"e{disk.shelf}.{disk.slot} holds other sectors than were written"
            if state_of(machine.facts.state) != disk.state:
                return f"e{disk.shelf}.{disk.slot} has the state {machine.facts.state}, not {disk.state}"
        return ""


def state_of(state: TargetState) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """As `Disk.state` has it."""
    return state.config_string, tuple(mac.raw for mac in state.mask), tuple(mac.raw for mac in state.reservation)


def make_stage(rng: Dice) -> Stage:
    """One to three exports of any size, policy and state, on an interface of any MTU."""
    mtu = rng.pick(_MTUS)
    disks = [_disk(rng, address, mtu) for address in rng.sample(_ADDRESSES, rng.pick((1, 2, 3)))]
    return stage_of(disks, mtu, changes=rng.pick((0.1, 0.5)))


def stage_of(disks: list[Disk], mtu: int, *, changes: float = 0.0) -> Stage:
    """These exports, on an interface of this MTU; `changes` as in World."""
    port = PortFacts(mac=Mac(TARGET), sector_count=sectors_per_frame(mtu), frame_limit=longest_frame(mtu))
    world = World(
        mac=TARGET,
        most_sectors=port.sector_count,
        places=[Place(disk.shelf, disk.slot, disk.content.sectors) for disk in disks],
        macs=MACS,
        changes=changes,
    )
    return Stage(world, Machines(port, [machine_of(disk) for disk in disks]), Oracle(TARGET, mtu, disks))


def _disk(rng: Dice, address: tuple[int, int], mtu: int) -> Disk:
    sectors = rng.pick(_SIZES)
    page = oracle.identify_page(sectors=sectors, serial=SERIAL, firmware=FIRMWARE, write_cache=True)
    return Disk(
        shelf=address[0],
        slot=address[1],
        content=Content(sectors, before),
        page=page,
        read_only=rng.random() < 0.25,
        buffers=rng.pick((2, 64, 65535)),
        longest=longest_frame(rng.pick((mtu, mtu, 1500, 576))),
        deny=frozenset(rng.sample(MACS, rng.pick((0, 0, 1)))),
        accept=None if rng.random() < 0.8 else frozenset(MACS[:6]),
        string=rng.pick((b"", b"web01", bytes(1024))),
        mask=list(rng.pick(((), (), MACS[:4]))),
        holders=list(rng.pick(((), (), MACS[:2]))),
    )


def machine_of(disk: Disk) -> Machine:
    """The same export for the machines, with a disk of its own."""
    facts = ExportFacts(
        address=Address(disk.shelf, disk.slot),
        sectors=disk.content.sectors,
        identify=identify_page(sectors=disk.content.sectors, serial=SERIAL, firmware=FIRMWARE, write_cache=True),
        read_only=disk.read_only,
        buffer_count=disk.buffers,
        policy=AccessPolicy(
            deny=frozenset(Mac(mac) for mac in disk.deny),
            accept=None if disk.accept is None else frozenset(Mac(mac) for mac in disk.accept),
        ),
        frame_limit=disk.longest,
    )
    state = TargetState(disk.string, tuple(Mac(mac) for mac in disk.mask), tuple(Mac(mac) for mac in disk.holders))
    return Machine(facts.with_state(state), Content(disk.content.sectors, disk.content.before))
