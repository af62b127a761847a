"""The engine: target, scanner and links in threads of their own. Never imports textual; outsiders use `api` and `snapshot`."""
