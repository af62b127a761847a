"""A backing as the compiled loop reads it: mapped."""

from __future__ import annotations

import mmap

import numpy as np


class Mapping:
    """The first `size` bytes of a backing, mapped to read."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Map them. Raises OSError or ValueError where there is no room for so much."""
        self._map = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        self._view = np.frombuffer(self._map, np.uint8)
        self.address = int(self._view.ctypes.data)

    def close(self) -> None:
        """Give it back. No loop may know the address any more."""
        del self._view
        self._map.close()
