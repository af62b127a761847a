"""The advanced fields of the export form, which most exports do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import DEFAULT_BUFFER_COUNT, MAX_BUFFER_COUNT, MIN_BUFFER_COUNT
from aoetui.engine.spec import MAX_VLAN, MIN_VLAN
from aoetui.widgets.fields import Field, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECT = "direct: past the page cache; a disk's cache can lose writes"
MORE = "VLAN, who is answered, part of a disk, buffers, serial"

ADVANCED = {
    "vlan": ("VLAN", f"{MIN_VLAN} to {MAX_VLAN}, tagged by us; none: untagged frames"),
    "accept": ("Accept", "everybody; or MACs, groups of [acl], names of /etc/ethers"),
    "deny": ("Deny", "nobody; or MACs, groups of [acl], names of /etc/ethers"),
    "offset": ("From sector", "0: of 512 bytes, from the start of the backing"),
    "length": ("Sectors", "to the end of the backing"),
    "buffer_count": ("Buffers", f"{DEFAULT_BUFFER_COUNT}; {MIN_BUFFER_COUNT} to {MAX_BUFFER_COUNT} requests at once"),
    "serial": ("Serial", "made and kept; set it where two hosts serve one disk"),
}
"""By ExportSpec's names: the label, and what an empty field means."""


def advanced_fields() -> Iterator[Field]:
    """A line of text for each."""
    for name, (label, meaning) in ADVANCED.items():
        yield Field(label, Line(id=name, compact=True, max_length=400, placeholder=meaning), name=name)
