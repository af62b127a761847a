"""Fuzzing of the target and the scanner: frames made from a seed, judged by an oracle that shares no code with aoetui."""
