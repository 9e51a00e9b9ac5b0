"""The wire form of notices and lifecycle events: one JSON object each, the same for every receiver of JSON."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec

from interlock.codec.documents import mapping
from interlock.core.alerts import Alert, LifecycleEvent, Notice


def notice_json(notice: Notice) -> bytes:
    """Return a notice as one line of JSON, without a line break at its end.

    The alert's own keys are always there; `pipelineId`, `scheduleId`, `date` and `runId` are empty texts where the alert is
    about Interlock itself. `timestamp` is when the fact became known, `noticedAt` when this telling became due, both RFC
    3339 in UTC. `alertId`, and `dedupKey`, which is the same, name the fact; `noticeId` names the telling: both stay the
    same however often it is delivered. Keys that say nothing here are left out: `resolution`, `tier`, `owner`, `folded` and
    `grouped`.
    """
    return msgspec.json.encode(notice_object(notice))


def notice_object(notice: Notice) -> dict[str, Any]:
    """Return what `notice_json` writes, for receivers whose own form wraps it."""
    alert = notice.alert
    told: dict[str, Any] = {
        **_short(alert),
        "runId": _encodable(alert.run_id),
        "details": mapping(alert.details),
        "dedupKey": _encodable(alert.alert_id),
        "notice": notice.kind.value,
        "noticeId": _encodable(notice.notice_id),
        "noticedAt": notice.at.astimezone(UTC),
    }
    extra: dict[str, Any] = {
        "resolution": _encodable(notice.resolution),
        "tier": alert.tier,
        "owner": _encodable(alert.owner),
        "folded": [_short(other) for other in notice.folded],
        "grouped": [_short(other) for other in notice.grouped],
    }
    return told | {key: value for key, value in extra.items() if value}


def lifecycle_json(event: LifecycleEvent) -> bytes:
    """Return a lifecycle event as one line of JSON, without a line break at its end.

    `eventId` is the same however often the event is delivered; `timestamp` is RFC 3339 in UTC.
    """
    return msgspec.json.encode(
        {
            "eventType": event.event_type,
            "eventId": event.event_id,
            "pipelineId": event.slot.pipeline,
            "scheduleId": event.slot.schedule,
            "date": str(event.slot.period),
            "runId": event.run_id,
            "status": event.status,
            "timestamp": event.at.astimezone(UTC),
        }
    )


def _short(alert: Alert) -> dict[str, Any]:
    slot = alert.slot
    return {
        "level": alert.level.value,
        "alertType": alert.alert_type.value,
        "alertId": _encodable(alert.alert_id),
        "pipelineId": slot.pipeline if slot else "",
        "scheduleId": slot.schedule if slot else "",
        "date": str(slot.period) if slot else "",
        "message": _encodable(alert.message),
        "timestamp": alert.at.astimezone(UTC),
    }


def _encodable(text: str) -> str:
    # Half a character, from a broken program's output, must not cost the alert.
    return text.encode(errors="replace").decode()
