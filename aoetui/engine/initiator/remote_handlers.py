"""Who carries out the commands that ask others' devices, and change what they keep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aoetui.engine.commands.identify import ReadIdentify
from aoetui.engine.commands.ping import Ping
from aoetui.engine.commands.remote import (
    CompareConfig,
    EditRemoteMask,
    ReadRemote,
    SetRemoteConfig,
    SetRemoteReservation,
    SurveyConfig,
)
from aoetui.engine.commands.smart import Smart
from aoetui.engine.initiator.administration import Administration
from aoetui.engine.initiator.asking import ping, read_identify, smart
from aoetui.engine.initiator.config_strings import compare_config, survey_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aoetui.engine.api import Errand
    from aoetui.engine.core import Core


def remote_handlers(core: Core) -> Mapping[type[Errand[Any]], Callable[[Any], object]]:
    """By command."""
    desk = Administration(core)
    return {
        ReadRemote: desk.read,
        CompareConfig: partial(compare_config, core),
        SurveyConfig: partial(survey_config, core),
        SetRemoteConfig: desk.set_config,
        EditRemoteMask: desk.edit_mask,
        SetRemoteReservation: desk.set_reservation,
        ReadIdentify: partial(read_identify, core),
        Smart: partial(smart, core),
        Ping: partial(ping, core),
    }
