"""MACs and addresses as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac


@pytest.mark.parametrize(
    "text", ["52:54:00:a0:e0:01", "52:54:0:A0:E0:1", "52-54-00-a0-e0-01", "525400A0E001", " 52:54:00:a0:e0:01\n"]
)
def test_mac_spellings(text: str) -> None:
    assert Mac.parse(text).raw == bytes.fromhex("525400a0e001")


@pytest.mark.parametrize(
    "text", ["", "52:54:00:a0:e0", "52:54:00:a0:e0:01:02", "52:54:00:a0:e0:g1", "525400a0e00", "٥٢:54:00:a0:e0:01"]
)
def test_mac_misspelt(text: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC"):
        Mac.parse(text)


@pytest.mark.parametrize("raw", [b"", bytes(5), bytes(7)])
def test_mac_of_another_length(raw: bytes) -> None:
    with pytest.raises(ValueError, match="6 bytes"):
        Mac(raw)


def test_multicast() -> None:
    assert BROADCAST_MAC.is_multicast
    assert Mac.parse("01:00:5e:00:00:01").is_multicast
    assert not Mac.parse("02:00:00:00:00:01").is_multicast


@given(st.binary(min_size=6, max_size=6))
def test_mac_text_reads_the_same(raw: bytes) -> None:
    assert Mac.parse(str(Mac(raw))) == Mac(raw)


@pytest.mark.parametrize("text", ["e9.1", "9.1", " e9.1 ", "e09.01"])
def test_address_spellings(text: str) -> None:
    assert Address.parse(text) == Address(9, 1)


@pytest.mark.parametrize("text", ["", "9", "e9", "e9.", ".1", "e9.1.1", "e-9.1", "f9.1", "e9.1p1", "e٩.1"])
def test_address_misspelt(text: str) -> None:
    with pytest.raises(ValueError, match=r"write shelf\.slot, as e9\.1"):
        Address.parse(text)


@pytest.mark.parametrize(("shelf", "slot"), [(0, 0), (65534, 254)])
def test_outermost_addresses(shelf: int, slot: int) -> None:
    assert Address.parse(f"e{shelf}.{slot}") == Address(shelf, slot)


@pytest.mark.parametrize(("text", "names"), [("e65535.1", "shelf 65535"), ("e1.255", "slot 255"), ("e999999.1", "shelf 999999")])
def test_address_out_of_range(text: str, names: str) -> None:
    with pytest.raises(ValueError, match=f"{names} is out of range"):
        Address.parse(text)


@given(st.integers(0, 65534), st.integers(0, 254))
def test_address_text_reads_the_same(shelf: int, slot: int) -> None:
    assert Address.parse(str(Address(shelf, slot))) == Address(shelf, slot)


def test_addresses_sort_by_number() -> None:
    assert sorted([Address(10, 0), Address(9, 10), Address(9, 9)]) == [Address(9, 9), Address(9, 10), Address(10, 0)]
