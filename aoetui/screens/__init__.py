"""The console's screens, one to a file. They read snapshots, and change things only through the engine's commands."""
