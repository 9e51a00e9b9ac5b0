"""What is kept of whoever changed something: a line in the audit log, and one in the pipeline's own timeline.

Most operations write down themselves who asked, in the record of what they did. Those that do not are listed here, and get
a line of their own in the timeline, so that there is one record of one act.
"""

from __future__ import annotations

import logging
from typing import Final

from interlock.clients.texts import cleaned
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import PipelineName
from interlock.errors import InterlockError
from interlock.runtime.wiring import Interlock
from interlock.server.asked import Asked
from interlock.stores import keys
from interlock.stores.kernel import Put
from interlock.stores.repository import pipeline_note_record

UNSIGNED: Final = frozenset({"Evaluate", "SendMarker"})
"""The operations on pipelines that leave nothing in the timeline that says who asked."""

_SHOWN: Final = 255
_log: Final = logging.getLogger("interlock.audit")
_log.setLevel(logging.INFO)  # who changed what is written down however quiet the log is meant to be


class Audit:
    """Writes down who changed what."""

    def __init__(self, work: Interlock) -> None:
        self._work = work

    def sign(self, asked: Asked) -> None:
        """Write into the timeline who asked for what was just done, where the deed itself does not say it.

        The deed is done: that this line cannot be written is logged, and does not turn it into an error.
        """
        if asked.operation not in UNSIGNED or not asked.pipeline:
            return
        at = self._work.clock.now()
        about = f" for {asked.run}" if asked.run else ""
        message = f"{asked.actor} asked for {_words(asked.operation)}{about}"
        told = EventRecord(kind=EventKind.API_CALLED, at=at, status=asked.operation, message=message)
        pk, name = keys.pipeline_pk(asked.pipeline), f"api/{asked.request_id}"
        try:
            self._work.kernel.commit(
                pk, [Put(pipeline_note_record(pk, PipelineName(asked.pipeline), at, name, (told,)))]
            )
        except InterlockError:
            _log.exception("who asked for %s could not be written into the timeline", asked.operation)

    def write_down(self, asked: Asked, status: int) -> None:
        """Leave a line about a request that changes something, whatever came of it."""
        # What a caller names is not known to be a name yet, and must not forge a line.
        pipeline, run = cleaned(asked.pipeline, _SHOWN), cleaned(asked.run, _SHOWN)
        facts = {
            "requestId": asked.request_id,
            "actor": asked.actor,
            "address": asked.address,
            "operation": asked.operation,
            "pipeline": pipeline,
            "run": run,
            "status": status,
        }
        named = (asked.actor, asked.operation, pipeline or "-", run or "-", status, asked.request_id)
        _log.info("%s %s %s %s %d %s", *named, extra=facts)


def _words(operation: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in operation).strip()
