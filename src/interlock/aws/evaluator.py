"""The function `evaluator`: asks one trait. It can read the table, and not write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.answering import answer
from interlock.aws.bodies import Context
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.state import Asked
from interlock.codec import wire

_OFFICE: Final = office_of(named("evaluator"))


def handler(event: Mapping[str, Any], _context: Context) -> Any:
    """Return the question with its answer."""
    return wire.to_builtins(answer(wire.from_builtins(event, Asked), _OFFICE().work.hands))
