"""Compiles the data path into its cache, and ends."""

from __future__ import annotations

from aoetui.engine.compiled_cache import be_nice

be_nice()
from aoetui.engine.fast.warming import warm  # noqa: E402 - numba alone takes half a second

warm()
