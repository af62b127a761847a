"""Compiles the data path into its cache, and ends."""

from __future__ import annotations

from aoetui.engine.fast.lane import warm

warm()
