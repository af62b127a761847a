"""Colours. A calm dark theme of our own; on a slow link the terminal's own colours, which need half the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOW_LINK = "ansi-dark"
"""Textual's theme of the terminal's own sixteen colours."""

CALM = Theme(
    name="aoetui",
    primary="#6ea3c8",
    secondary="#8ba3b5",
    accent="#d7a65f",
    foreground="#c9d1d9",
    background="#12171d",
    surface="#161c23",
    panel="#1f2731",
    success="#7fb685",
    warning="#e0b350",
    error="#e57373",
    dark=True,
    variables={
        "block-cursor-background": "#2f4a60",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#263340",
        "footer-key-foreground": "#d7a65f",
        "footer-background": "#1f2731",
        "border": "#3c5266",
        "border-blurred": "#2a3642",
    },
)

SIXTEEN = TerminalTheme(
    background=(0x12, 0x17, 0x1D),
    foreground=(0xC9, 0xD1, 0xD9),
    normal=[
        (0x12, 0x17, 0x1D),
        (0xE5, 0x73, 0x73),
        (0x7F, 0xB6, 0x85),
        (0xE0, 0xB3, 0x50),
        (0x6E, 0xA3, 0xC8),
        (0xB9, 0x8F, 0xC7),
        (0x6F, 0xB7, 0xB7),
        (0xC9, 0xD1, 0xD9),
    ],
)
"""What `red` or `yellow` of a text becomes in our own theme. The state colours have a contrast of 6 or more on the background."""


def draws_blocks(environment: Mapping[str, str]) -> bool:
    """Whether the terminal draws lines and blocks: it reads UTF-8, and is not the Linux console, whose font lacks them."""
    if environment.get("TERM") == "linux":
        return False
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG", "")
    # Python itself turns the C locale into this one (PEP 538), which tells nothing of the terminal.
    forced = locale == "C.UTF-8" and not environment.get("LC_ALL") and environment.get("LANG", "C") in {"", "C", "POSIX"}
    return not forced and "utf8" in locale.lower().replace("-", "")
