"""The function `trigger`: starts the job that a permit is for, or finds the one that was started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.bodies import Context, take_turn
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.turning import STARTS

_OFFICE: Final = office_of(named("trigger"))


def handler(event: Mapping[str, Any], context: Context) -> Any:
    """Take a turn in which jobs are started."""
    return take_turn(event, context, _OFFICE(), STARTS)
