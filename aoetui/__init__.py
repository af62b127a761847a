"""A terminal console for ATA over Ethernet: an AoE target, a scanner of the SAN, and a live view of both."""

__version__ = "0.1.0"
