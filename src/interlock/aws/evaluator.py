"""The function `evaluator`: asks one trait. It can read the table, and not write it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.answering import answer
from interlock.aws.bodies import Context
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.seals import sealed
from interlock.aws.state import Asked
from interlock.codec import wire

_OFFICE: Final = office_of(named("evaluator"))
_LOG: Final = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: Context) -> Any:
    """Return the question with its answer.

    Raises:
        ValueError: the event is no question.
        StoreError: the run cannot be read.
    """
    try:
        office = _OFFICE()
        given = answer(wire.from_builtins(event, Asked), office.work.hands)
        return sealed(given, office.seal)
    except Exception as exc:  # noqa: BLE001  (it is raised again)
        _LOG.exception("a trait could not be asked")
        # Lambda tells the state machine where it happened, and of a whole round that is more than an execution can carry.
        raise exc.with_traceback(None) from None
