"""Whoever shares the Ethernet can make up devices without end: few events tell of them, and what matters stays in the ring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import ChooseInterfaces, Discover
from aoetui.engine.clock import Clock
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import ConfigArgument, Frame, encode
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import VERSION, Command
from aoetui.engine.san_events import TOLD_SINGLY
from aoetui.engine.snapshot import DeviceState
from tests.support.engines import PATIENCE, add, disk, engine_in, spec
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.net.conftest import Cable

COUNT = 200
AT_ONCE = 8


def advertisement(number: int, to: Mac) -> bytes:
    """Of a device that does not exist, with a MAC of its own."""
    header = Header(
        to,
        Mac(b"\x02\xee" + number.to_bytes(4, "big")),
        VERSION,
        response=True,
        error=None,
        shelf=1 + number // 100,
        slot=number % 100,
        command=Command.QUERY_CONFIG,
        tag=0,
    )
    return encode(Frame(header, ConfigArgument(16, 1, 2, VERSION, 0, b"")))


def known(engine: LocalEngine, state: DeviceState) -> int:
    """Devices in this state."""
    return sum(device.state is state for device in engine.snapshot().devices)


def test_thousands_of_devices_that_come_and_go_are_few_events(cable: Cable) -> None:
    now = 1000.0
    with engine_in(cable.pair.near, clock=Clock(monotonic=lambda: now)) as engine:
        engine.submit(ChooseInterfaces((cable.pair.near_link,))).result(PATIENCE)
        before = len(engine.events(0))
        for first in range(0, COUNT, AT_ONCE):
            cable.far.send([advertisement(number, cable.near.mac) for number in range(first, first + AT_ONCE)])
            seen = first + AT_ONCE
            wait_until(lambda: known(engine, DeviceState.UP) == seen, "they are known")  # noqa: B023  # called at once
        now += 1.0

        def texts() -> list[str]:
            engine.submit(Discover()).result(PATIENCE)
            return [event.text for event in engine.events(0)[before:]]

        wait_until(lambda: any(text.endswith("more answer") for text in texts()), "they are told")
        assert len(texts()) <= 2 * TOLD_SINGLY + 2, "those of the first second's beginning, and all others by two events"

        def silent() -> int:
            nonlocal now
            now += 3.0
            engine.submit(Discover()).result(PATIENCE)
            return known(engine, DeviceState.SILENT)

        wait_until(lambda: silent() == COUNT, "they are silent")
        wait_until(lambda: f"{Address(1, 0)}, e1.1, e1.2 and {COUNT - 3} more are silent" in texts(), "that is told")
        assert len(texts()) <= 2 * TOLD_SINGLY + 3


def test_our_export_is_not_told_as_silent_when_another_at_its_address_is(cable: Cable, tmp_path: Path) -> None:
    now = 1000.0
    with engine_in(cable.pair.near, clock=Clock(monotonic=lambda: now)) as engine:
        add(engine, spec(disk(tmp_path), address=Address(1, 0)))
        engine.submit(ChooseInterfaces((cable.pair.near_link,))).result(PATIENCE)
        cable.far.send([advertisement(0, cable.near.mac)])
        wait_until(lambda: bool(engine.snapshot().devices[0].paths), "another answers")

        def texts() -> list[str]:
            nonlocal now
            now += 3.0
            engine.submit(Discover()).result(PATIENCE)
            return [event.text for event in engine.events(0) if event.subject == "e1.0"]

        wait_until(lambda: "02:ee:00:00:00:00 on near0 answers for it no more" in texts(), "that is told")
        assert not [text for text in texts() if "silent" in text or text == "answers"]
