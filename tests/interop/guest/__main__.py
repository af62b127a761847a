"""`python -m tests.interop.guest`: build the guest, where the network is; the tests themselves have none."""

from __future__ import annotations

import sys

from .build import build_guest

sys.stdout.write(f"the guest is in {build_guest().kernel.parent}\n")
