"""What the driver tells in debugfs, for each device one file (aoe_debugfs_show in aoeblk.c).

`rttavg: 249046 rttdev: 1780525` and more such pairs, then for each target `falloc: 4`, `ffree: 00000000c55c5114`,
`525400a0e001:0:32:64` (MAC, under way, window, frames), indented pairs (`ssthresh:32`, `lost:0`, `taint:0`, `r:12`, `w:0`), and
the interfaces, `eth0,eth1`. Mainline has no `lost`, standalone drivers put other pairs between; what is not known is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aoetui.engine.commands.kernel import KernelFigures, KernelPath
from aoetui.engine.protocol.address import Mac

_PAIR = re.compile(r"(\w+):\s*(\S+)", re.ASCII)
_PATH = re.compile(r"([0-9a-f]{12}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}):(-?\d{1,18}):(-?\d{1,18}):(-?\d{1,18})", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_MOST_PATHS = 256


@dataclass(slots=True)
class _Path:
    mac: Mac
    numbers: tuple[int, int, int]
    pairs: dict[str, int] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()


def parse_figures(text: str) -> KernelFigures:
    """Whatever can be made out of one file. Raises nothing, whatever it holds."""
    whole: dict[str, int] = {}
    paths: list[_Path] = []
    for line in text.splitlines():
        words = line.strip()
        if found := _PATH.fullmatch(words):
            paths.append(_Path(Mac.parse(found[1]), (int(found[2]), int(found[3]), int(found[4]))))
        elif pairs := _PAIR.findall(words):
            known = {name: int(value) for name, value in pairs if _NUMBER.fullmatch(value)}
            (paths[-1].pairs if paths and line[:1].isspace() else whole).update(known)
        elif words and paths and line[:1].isspace():
            paths[-1].interfaces = tuple(name for name in words.split(",") if name)
    return KernelFigures(
        rtt_us=whole.get("rttavg"),
        deviation_us=whole.get("rttdev"),
        kicked=whole.get("kicked"),
        references=whole.get("ref"),
        paths=tuple(map(_view, paths[:_MOST_PATHS])),
    )


def _view(path: _Path) -> KernelPath:
    under_way, window, frames = path.numbers
    return KernelPath(
        mac=path.mac,
        interfaces=path.interfaces,
        under_way=under_way,
        window=window,
        frames=frames,
        threshold=path.pairs.get("ssthresh"),
        lost=path.pairs.get("lost"),
        taint=path.pairs.get("taint"),
        reads=path.pairs.get("r"),
        writes=path.pairs.get("w"),
    )
