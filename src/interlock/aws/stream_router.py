"""The function `stream-router`: starts or wakes the execution of a run that changed, and takes others' markers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from interlock.aws.bodies import Context
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.records import Answer, each
from interlock.aws.routing import Router

_OFFICE: Final = office_of(named("stream-router"))
_LOG: Final = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], _context: Context) -> Answer:
    """Route the records of a batch, up to the first that cannot be routed now."""
    office = _OFFICE()
    router = Router(office.work.hands, office.machines, office.parking, office.failures)
    answer, trouble = each(event["Records"], router.route)
    if trouble is not None:
        _LOG.error("a record could not be routed, and comes again: %s", trouble, exc_info=trouble)
    return answer
