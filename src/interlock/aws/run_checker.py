"""The function `run-checker`: looks at a running job, or asks for it to be stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.bodies import Context, take_turn
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.turning import LOOKS

_OFFICE: Final = office_of(named("run-checker"))


def handler(event: Mapping[str, Any], context: Context) -> Any:
    """Take a turn in which jobs are looked at and stopped."""
    return take_turn(event, context, _OFFICE(), LOOKS)
