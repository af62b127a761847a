"""`python -m tests.interop.guest`: build both guests, where the network is; the tests themselves have none."""

from __future__ import annotations

import sys

from .build import build_guest
from .debian import NotRootError, build_debian_guest

sys.stdout.write(f"a guest is in {build_guest().kernel.parent}\n")
try:
    sys.stdout.write(f"a guest is in {build_debian_guest().place}\n")
except NotRootError as reason:
    sys.exit(str(reason))
