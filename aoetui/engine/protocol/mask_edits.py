"""Edits of a mask list as directives: in an order that shuts its sender out last, and in frames that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import Directive
from aoetui.engine.protocol.wire import DirectiveOp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from aoetui.engine.protocol.address import Mac


def wanted_list(current: Sequence[Mac], *, add: Iterable[Mac], delete: Collection[Mac], replace: bool) -> tuple[Mac, ...]:
    """The list that an edit asks for: each MAC once, in the order of the list as it is, then of those added."""
    adding = dict.fromkeys(add)
    kept = [mac for mac in current if mac not in delete and (not replace or mac in adding)]
    return tuple(dict.fromkeys([*kept, *(mac for mac in adding if mac not in delete)]))


def directives_for(current: Sequence[Mac], wanted: Sequence[Mac], *, limit: int, own: Collection[Mac]) -> tuple[Directive, ...]:
    """What makes `wanted` of `current`.

    A list goes over in several frames if it is long, and is judged after each. So `own` MACs are added first and deleted last,
    and the list is never empty (which means everybody) on its way from one to another: MACs are added as long as `limit` has
    room, and for each that is deleted one is added.
    """
    adds = sorted((mac for mac in wanted if mac not in current), key=lambda mac: mac not in own)
    deletes = sorted((mac for mac in current if mac not in wanted), key=lambda mac: mac in own)
    length, found = len(current), list[Directive]()
    while adds or deletes:
        if adds and (length < limit or not deletes):
            found.append(Directive(DirectiveOp.ADD, adds.pop(0)))
            length += 1
        else:
            found.append(Directive(DirectiveOp.DELETE, deletes.pop(0)))
            length -= 1
    return tuple(found)


def batches(directives: Sequence[Directive], *, most: int, own: Collection[Mac]) -> list[tuple[Directive, ...]]:
    """The directives in frames of at most `most`, from 1. Those that take `own` off the list have a frame of their own.

    So it can be seen before whether all else was done: vblade 25 answers a deletion and does not shorten its list, and with the
    others still on it this host would be shut out.
    """
    last = [each for each in directives if each.op == DirectiveOp.DELETE and each.mac in own]
    rest = [each for each in directives if each not in last]
    return [tuple(part[first : first + most]) for part in (rest, last) for first in range(0, len(part), most)]


def applied(current: Sequence[Mac], directives: Iterable[Directive]) -> frozenset[Mac]:
    """The MACs on the list once these directives are carried out."""
    found = set(current)
    for each in directives:
        if each.op == DirectiveOp.ADD:
            found.add(each.mac)
        else:
            found.discard(each.mac)
    return frozenset(found)
