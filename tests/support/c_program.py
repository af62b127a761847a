"""Small C programs of the tests: compiled when they are first needed, and kept until their source changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

COMPILER = "cc"


def no_compiler() -> str:
    """Why nothing can be compiled here, or nothing."""
    return "" if shutil.which(COMPILER) else f"no C compiler: install {COMPILER} (Debian: gcc and libc6-dev)"


def compiled_c(source: Path) -> Path:
    """The program made of `source`, which may include the headers beside it.

    Raises RuntimeError without a compiler, and where it refuses the source.
    """
    if refusal := no_compiler():
        raise RuntimeError(refusal)
    folder = user_cache_path("aoetui-tests", ensure_exists=True)
    program = folder / f"{source.stem}-{_digest(source)}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:  # two processes may compile it at once
            made = Path(scratch) / source.stem
            done = subprocess.run([COMPILER, "-O2", "-Wall", "-o", made, source], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{COMPILER} refuses {source}:\n{done.stderr}")
            made.replace(program)
    return program


def _digest(source: Path) -> str:
    texts = [source.read_bytes(), *(header.read_bytes() for header in sorted(source.parent.glob("*.h")))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
