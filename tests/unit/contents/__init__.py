"""Tests of what is recognised on a disk."""
