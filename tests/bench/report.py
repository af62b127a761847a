"""`python -m tests.bench.report RESULTS.json...`: what was measured, into docs/performance.md and as docs/performance.svg.

Of several files the later replace what the earlier measured. The prose around the two marks stays as it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .samples import read
from .tables import report

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_PICTURE = "![Ratios to vblade, cell by cell](performance.svg)"


def replaced(page: str, text: str) -> str:
    """The page with `text` between its marks. Raises ValueError if they are not there once each, in order."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended) or BEGIN in rest or END in before + after:
        raise ValueError(f"the page needs one line {BEGIN} and below it one line {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(words: Sequence[str]) -> int:
    """Write page and picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json")
    parser.add_argument("--page", type=Path, default=PAGE, help="to write to; the picture goes beside it")
    options = parser.parse_args(words)
    try:
        from .plot import draw
    except ImportError:
        parser.error("the picture needs matplotlib: pip install -e '.[bench]'")
    try:
        results = read(options.results)
        picture = f"{_PICTURE}\n\n" if draw(results, options.page.with_suffix(".svg")) else ""
        page = replaced(options.page.read_text(encoding="utf-8"), picture + report(results))
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(str(error))
    options.page.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
