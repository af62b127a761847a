"""A device of somebody else, found and asked over a real wire; the far end is an engine of ours, or a test that answers badly."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ChooseInterfaces, EngineError, NoAnswerError
from aoetui.engine.conflicts import EndingError
from aoetui.engine.initiator.conversations import MAX_OPEN, Conversations
from aoetui.engine.initiator.remote_device import remote_device
from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, Frame, decode, encode
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import VERSION, AtaOp, Command
from tests.support.engines import E91, PATIENCE, add, disk, engine_in, spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair

IDENTIFY = AtaArgument(0, 0, 1, AtaOp.IDENTIFY, 0, b"")


@pytest.fixture
def asking(veth_pair: VethPair) -> Iterator[LocalEngine]:
    """An engine at the far end that has chosen its interface."""
    with engine_in(veth_pair.far) as engine:
        engine.submit(ChooseInterfaces(("far0",))).result(PATIENCE)
        yield engine


def test_a_device_is_found_and_answers(near: LocalEngine, asking: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    with remote_device(asking._core, E91) as device:
        (path,) = device.paths
        assert (path.port, str(path.mac), path.sector_count, path.buffer_count) == ("far0", veth_pair.near_mac, 2, 64)
        answer = device.ask(Command.ATA, IDENTIFY)
    assert isinstance(answer.frame.argument, AtaArgument)
    assert len(answer.frame.argument.data) == 512
    assert answer.path == path


def test_who_does_not_answer_is_named(asking: LocalEngine) -> None:
    with pytest.raises(NoAnswerError, match=r"e9\.1 does not answer on far0"), remote_device(asking._core, E91):
        pass


def test_one_of_our_own_is_no_remote_device(near: LocalEngine, tmp_path: Path) -> None:
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    path = disk(tmp_path)
    add(near, spec(path))
    with (
        pytest.raises(EngineError, match=r"e9\.1 is served by this host: use its backing .*disk\.img"),
        remote_device(near._core, E91),
    ):
        pass


def test_without_an_interface_it_says_so(near: LocalEngine) -> None:
    with pytest.raises(EngineError, match="no interface"), remote_device(near._core, E91):
        pass


@contextlib.contextmanager
def answering(pair: VethPair, answers: list[Frame | None]) -> Iterator[None]:
    """A target at the near end: answers a config query soundly, each further request by the next of `answers`, with its tag."""
    wire = pair.near.run(lambda: PacketSocket(pair.near_link))
    ended = threading.Event()

    def body() -> None:
        left = iter(answers)
        while not ended.is_set():
            for raw in wire.receive(0.05):
                asked = decode(raw).header
                if asked.command == Command.QUERY_CONFIG:
                    wire.send([encode(Frame(reply_header(asked, wire.mac), ConfigArgument(64, 1, 2, VERSION, 0, b"")))])
                elif (answer := next(left, None)) is not None:
                    wire.send([encode(Frame(replaced(answer.header, asked), answer.argument))])

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        wire.close()


def reply_header(asked: Header, source: Mac) -> Header:
    """Of e9.1's sound answer."""
    return header(asked.source, source, command=asked.command, tag=asked.tag)


def header(destination: Mac, source: Mac, *, command: int = Command.ATA, tag: int = 0, slot: int = 1) -> Header:
    """Of a response."""
    return Header(destination, source, VERSION, response=True, error=None, shelf=9, slot=slot, command=command, tag=tag)


def replaced(answer: Header, asked: Header) -> Header:
    """The answer's header with the tag of what was asked."""
    return header(answer.destination, answer.source, command=answer.command, tag=asked.tag, slot=answer.slot)


def test_another_ones_answer_does_not_count(asking: LocalEngine, veth_pair: VethPair) -> None:
    far, near_mac = Mac.parse(veth_pair.far_mac), Mac.parse(veth_pair.near_mac)
    page = AtaArgument(0, 0, 0, 0x40, 0, bytes(512))
    sound = Frame(header(far, near_mac), page)
    wrong = [
        Frame(header(far, Mac.parse("02:00:00:00:00:99")), page),
        Frame(header(far, near_mac, slot=2), page),
        Frame(header(far, near_mac, command=Command.RESERVE), page),
        None,
    ]
    with answering(veth_pair, [*wrong, sound]), remote_device(asking._core, E91) as device:
        answer = device.ask(Command.ATA, IDENTIFY, attempts=50, patience=0.1)
        assert answer.frame.header.source == near_mac
        assert answer.frame.header.slot == 1
        with pytest.raises(NoAnswerError, match=rf"e9\.1 \({near_mac}\) did not answer within 0\.2 s"):
            device.ask(Command.ATA, IDENTIFY, attempts=2, patience=0.1)


def test_who_waits_hears_that_the_engine_ends(asking: LocalEngine) -> None:
    conversation = asking._core.conversations.open()
    heard: list[BaseException] = []

    def wait() -> None:
        try:
            conversation.receive(PATIENCE)
        except EndingError as ending:
            heard.append(ending)

    thread = threading.Thread(target=wait)
    thread.start()
    asking.stop()
    thread.join()
    assert len(heard) == 1
    with pytest.raises(EndingError):
        asking._core.conversations.open()


def test_tags_are_given_back(asking: LocalEngine) -> None:
    conversations = Conversations(asking._core.ports)
    opened = [conversations.open() for _ in range(MAX_OPEN)]
    assert len({each.number for each in opened}) == MAX_OPEN
    with pytest.raises(RuntimeError):
        conversations.open()
    opened[7].close()
    assert conversations.open().number == opened[7].number


def test_each_conversation_hears_its_own_answers_alone(asking: LocalEngine, veth_pair: VethPair) -> None:
    core = asking._core
    far, near_mac = Mac.parse(veth_pair.far_mac), Mac.parse(veth_pair.near_mac)
    port = core.ports.require("far0")
    with core.conversations.open() as one, core.conversations.open() as other:
        frames = [
            encode(Frame(header(far, near_mac, tag=tag), AtaArgument(0, 0, 0, 0x40, 0, b"")))
            for tag in (one.tag(), other.tag(), 0x8000_0001, 5)
        ]
        assert core.conversations.heard(port, frames) == frames[2:]
        assert one.receive(0) == [("far0", frames[0])]
        assert other.receive(0) == [("far0", frames[1])]
        assert one.receive(0) == []


def test_an_address_of_another_shelf_is_not_taken_for_it(near: LocalEngine, asking: LocalEngine, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), address=Address(9, 2)))
    with pytest.raises(NoAnswerError), remote_device(asking._core, E91):
        pass
