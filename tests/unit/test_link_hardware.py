"""Card, driver and flow control: from folders as sysfs has them, and from the bytes of ethtool's answers.

The bytes are written here: no card is to be had in a private network, and a veth has no flow control.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.commands.paths import Pause, Troubles
from aoetui.engine.link_facts import LinkCounters, LinkFacts
from aoetui.engine.link_hardware import driver_name, pause_state, pci_id, troubles_of
from aoetui.engine.protocol.address import Mac

if TYPE_CHECKING:
    from pathlib import Path

ETH1 = LinkFacts(name="eth1", index=3, kind="ethernet", mac=Mac.parse("02:00:00:00:00:01"), mtu=9000, admin_up=True, carrier=True)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """With one card."""
    (tmp_path / "eth1" / "device").mkdir(parents=True)
    for name, text in (
        ("ifindex", "3\n"),
        ("address", "02:00:00:00:00:01\n"),
        ("device/vendor", "0x8086\n"),
        ("device/device", "0x10fb\n"),
    ):
        (tmp_path / "eth1" / name).write_text(text)
    return tmp_path


def test_the_card_is_named_as_aoe_sancheck_does(sysfs: Path) -> None:
    assert pci_id(ETH1, sysfs) == "8086:10fb"


def test_a_card_of_another_network_is_not_believed(sysfs: Path) -> None:
    """Sysfs shows the network that it was mounted in."""
    assert pci_id(replace(ETH1, index=4), sysfs) == ""
    assert pci_id(replace(ETH1, mac=Mac.parse("02:00:00:00:00:02")), sysfs) == ""


def test_where_there_is_no_card_nothing_is_named(sysfs: Path) -> None:
    assert pci_id(replace(ETH1, name="veth0"), sysfs) == ""
    (sysfs / "eth1" / "device" / "vendor").write_text("what\n")
    assert pci_id(ETH1, sysfs) == ""


@pytest.mark.parametrize("autonegotiated", [0, 1])
@pytest.mark.parametrize(("rx", "tx"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_flow_control_is_read(autonegotiated: int, rx: int, tx: int) -> None:
    answer = struct.pack("=IIII", 0x12, autonegotiated, rx, tx)
    assert pause_state(answer) == Pause(bool(autonegotiated), bool(rx), bool(tx))


def test_a_driver_is_read_to_its_end() -> None:
    assert driver_name(struct.pack("=I32s160x", 3, b"ixgbe\0rubbish")) == "ixgbe"


@given(st.binary(max_size=250))
def test_short_answers_tell_nothing(answer: bytes) -> None:
    assert (pause_state(answer) is None) == (len(answer) < 16)
    assert len(driver_name(answer)) <= 32


def test_what_was_lost_is_picked_out() -> None:
    counters = LinkCounters(rx_dropped=1, tx_dropped=2, rx_errors=3, tx_errors=4)
    assert troubles_of(counters) == Troubles(rx_errors=3, rx_dropped=1, tx_errors=4, tx_dropped=2)
