"""Where the config, the state, the logs and the control socket are. Never in /tmp, where anyone can lay something in wait."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_NAME = "aoetui"


def config_file() -> Path:
    """`config.toml`: $XDG_CONFIG_HOME/aoetui, else /etc/aoetui for root, else the user's own."""
    return _place("XDG_CONFIG_HOME", "/etc", platformdirs.user_config_path(_NAME)) / "config.toml"


def state_dir() -> Path:
    """Serials, one file for each export: $XDG_STATE_HOME/aoetui, else /var/lib/aoetui for root, else the user's own."""
    return _place("XDG_STATE_HOME", "/var/lib", platformdirs.user_state_path(_NAME))


def runtime_dir() -> Path:
    """The control socket's folder: $XDG_RUNTIME_DIR/aoetui, else /run/aoetui for root, else /run/user/UID/aoetui.

    A user without such a folder has it under the state folder; platformdirs would take one in /tmp.
    """
    own = Path(f"/run/user/{os.getuid()}")
    return _place("XDG_RUNTIME_DIR", "/run", own / _NAME if own.is_dir() else state_dir() / "run")


def cache_dir() -> Path:
    """What can be made again: $XDG_CACHE_HOME/aoetui, else /var/cache/aoetui for root, else the user's own."""
    return _place("XDG_CACHE_HOME", "/var/cache", platformdirs.user_cache_path(_NAME))


def log_dir() -> Path:
    """Rotating log files: `log` under the state folder."""
    return state_dir() / "log"


def log_file() -> Path:
    """The newest log file."""
    return log_dir() / "aoetui.log"


def _place(variable: str, of_root: str, own: Path) -> Path:
    """A relative path in a variable is invalid and ignored (XDG Base Directory Specification)."""
    named = os.environ.get(variable, "")
    if Path(named).is_absolute():
        return Path(named) / _NAME
    return Path(of_root) / _NAME if os.geteuid() == 0 else own
