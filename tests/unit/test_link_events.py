"""What happens to a link is told once, in words that say what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.link_events import MAX_GONE, LinkHistory
from aoetui.engine.link_facts import LinkFacts
from aoetui.engine.protocol.address import Mac
from aoetui.engine.snapshot import Severity

MAC, OTHER_MAC = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
INITIATOR = Mac.parse("02:00:00:00:00:99")
UP = LinkFacts(name="eth1", index=2, kind="ethernet", mac=MAC, mtu=9000, admin_up=True, carrier=True)
DOWN = replace(UP, admin_up=False, carrier=False)
NO_CARRIER = replace(UP, carrier=False)
NO_SECTOR = "at which a frame carries no sector: AoE stops here until it is raised, to 1500 or at least 548"
NEXT_PATH = "initiators learn it as one more path from our advertisement"


class Watched:
    """A history of links that begins with `link`, and what it told."""

    def __init__(self, *links: LinkFacts, spoken: str = "eth1", at_work: tuple[Mac, ...] = ()) -> None:
        self.now = 100.0
        clock = Clock(monotonic=lambda: self.now)
        self.log = EventLog(clock)
        self.history = LinkHistory(self.log, clock, lambda _: at_work)
        self.spoken = spoken
        self.see(*links)

    def see(self, *links: LinkFacts) -> list[tuple[Severity, str]]:
        """What is told when these are the links, twice looked at."""
        before = self.log.last
        for _ in range(2):
            self.history.see({link.name: link for link in links}, {self.spoken})
        return [(event.severity, event.text) for event in self.log.since(before)]


@pytest.mark.parametrize(
    ("before", "after", "severity", "text"),
    [
        (UP, DOWN, Severity.WARNING, "eth1 was set down: bring it up with `ip link set eth1 up`"),
        (NO_CARRIER, DOWN, Severity.WARNING, "eth1 was set down: bring it up with `ip link set eth1 up`"),
        (UP, NO_CARRIER, Severity.WARNING, "eth1 lost its carrier: check the cable"),
        (DOWN, NO_CARRIER, Severity.WARNING, "eth1 is up but has no carrier: check the cable"),
        (DOWN, UP, Severity.INFO, "eth1 is back"),
        (NO_CARRIER, UP, Severity.INFO, "eth1 is back"),
        (UP, replace(UP, bridge="br0"), Severity.WARNING, "eth1 became a port of br0 and hears no AoE: use br0"),
        (replace(UP, bridge="br0"), UP, Severity.INFO, "eth1 is no port of br0 any more"),
        (UP, replace(UP, mac=OTHER_MAC), Severity.INFO, f"eth1's MAC went from {MAC} to {OTHER_MAC}: {NEXT_PATH}"),
        (
            UP,
            replace(UP, mtu=1500),
            Severity.INFO,
            "eth1's MTU went from 9000 to 1500: initiators use 2 sectors a frame from their next question on",
        ),
        (
            replace(UP, mtu=1500),
            replace(UP, mtu=576),
            Severity.INFO,
            "eth1's MTU went from 1500 to 576: initiators use 1 sector a frame from their next question on",
        ),
        (
            UP,
            replace(UP, mtu=547),
            Severity.WARNING,
            f"eth1's MTU went from 9000 to 547, {NO_SECTOR}",
        ),
        (
            replace(UP, mtu=547),
            replace(UP, mtu=100),
            Severity.WARNING,
            f"eth1's MTU went from 547 to 100, {NO_SECTOR}",
        ),
        (
            replace(UP, mtu=500),
            replace(UP, mtu=548),
            Severity.INFO,
            "eth1's MTU went from 500 to 548: initiators use 1 sector a frame from their next question on",
        ),
        (UP, replace(UP, mtu=9001), Severity.INFO, "eth1's MTU went from 9000 to 9001: AoE carries 17 sectors a frame as before"),
        (UP, replace(UP, index=7), Severity.INFO, "eth1 was made again with the same MAC"),
        (UP, replace(DOWN, index=7), Severity.WARNING, "eth1 was made again with the same MAC; it is down yet"),
        (UP, replace(NO_CARRIER, index=7), Severity.WARNING, "eth1 was made again with the same MAC; it has no carrier yet"),
        (
            UP,
            replace(UP, index=7, mac=OTHER_MAC),
            Severity.INFO,
            f"eth1 was made again with another MAC, {OTHER_MAC} (was {MAC}): {NEXT_PATH}, and give the old one up",
        ),
    ],
)
def test_each_change_is_told_once(before: LinkFacts, after: LinkFacts, severity: Severity, text: str) -> None:
    assert Watched(before).see(after) == [(severity, text)]


def test_nothing_that_happens_elsewhere_is_told() -> None:
    other = replace(UP, name="eth2", index=3)
    watched = Watched(UP, other)
    assert watched.see(UP, replace(other, admin_up=False, mtu=1500)) == []
    assert watched.see(UP) == []


def test_figures_and_addresses_are_no_news() -> None:
    assert Watched(UP).see(replace(UP, addresses=("192.0.2.1/24",), default_route=True)) == []


def test_the_first_look_tells_nothing() -> None:
    watched = Watched(DOWN)
    assert watched.log.since(0) == []
    assert watched.history.take_told() == frozenset(), "that it is down is for its alarm to tell"


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (replace(UP, index=9), "eth1 was made again with the same MAC"),
        (replace(DOWN, index=9, mac=OTHER_MAC), f"eth1 was made again with another MAC, {OTHER_MAC} (was {MAC}): {NEXT_PATH}"),
    ],
)
def test_a_link_that_is_deleted_and_made_again(made: LinkFacts, text: str) -> None:
    watched = Watched(UP)
    assert watched.see() == [(Severity.WARNING, "eth1 was deleted: AoE goes on when there is an interface of this name again")]
    ((_, said),) = watched.see(made)
    assert said.startswith(text)


def test_a_link_that_was_never_there() -> None:
    assert Watched().see(UP) == [(Severity.INFO, f"eth1 is here, with the MAC {MAC}")]


def test_a_link_that_is_renamed_and_gets_its_name_back() -> None:
    watched = Watched(UP)
    renamed = "eth1 was renamed lan7: AoE is not spoken on lan7; choose that name, or give eth1 back"
    assert watched.see(replace(UP, name="lan7")) == [(Severity.WARNING, renamed)]
    assert watched.see(UP) == [(Severity.INFO, "eth1 is here: lan7 was renamed so")]


def test_a_new_name_that_aoe_is_spoken_on_needs_no_remedy() -> None:
    watched = Watched(UP)
    watched.history.see({"lan7": replace(UP, name="lan7")}, {"eth1", "lan7"})
    assert [event.text for event in watched.log.since(0)] == ["eth1 was renamed lan7"]


def test_a_link_that_a_pattern_named_is_told_of_when_it_is_back() -> None:
    """A pattern matches only links that are up: while it is down, nothing names it."""
    watched = Watched(UP)
    watched.history.see({"eth1": DOWN}, set())
    watched.history.see({"eth1": DOWN}, set())
    watched.history.see({"eth1": UP}, {"eth1"})
    assert [event.text for event in watched.log.since(0)] == [
        "eth1 was set down: bring it up with `ip link set eth1 up`",
        "eth1 is back",
    ]


def test_a_port_of_a_vlan_is_of_its_interface() -> None:
    watched = Watched(UP, spoken="eth1 vlan 100")
    assert watched.see(NO_CARRIER) == [(Severity.WARNING, "eth1 lost its carrier: check the cable")]


def test_an_mtu_that_is_cut_under_initiators_is_warned_of() -> None:
    watched = Watched(UP, at_work=(INITIATOR,))
    ((severity, text),) = watched.see(replace(UP, mtu=1500))
    assert severity is Severity.WARNING
    assert f"At work here: {INITIATOR}; what they had asked for in larger frames fails" in text
    ((severity, text),) = watched.see(UP)
    assert severity is Severity.INFO, "nothing is lost where frames grow"
    assert str(INITIATOR) not in text


def test_an_mtu_that_stops_aoe_names_who_is_at_work() -> None:
    ((severity, text),) = Watched(UP, at_work=(INITIATOR,)).see(replace(UP, mtu=500))
    assert severity is Severity.WARNING
    assert text.endswith(f"until it is raised, to 1500 or at least 548. At work here: {INITIATOR}")


@pytest.mark.parametrize("first", ["the socket", "the link"])
def test_a_socket_that_fails_with_its_link_is_not_told_twice(first: str) -> None:
    watched = Watched(UP)
    if first == "the socket":
        watched.history.lost("eth1", "Network is down")
        assert watched.see(UP) == []
    assert len(watched.see(DOWN)) == 1
    if first == "the link":
        watched.history.lost("eth1 vlan 100", "Network is down")
    for _ in range(5):
        watched.now += 1
        assert watched.see(DOWN) == []


def test_an_interruption_that_nobody_saw_is_told_by_its_socket_once() -> None:
    watched = Watched(UP)
    for _ in range(3):
        watched.history.lost("eth1", "Network is down")
    told = []
    for _ in range(5):
        watched.now += 1
        told += watched.see(UP)
    assert told == [(Severity.WARNING, "AoE stopped on eth1 for a moment: Network is down")]


def test_what_was_told_is_known_while_it_lasts() -> None:
    watched = Watched(UP)
    watched.see(DOWN)
    for _ in range(2):
        assert watched.history.take_told() == {"eth1"}
    watched.see(UP)
    assert watched.history.take_told() == {"eth1"}, "its end is told, too"
    assert watched.history.take_told() == frozenset()


def test_interfaces_that_come_and_go_for_ever_take_no_more_memory() -> None:
    """As those of containers do, where an export names them by a pattern."""
    watched = Watched()
    for number in range(MAX_GONE + 50):
        watched.spoken = f"veth{number}"
        watched.see(replace(UP, name=watched.spoken, index=number))
        assert len(watched.see()) == 1
    history = watched.history
    assert [len(kept) for kept in (history._gone, history._troubled, history._told)] == [MAX_GONE] * 3
