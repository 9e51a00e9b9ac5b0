"""The function `orchestrator`: tells a run what happened, and the state machine what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.bodies import Context, take_turn
from interlock.aws.functions import named
from interlock.aws.office import office_of

_OFFICE: Final = office_of(named("orchestrator"))


def handler(event: Mapping[str, Any], context: Context) -> Any:
    """Take a turn."""
    return take_turn(event, context, _OFFICE())
