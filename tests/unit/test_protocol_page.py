"""docs/protocol.md is kept true: its tests are there, and nothing of the protocol is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.wire import AoeError, AtaOp, ConfigOp, DirectiveOp, MaskError, MaskOp, ReserveOp

if TYPE_CHECKING:
    from enum import IntEnum

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


def section(title: str) -> list[str]:
    """The lines of a section's tables, without heads."""
    _, _, after = PAGE.partition(f"\n## {title}")
    assert after, f"there is no section {title}"
    rows = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [row for row in rows[2:] if not row.startswith("|---")]


def test_protocol_page_names_tests_that_exist() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert named - defined == set()


@pytest.mark.parametrize(
    "title", ["Who is answered", "ATA", "Query config", "MAC mask list", "Reserve/release", "Other commands", "Errors", "Writes"]
)
def test_every_row_names_a_test(title: str) -> None:
    rows = section(title)
    assert rows
    assert [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)] == []


def name_of(value: IntEnum) -> str:
    """As the page has it: `3, list full`."""
    return f"{value.value}, {value.name.lower().replace('_', ' ')}"


@pytest.mark.parametrize(
    ("title", "ops"),
    [("Query config", ConfigOp), ("MAC mask list", MaskOp), ("MAC mask list", DirectiveOp), ("Reserve/release", ReserveOp)],
)
def test_every_sub_command_has_a_row(title: str, ops: type[IntEnum]) -> None:
    commands = " ".join(row.split("|")[1] for row in section(title))
    assert [op for op in ops if not re.search(rf"\b{name_of(op).replace(',', '')}\b", commands)] == []


def test_every_ata_command_has_a_row() -> None:
    commands = " ".join(row.split("|")[1] for row in section("ATA"))
    assert [op for op in AtaOp if f"{op.value:02X}h" not in commands] == []


def test_every_error_has_a_row() -> None:
    errors = " ".join(row.split("|")[1] for row in section("Errors"))
    assert [error for error in AoeError if f"AoE {name_of(error)}" not in errors] == []
    assert [error for error in MaskError if error and name_of(error) not in errors] == []
