"""Who is answered: by deny, accept and mask list, in this order; who is not is met with silence, counted and listed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, SetMask, StartExport, StopExport
from aoetui.engine.config import ConfigError
from aoetui.engine.protocol.address import BROADCAST_MAC, Mac
from aoetui.engine.protocol.frames import decode
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, SECTOR, AtaOp
from aoetui.engine.snapshot import ExportState
from tests.support.engines import E91, PATIENCE, add, at_work, disk, engine_in, spec, the_export
from tests.support.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

ME = "02:00:00:00:00:02"
"""The initiator at the far end of a cable."""
OTHER, THIRD = "02:00:00:00:00:77", "02:00:00:00:00:78"


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ({"deny": (ME,)}, Silence.DENIED),
        ({"deny": (ME,), "accept": (ME,), "mask": (Mac.parse(ME),)}, Silence.DENIED),
        ({"accept": (OTHER,)}, Silence.NOT_ACCEPTED),
        ({"accept": (OTHER,), "mask": (Mac.parse(OTHER),)}, Silence.NOT_ACCEPTED),
        ({"accept": (ME,), "mask": (Mac.parse(OTHER),)}, Silence.MASKED),
        ({"deny": (OTHER,), "mask": (Mac.parse(OTHER),)}, Silence.MASKED),
    ],
)
def test_who_is_shut_out_hears_nothing_and_is_listed(
    near: LocalEngine, ini: Initiator, tmp_path: Path, lists: dict[str, tuple[str | Mac, ...]], why: Silence
) -> None:
    path = disk(tmp_path)
    before = path.read_bytes()
    add(near, spec(path, **lists))
    ini.target = near._core.ports.require("near0").facts.mac
    frames = [
        ini.request(AtaOp.WRITE_EXT, 3, 1, b"\xa5" * SECTOR, 1),
        ini.request(AtaOp.READ_EXT, 3, 1, b"", 2),
        ini.request(AtaOp.IDENTIFY, 0, 1, b"", 3),
    ]
    ini.wire.send(frames)
    wait_until(lambda: the_export(near).refused_frames == len(frames), "each is counted")
    export = the_export(near)
    (refused,) = export.refused
    assert (str(refused.mac), refused.interface, refused.why, refused.count) == (ME, "near0", why, len(frames))
    assert refused.first <= refused.last
    (link,) = [link for link in near.snapshot().links if link.name == "near0"]
    assert dict(link.silences) == {why: len(frames)}
    assert export.initiators == ()
    assert path.read_bytes() == before
    heard = [frame.header for frame in ini.decoded(ini.wire.receive(0)) if frame.header.response]
    assert not {1, 2, 3} & {header.tag for header in heard}


def test_who_is_accepted_is_served(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), accept=(OTHER, ME), deny=(THIRD,), mask=(Mac.parse(ME),)))
    ini.find()
    assert ini.read(1, 1)
    assert (the_export(near).refused, the_export(near).refused_frames) == ((), 0)


def test_forged_macs_fill_no_list(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), accept=(ME,)))
    ini.find()
    template = ini.request(AtaOp.READ_EXT, 0, 1, b"", 7)
    for number in range(600):
        ini.wire.send([template[:6] + b"\x06\0" + number.to_bytes(4, "big") + template[12:]])
        if number % 64 == 0:  # no more than the ring holds
            assert ini.read(1, 1)
    wait_until(lambda: the_export(near).refused_frames == 600, "each is counted")
    listed = the_export(near).refused
    assert len(listed) == 256
    assert listed[0].mac == Mac.parse("06:00:00:00:02:57"), "the latest first"


def test_groups_of_the_config_are_those_of_the_file_when_it_is_opened(
    veth_pair: VethPair, ini: Initiator, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[acl]\nrack = ['{OTHER}']\n")
    with engine_in(veth_pair.near, config) as engine:
        add(engine, spec(disk(tmp_path), accept=("rack",)))
        assert at_work(engine).facts.policy.accept == frozenset({Mac.parse(OTHER)})
        config.write_text(config.read_text().replace(OTHER, ME))
        engine.submit(StopExport(E91)).result(PATIENCE)
        engine.submit(StartExport(E91)).result(PATIENCE)
        ini.find()
        engine.submit(StopExport(E91)).result(PATIENCE)
        config.write_text(config.read_text().replace("rack =", "racks ="))
        with pytest.raises(ConfigError, match=r"config\.toml:\d+: accept holds 'rack'"):
            engine.submit(StartExport(E91)).result(PATIENCE)
        assert the_export(engine).state is ExportState.STOPPED


def test_a_config_with_a_word_that_means_nothing_serves_nothing(veth_pair: VethPair, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    with engine_in(veth_pair.near, config) as engine:
        add(engine, spec(disk(tmp_path)))
    config.write_text(config.read_text() + "deny = ['nobody-knows']\n")
    with (
        pytest.raises(ConfigError, match=r"config\.toml:\d+: deny holds 'nobody-knows'.*correct it"),
        engine_in(veth_pair.near, config),
    ):
        pass


def test_a_host_that_left_ethers_keeps_the_export_closed(near: LocalEngine, tmp_path: Path) -> None:
    ethers = tmp_path / "ethers"
    near._core.acl.ethers = ethers  # /etc/ethers is the host's, not a test's to change
    wanted = spec(disk(tmp_path), accept=("web01",))
    with pytest.raises(EngineError, match="accept holds 'web01'") as refused:
        add(near, wanted)
    assert refused.value.field == "accept"
    ethers.write_text(f"{ME} web01\n")
    add(near, wanted)
    near.submit(StopExport(E91)).result(PATIENCE)
    ethers.write_text("")
    with pytest.raises(EngineError, match="accept holds 'web01'"):
        near.submit(StartExport(E91)).result(PATIENCE)
    assert the_export(near).state is ExportState.STOPPED


@pytest.fixture
def tap(veth_pair: VethPair) -> Iterator[socket.socket]:
    """Hears every AoE frame that reaches the far end, whomever it is for."""

    def opened() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_AOE))
        made.bind((veth_pair.far_link, ETHERTYPE_AOE))
        made.settimeout(DEADLINE)
        return made

    with veth_pair.far.run(opened) as made:
        yield made


def audience(tap: socket.socket, last: bytes) -> set[str]:
    """Whom the advertisements before the frame `last` were for."""
    found = set()
    while (raw := tap.recv(65536)) != last:
        header = decode(raw).header
        if header.response and header.tag == 0:
            found.add(str(header.destination))
    return found


@pytest.mark.parametrize(
    ("lists", "wanted"),
    [
        ({}, {str(BROADCAST_MAC)}),
        ({"deny": (OTHER,)}, {str(BROADCAST_MAC)}),
        ({"accept": (OTHER, THIRD)}, {OTHER, THIRD}),
        ({"accept": (OTHER, THIRD), "deny": (THIRD,)}, {OTHER}),
        ({"mask": (Mac.parse(ME), Mac.parse(OTHER))}, {ME, OTHER}),
        ({"mask": (Mac.parse(ME), Mac.parse(OTHER)), "accept": (OTHER, THIRD)}, {OTHER}),
    ],
)
def test_advertisements_go_to_those_who_are_answered(
    near: LocalEngine, tap: socket.socket, tmp_path: Path, lists: dict[str, tuple[str | Mac, ...]], wanted: set[str]
) -> None:
    add(near, spec(disk(tmp_path), **lists))
    port = near._core.ports.require("near0")
    mark = b"\xff" * 6 + port.facts.mac.raw + b"\x88\xa2" + bytes(46)
    port.send([mark])
    assert audience(tap, mark) == wanted


def test_an_advertisement_follows_the_mask_of_now(
    near: LocalEngine, veth_pair: VethPair, tap: socket.socket, tmp_path: Path
) -> None:
    add(near, spec(disk(tmp_path)))
    port = near._core.ports.require("near0")
    marks = [b"\xff" * 6 + port.facts.mac.raw + b"\x88\xa2" + bytes(45) + bytes([number]) for number in (1, 2)]
    port.send([marks[0]])
    assert audience(tap, marks[0]) == {str(BROADCAST_MAC)}
    near.submit(SetMask(E91, (Mac.parse(OTHER),))).result(PATIENCE)
    veth_pair.near.set_link("near0", mtu=1400)
    wait_until(lambda: told(near) == 1414, "it was advertised again")
    port.send([marks[1]])
    assert audience(tap, marks[1]) == {OTHER}


def told(near: LocalEngine) -> int:
    """The frame limit when the export was last advertised."""
    held = near._core.serving.get(E91)
    assert held is not None
    port, _ = held.told["near0"]
    return port.frame_limit
