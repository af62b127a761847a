"""Frames as they pass: taken off the wire beside everything else, kept, looked at, saved and opened. Nothing here transmits."""
