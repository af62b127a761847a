"""Debian's aoetools get answers from our target. They drop replies below 60 bytes, and a veth pads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import FAR_LINK, SHELF, SLOT

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.interop("aoeping", "aoecfg", "aoe-sancheck")
ADDRESS = (str(SHELF), str(SLOT))
SESSION: list[tuple[tuple[str, ...], str]] = [
    (("-c", "set", "-s", "web01"), "web01\n"),
    (("-c", "read"), "web01\n"),
    (("-c", "set", "-s", "web02"), "*badcfg*\n"),
    (("-c", "set", "-s", "web01"), "web01\n"),
    (("-c", "test", "-s", "web01"), "web01\n"),
    (("-c", "test", "-s", "web0"), ""),
    (("-c", "prefix", "-s", "web0"), "web01\n"),
    (("-c", "prefix", "-s", "eb0"), ""),
    (("-c", "fset", "-s", "web02"), "web02\n"),
    (("-c", "fset", "-s", ""), "\n"),
    (("-c", "set", "-s", "web03"), "web03\n"),
    (("-c", "read"), "web03\n"),
]
"""Questions to one target, one after the other, and what aoecfg prints: nothing where nobody answers."""


@pytest.fixture
def served(lab: Lab) -> Lab:
    """The lab, with an export of ours that answers."""
    lab.export(lab.disk(4))
    lab.initiator(lab.far, FAR_LINK)
    return lab


def test_aoeping(served: Lab) -> None:
    ended = served.run(served.far, "aoeping", "-s", "10", "-I", *ADDRESS, FAR_LINK)
    assert ended.returncode == 0, ended.stderr
    assert "aoetui" in ended.stdout


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ((), "\n"),
        (("-c", "prefix", "-s", ""), "\n"),
        (("-c", "test", "-s", "web01"), ""),
    ],
)
def test_aoecfg_prints_a_line_for_an_answer(served: Lab, question: tuple[str, ...], answer: str) -> None:
    """The config string is empty, so the line is; where it is not the one asked for, the specification wants silence."""
    ended = served.run(served.far, "aoecfg", "-t", "2", *question, *ADDRESS, FAR_LINK)
    assert (ended.returncode, ended.stdout) == (0, answer)


def test_aoecfg_sets_and_compares_the_config_string(served: Lab) -> None:
    for question, answer in SESSION:
        ended = served.run(served.far, "aoecfg", "-t", "2", *question, *ADDRESS, FAR_LINK)
        assert (question, ended.returncode, ended.stdout) == (question, 0, answer)


def test_aoe_sancheck(served: Lab) -> None:
    ended = served.run(served.far, "aoe-sancheck", "-I", FAR_LINK)
    assert f"e{SHELF}.{SLOT}" in ended.stdout, ended.stdout + ended.stderr
