"""SMART of a disk that is not there: no target on these machines has any."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.smart import FEATURES, SMART, SmartCommand
from tests.support.bad_target import PAGE

if TYPE_CHECKING:
    from aoetui.engine.protocol.frames import Frame
    from tests.support.bad_target import Answer, BadTarget


def with_smart() -> bytes:
    """A page that says that SMART is supported and enabled."""
    words = list(struct.unpack("<256H", PAGE))
    words[82] |= 1
    words[85] |= 1
    return struct.pack("<256H", *words)


SECTOR = bytes(number % 256 for number in range(512))


def answers_smart(target: BadTarget, lba: int = 0xC24F00) -> None:
    """Has the target answer SMART as a disk does."""

    def rule(request: Frame, answer: Answer) -> Answer:
        asked = request.argument
        if not isinstance(asked, AtaArgument) or asked.op_or_status != SMART:
            return answer
        status = asked.feature_or_error == FEATURES[SmartCommand.RETURN_STATUS]
        return target.reply(request, AtaArgument(0, 0, 0, 0x50, lba if status else asked.lba, SECTOR))

    target.page = with_smart()
    target.rules.append(rule)
