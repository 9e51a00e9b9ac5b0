"""Page people through PagerDuty: an incident per fact, by the Events API v2."""

from __future__ import annotations

from datetime import UTC, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from interlock.clients.links import page_of
from interlock.clients.texts import cleaned
from interlock.codec.alerts import notice_object
from interlock.core.alerts import AlertLevel, Notice, NoticeKind
from interlock.core.telling import JOB_URL
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.posting import Receiver, secrets_in
from interlock.sinks.wording import about

Severity: TypeAlias = Literal["critical", "error", "warning", "info"]

# PagerDuty's limits: characters of a key and of a summary, bytes of an event (512 KB, of which the details get a part).
_LONGEST_KEY: Final = 255
_LONGEST_SUMMARY: Final = 1024
_LONGEST_TEXT: Final = 4000
_LONGEST_DETAILS: Final = 100_000
_LONGEST_ITEM: Final = 500
_MOST_ITEMS: Final = 50
_TAKEN: Final = 202


class Severities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """PagerDuty's severity for each level of ours."""

    error: Severity = "error"
    warning: Severity = "warning"
    info: Severity = "info"


class PagerDutyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which service is paged."""

    routing_key: Annotated[str, Meta(min_length=1, description="The integration key of an Events API v2 integration.")]
    url: Annotated[
        str, Meta(min_length=1, description="Where events are sent; the service region of the EU has another.")
    ] = "https://events.pagerduty.com/v2/enqueue"
    severity: Annotated[Severities, Meta(description="The severity of each level.")] = Severities()
    source: Annotated[str, Meta(min_length=1, max_length=200, description="What PagerDuty names as the source.")] = (
        "interlock"
    )
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one request.")] = 10


class PagerDutySink:
    """Opens an incident for a fact, and resolves it when the fact is mended.

    `dedup_key` is the alert's id: a repeated delivery and a reminder go into the incident that is open already. Nothing is
    ever acknowledged: that is for people.
    """

    Config = PagerDutyConfig

    def __init__(self, config: PagerDutyConfig, context: SinkContext) -> None:
        if context.http is None:
            raise MissingExtra("the sink 'pagerduty'", "http")
        self._config = config
        secrets = (config.routing_key, *secrets_in(config.url))
        self._receiver = Receiver("PagerDuty", context.http, config.url, secrets)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Send the event once; whoever calls decides about another try.

        Raises:
            SinkError: PagerDuty did not take it, or nobody can know. `retryable` is False where another try cannot help.
        """
        event: dict[str, Any] = {
            "routing_key": self._config.routing_key,
            "dedup_key": _key(notice.alert.alert_id),
            "event_action": "trigger",
        }
        if notice.kind is NoticeKind.RESOLVED:
            event["event_action"] = "resolve"
        else:
            event["client"] = "Interlock"
            event["payload"] = self._payload(notice)
            if page := page_of(notice.alert.details, JOB_URL):
                event["links"] = [{"href": page, "text": "The job's own page"}]
        body = msgspec.json.encode(event)
        reply = self._receiver.post(body, within=min(timeout, timedelta(seconds=self._config.timeout)))
        if reply.status != _TAKEN:
            said = self._receiver.quoted(reply.body)
            raise SinkError(
                f"PagerDuty takes an event with {_TAKEN}; {reply.status} came back: {said}".removesuffix(": ")
            )

    def _payload(self, notice: Notice) -> dict[str, Any]:
        alert = notice.alert
        severity = self._config.severity
        levels = {
            AlertLevel.ERROR: severity.error,
            AlertLevel.WARNING: severity.warning,
            AlertLevel.INFO: severity.info,
        }
        payload: dict[str, Any] = {
            # A limit in bytes is stricter than one in characters.
            "summary": cleaned(f"{about(alert)}: {alert.message}", _LONGEST_SUMMARY),
            "source": self._config.source,
            "severity": levels[alert.level],
            "timestamp": alert.at.astimezone(UTC),
            "component": about(alert),
            "class": alert.alert_type.value,
            "custom_details": _details(notice),
        }
        if alert.owner:
            payload["group"] = cleaned(alert.owner, _LONGEST_ITEM)
        return payload


def _key(alert_id: str) -> str:
    data = alert_id.encode(errors="replace")
    key = data.decode()
    if len(key) <= _LONGEST_KEY:
        return key
    mark = "#" + blake2b(data, digest_size=16).hexdigest()
    return key[: _LONGEST_KEY - len(mark)] + mark


def _details(notice: Notice) -> dict[str, Any]:
    """Return all that is known, in a size that PagerDuty takes."""
    told = notice_object(notice)
    told["message"] = cleaned(told["message"], _LONGEST_TEXT)
    if len(msgspec.json.encode(told["details"])) > _LONGEST_DETAILS:
        told["details"] = {"omitted": "too long for PagerDuty"}
    for key in ("folded", "grouped"):
        if key in told:
            told[key] = _briefly(told[key])
    return told


def _briefly(others: list[dict[str, Any]]) -> list[str]:
    items = [cleaned(f"{one['pipelineId'] or 'interlock'}: {one['message']}", _LONGEST_ITEM) for one in others]
    if len(items) <= _MOST_ITEMS:
        return items
    return [*items[:_MOST_ITEMS], f"… and {len(items) - _MOST_ITEMS} more"]


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: PagerDutySink) -> Sink:
        return it
