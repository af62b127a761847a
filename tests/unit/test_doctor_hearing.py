"""What is made of frames that are only heard: any bytes at all may come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.doctor.hearing import DOCTOR_TAG, MAX_KEPT, Ears, Heard, Served, VlanTraffic
from aoetui.engine.doctor.neighbour import Neighbour, neighbour_of
from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.header import Header, pack_header
from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, Command

OURS, TARGET, OTHER = (Mac.parse(f"02:00:00:00:00:0{number}") for number in (1, 2, 3))
E91 = Address(9, 1)
LLDP_HEAD = bytes.fromhex("0180c200000e") + TARGET.raw + b"\x88\xcc"


def aoe(source: Mac, destination: Mac, *, response: bool, tag: int = 1, address: Address | None = E91) -> bytes:
    """An AoE frame, as long as a card makes it."""
    shelf, slot = (BROADCAST_SHELF, BROADCAST_SLOT) if address is None else (address.shelf, address.slot)
    header = Header(destination, source, 1, response, None, shelf, slot, Command.QUERY_CONFIG, tag)
    return pack_header(header).ljust(60, b"\0")


def heard(*frames: tuple[int | None, bytes], vlan: int | None = None) -> Heard:
    """What eth1 hears of them."""
    ears = Ears(OURS, vlan)
    for tag, frame in frames:
        ears.hear(tag, frame)
    return ears.heard(0)


def test_who_asks_and_who_serves_whom() -> None:
    request, answer = aoe(OTHER, TARGET, response=False), aoe(TARGET, OTHER, response=True)
    told = heard((None, request), (None, answer), (0, request), (None, aoe(TARGET, BROADCAST_MAC, response=True, tag=0)))
    assert told.initiators == {OTHER: 2}
    assert told.served == (Served(E91, TARGET, frozenset({OTHER})),)
    assert told.by_vlan == {None: VlanTraffic(2, 2, frozenset({E91}))}
    assert told.foreign == {}


def test_what_is_answered_to_us_is_nobody_elses() -> None:
    assert heard((None, aoe(TARGET, OURS, response=True))).served == ()


def test_other_vlans_are_told_apart_and_vlan_0_is_none() -> None:
    tagged = (100, aoe(TARGET, BROADCAST_MAC, response=True, tag=0))
    plain = (None, aoe(OTHER, BROADCAST_MAC, response=False, address=None))
    told = heard(tagged, plain, (300, b"\xff" * 12 + b"\x08\x06"))
    assert told.foreign == {100: VlanTraffic(0, 1, frozenset({E91}))}
    assert told.vlans == {100, 300}
    assert told.served == ()
    inside = heard(tagged, plain, vlan=100)
    assert set(inside.foreign) == {None}
    assert inside.served == (Served(E91, TARGET, frozenset()),)
    assert inside.initiators == {}


def test_frames_with_our_own_mac_are_a_loop_or_an_impostor() -> None:
    ours = aoe(OURS, BROADCAST_MAC, response=False, tag=DOCTOR_TAG | 5, address=None)
    told = heard((None, ours), (None, aoe(OURS, BROADCAST_MAC, response=False, tag=5)), (None, aoe(OURS, OTHER, response=True)))
    assert (told.returned, told.impostors) == (1, 2)
    assert told.by_vlan == {}


def test_spanning_tree_is_known() -> None:
    assert heard((None, bytes.fromhex("0180c2000000") + TARGET.raw + b"\x00\x26\x42\x42\x03")).spanning_tree


def test_made_up_macs_and_addresses_are_bounded() -> None:
    ears = Ears(OURS, None)
    for number in range(2 * MAX_KEPT):
        mac = Mac((0x02_0000_0000 + number + 256).to_bytes(6))
        ears.hear(None, aoe(mac, TARGET, response=False))
        ears.hear(None, aoe(mac, OTHER, response=True, address=Address(number, 0)))
    told = ears.heard(0)
    assert len(told.initiators) == len(told.served) == MAX_KEPT
    assert told.by_vlan[None].requests == 2 * MAX_KEPT


def part(kind: int, value: bytes) -> bytes:
    """A TLV of LLDP."""
    return (kind << 9 | len(value)).to_bytes(2) + value


def test_a_switch_port_says_who_it_is() -> None:
    frame = (
        LLDP_HEAD
        + part(1, b"\x04" + TARGET.raw)
        + part(2, b"\x05Gi0/3")
        + part(5, b"sw1")
        + part(127, b"\x00\x80\xc2\x01\x00\x14")
    )
    assert neighbour_of(frame + part(0, b"")) == Neighbour("sw1", "Gi0/3", 20)
    assert neighbour_of(LLDP_HEAD + part(2, b"\x03" + TARGET.raw)) == Neighbour("", str(TARGET), None)
    assert neighbour_of(LLDP_HEAD + part(4, b"uplink") + part(2, b"\x057")) == Neighbour("", "uplink", None)
    assert neighbour_of(LLDP_HEAD) is None
    assert heard((None, frame)).neighbour == Neighbour("sw1", "Gi0/3", 20)


@given(st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 4095)))
def test_any_bytes_are_taken(body: bytes, vlan: int | None) -> None:
    for head in (b"", OTHER.raw * 2 + b"\x88\xa2", LLDP_HEAD):
        told = heard((vlan, head + body))
        assert sum(each.requests + each.answers for each in told.by_vlan.values()) <= 1


@given(st.lists(st.tuples(st.integers(0, 127), st.binary(max_size=40)), max_size=8), st.integers(0, 400))
def test_any_lldp_frame_cut_anywhere_is_taken(parts: list[tuple[int, bytes]], length: int) -> None:
    frame = LLDP_HEAD + b"".join(part(kind, value) for kind, value in parts)
    told = neighbour_of(frame[:length])
    assert told is None or told.system or told.port
