"""The function `alert-delivery`: tells people and programs what is kept for them.

The table's stream calls it when something is kept, and a rule every minute for what could not be told at first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from interlock.app.delivering import deliver
from interlock.app.sweep import deliver_due
from interlock.aws.bodies import Context
from interlock.aws.functions import named
from interlock.aws.office import Office, office_of
from interlock.aws.records import Answer, each, read
from interlock.errors import InterlockError
from interlock.stores.dynamodb import names
from interlock.stores.keys import DISPATCH_PREFIX

_OFFICE: Final = office_of(named("alert-delivery"))
_LOG: Final = logging.getLogger(__name__)
_MARGIN: Final = timedelta(seconds=40)


class Undelivered(InterlockError):
    """Some of what is due could not be told; it stays due."""


def handler(event: Mapping[str, Any], context: Context) -> Answer:
    """Deliver what the records of a batch are about; without records, what is due.

    Raises:
        Undelivered: some of what is due could not be told.
    """
    office = _OFFICE()
    if "Records" not in event:
        left = timedelta(milliseconds=context.get_remaining_time_in_millis()) - _MARGIN
        hands = office.work.hands
        check = deliver_due(hands, hands.clock.now() + left)
        if check.error:
            raise Undelivered(f"not everything could be told, and is tried again in a minute: {check.error}")
        return {"batchItemFailures": []}
    answer, trouble = each(event["Records"], lambda raw: _deliver(raw, office))
    if trouble is not None:
        _LOG.error("an alert could not be delivered, and comes again: %s", trouble, exc_info=trouble)
    return answer


def _deliver(raw: Mapping[str, Any], office: Office) -> None:
    pk = names.read_pk(read(raw).pk) or ""
    if pk.startswith(DISPATCH_PREFIX):
        deliver(pk.removeprefix(DISPATCH_PREFIX), office.work.hands)
