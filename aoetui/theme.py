"""Colours. A calm dark theme of our own; on a slow link the terminal's own colours, which need half the bytes."""

from __future__ import annotations

from textual.theme import Theme

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
