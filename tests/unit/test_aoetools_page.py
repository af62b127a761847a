"""The tables in docs/commands.md of what aoetools did are kept true: each row names its tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def from_aoetools() -> str:
    """The section."""
    _, _, after = PAGE.partition("\n## From aoetools\n")
    assert after
    return after.partition("\n## ")[0]


def rows(program: str) -> list[str]:
    """The lines of one program's table, without its head."""
    _, _, after = from_aoetools().partition(f"\n### {program}\n")
    assert after, f"there is no table of {program}"
    found = [line for line in after.partition("\n### ")[0].splitlines() if line.startswith("|")]
    return [row for row in found[1:] if not row.startswith("|---")]


def programs() -> list[str]:
    """Those that have a table."""
    return re.findall(r"^### (.+)$", from_aoetools(), re.MULTILINE)


def test_there_is_one_such_section() -> None:
    assert PAGE.count("\n## From aoetools\n") == 1


def test_it_names_tests_that_exist() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(re.findall(r"`(test_\w+)`", from_aoetools())) - defined == set()


@pytest.mark.parametrize("program", programs())
def test_every_row_of_a_program_names_a_test(program: str) -> None:
    found = rows(program)
    assert found
    assert [row for row in found if not re.search(r"`test_\w+`[^|]*\|$", row)] == []


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("aoecfg", ["-c read", "-c test", "-c prefix", "-c set", "-c fset", "-s", "-t"]),
        ("aoeping", ["-i", "-I", "-v", "-s", "-S", "-t", "-h"]),
    ],
)
def test_no_option_is_left_out(program: str, options: list[str]) -> None:
    first = " ".join(row.split("|")[1] for row in rows(program))
    assert [option for option in options if not re.search(rf"(?<![\w-]){option}\b", first)] == []
