"""The wire form of an alert: one JSON object, the same for every sink that writes JSON."""

from __future__ import annotations

from datetime import UTC

import msgspec

from interlock.codec.documents import mapping
from interlock.core.alerts import Alert


def alert_json(alert: Alert) -> bytes:
    """Return an alert as one line of JSON, without a line break at its end.

    `timestamp` is when the fact became known, RFC 3339 in UTC; `alertId` is the same for the same fact, however often it
    is delivered.
    """
    slot = alert.run.slot
    return msgspec.json.encode(
        {
            "level": alert.level.value,
            "alertType": alert.alert_type.value,
            "alertId": alert.alert_id,
            "pipelineId": slot.pipeline,
            "scheduleId": slot.schedule,
            "date": str(slot.period),
            "runId": alert.run.run_id,
            "message": alert.message,
            "details": mapping(alert.details),
            "timestamp": alert.at.astimezone(UTC),
        }
    )
