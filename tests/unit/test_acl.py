"""Access lists: every word means MACs or keeps the export closed, and the error says which word, where, and what helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoetui.engine.acl import AccessLists, UnknownWordError, members, read_ethers
from aoetui.engine.api import EngineError
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.facts import AccessPolicy
from aoetui.engine.spec import ExportSpec

ONE, TWO, THREE = (Mac.parse(f"02:00:00:00:00:0{number}") for number in (1, 2, 3))
ETHERS = """\
# hosts of rack 4
02:00:00:00:00:01 web01   # ONE
2:0:0:0:0:2\tweb02
02:00:00:00:00:03
no-mac web03
02:00:00:00:00:03 web01
"""


@pytest.fixture
def ethers(tmp_path: Path) -> Path:
    path = tmp_path / "ethers"
    path.write_text(ETHERS)
    return path


def spec(*, accept: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> ExportSpec:
    return ExportSpec(address=Address(9, 1), path=Path("/srv/a.img"), interfaces=("eth1",), accept=accept, deny=deny)


def test_ethers_is_read_as_its_manual_page_says(ethers: Path, tmp_path: Path) -> None:
    assert read_ethers(ethers) == {"web01": ONE, "web02": TWO}
    assert read_ethers(tmp_path / "none") == {}


def test_macs_groups_and_hosts_are_meant_by_their_words(ethers: Path) -> None:
    groups = {"rack": frozenset({TWO, THREE}), "web01": frozenset({THREE})}
    assert members([], groups, ethers) == frozenset()
    assert members(["02-00-00-00-00-01"], groups, ethers) == {ONE}
    assert members(["rack", "020000000001"], groups, ethers) == {ONE, TWO, THREE}
    assert members(["web02"], groups, ethers) == {TWO}
    assert members(["web01"], groups, ethers) == {THREE}, "the config's own name comes first"


@pytest.mark.parametrize("word", ["web03", "web9", "02:00:00:00:00", "Rack", ""])
def test_a_word_that_means_nothing_is_named(ethers: Path, word: str) -> None:
    with pytest.raises(UnknownWordError, match=r"is no MAC, no group of \[acl\] and no host of .*ethers: correct it") as it:
        members(["web01", word], {"rack": frozenset({TWO})}, ethers)
    assert repr(word) in str(it.value)


@pytest.mark.parametrize("word", ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"])
def test_a_mac_that_no_frame_comes_from_is_named(ethers: Path, word: str) -> None:
    with pytest.raises(UnknownWordError, match="which no frame can come from: name the initiator's own MAC"):
        members([word], {}, ethers)


def test_without_lists_everybody_is_answered(ethers: Path) -> None:
    assert AccessLists(ethers).policy(spec()) == AccessPolicy(frozenset(), None)


def test_a_policy_is_made_of_the_groups_and_hosts_of_now(ethers: Path) -> None:
    lists = AccessLists(ethers)
    lists.groups = {"rack": frozenset({TWO})}
    wanted = spec(accept=("rack", "web01"), deny=("web02",))
    assert lists.policy(wanted) == AccessPolicy(deny=frozenset({TWO}), accept=frozenset({ONE, TWO}))
    lists.groups = {"rack": frozenset({THREE})}
    assert lists.policy(wanted).accept == frozenset({ONE, THREE})
    ethers.write_text(f"{TWO} web02\n")
    with pytest.raises(EngineError, match="accept holds 'web01'") as caught:
        lists.policy(wanted)
    assert caught.value.field == "accept"


def test_a_word_of_deny_that_means_nothing_keeps_the_export_closed_too(ethers: Path) -> None:
    with pytest.raises(EngineError, match="deny holds 'nobody'") as caught:
        AccessLists(ethers).policy(spec(deny=("nobody",)))
    assert caught.value.field == "deny"
