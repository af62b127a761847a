"""The benchmark: this target beside others, on cables of its own. `python -m tests.bench --help`."""
