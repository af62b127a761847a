"""kill -9 of the target under writes and under changes of its state and config, again and again."""
