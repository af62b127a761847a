"""A wire between two links that loses, repeats and reorders AoE frames, and knows what it did to each write."""

from __future__ import annotations

from .harm import Counts, Harm, Parcel, Rates
from .ledger import Ledger, Write
from .wire import Accidents, LossyWire

__all__ = ["Accidents", "Counts", "Harm", "Ledger", "LossyWire", "Parcel", "Rates", "Write"]
