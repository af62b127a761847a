"""A slow disk for a test that does without where none can be had."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.slow_disk import NoSlowDiskError, SlowDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def slow_disk(folder: Path, size: int, latency: float = 0.0, **options: Any) -> Iterator[SlowDisk]:  # noqa: ANN401  # those of SlowDisk
    """A slow disk. Skips, with the reason, where there is none."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(SlowDisk(folder, size, latency, **options))
        except NoSlowDiskError as refusal:
            pytest.skip(str(refusal))
        yield disk
