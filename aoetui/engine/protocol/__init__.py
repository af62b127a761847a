"""AoE as pure values and state machines: no clock, no socket, no thread, no disk (AoEr11)."""
