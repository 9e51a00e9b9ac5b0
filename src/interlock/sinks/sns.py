"""Publish alerts and lifecycle events to a topic of Amazon SNS."""

from __future__ import annotations

import re
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from interlock.clients.aws import AwsOptions, options_of, region_of_arn
from interlock.clients.names import short_name
from interlock.clients.texts import cleaned
from interlock.codec.alerts import lifecycle_json, notice_json, notice_object
from interlock.core.alerts import LifecycleEvent, Notice
from interlock.core.templates import has_placeholder
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.aws import AwsReceiver
from interlock.sinks.context import SinkContext
from interlock.sinks.wording import ITSELF, about, facts, sentence, tag

_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?", re.ASCII)

# SNS's limits: characters of a subject and of the ids of FIFO topics, bytes of a message with its attributes (256 KiB).
_LONGEST_SUBJECT: Final = 99
_LONGEST_ID: Final = 128
_LONGEST_MESSAGE: Final = 250_000
_LONGEST_VALUE: Final = 256
# Of a message that would be too long.
_LONGEST_TEXT: Final = 4000
_LONGEST_DETAILS: Final = 50_000
_LONGEST_ITEM: Final = 500
_MOST_ITEMS: Final = 20

_ADVICE: Final = {
    "AuthorizationError": "it needs sns:Publish on this topic",
    "NotFound": "correct topicArn: the account and the region of the ARN have no such topic",
    "KMSAccessDenied": "it needs kms:GenerateDataKey and kms:Decrypt on the key of the topic",
}


class SnsConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which topic is published to."""

    topic_arn: Annotated[
        str, Meta(min_length=1, description="The ARN of the topic; its region is the one that is asked.")
    ]
    message_format: Annotated[
        Literal["json", "text"], Meta(description="What subscribers get: json for programs, text for people's mail.")
    ] = "json"
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one call.")] = 10

    def __post_init__(self) -> None:
        if has_placeholder(self.topic_arn):
            return
        topic = _TOPIC.fullmatch(self.topic_arn)
        if topic is None:
            such = "arn:aws:sns:eu-central-1:123456789012:data-alerts"
            raise ValueError(f"topicArn is not the ARN of a topic, expected such as {such}")
        if self.region not in ("", topic[1]) and not has_placeholder(self.region):
            raise ValueError(f"region is {self.region}, and the topic is in {topic[1]}: leave region out")


class SnsSink:
    """Publishes each notice, or each lifecycle event, as one message, with attributes that subscriptions can filter by.

    A FIFO topic gets what is about one slot in its order, and a repeated delivery within five minutes once.
    """

    Config = SnsConfig

    def __init__(self, config: SnsConfig, context: SinkContext) -> None:
        if context.aws is None:
            raise MissingExtra("the sink 'sns'", "aws")
        self._config = config
        options = options_of(config, region=region_of_arn(config.topic_arn))
        name = config.topic_arn.rpartition(":")[2]
        self._receiver = AwsReceiver(f"the SNS topic {name}", context.aws, options, _ADVICE)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Publish the notice once; whoever calls decides about another try.

        Raises:
            SinkError: SNS did not take it, or nobody can know. `retryable` is False where another try cannot help.
        """
        alert = notice.alert
        text = _text(notice) if self._config.message_format == "text" else _json(notice)
        attributes = {
            "alertType": alert.alert_type.value,
            "level": alert.level.value,
            "notice": notice.kind.value,
            "pipelineId": alert.slot.pipeline if alert.slot else "",
            "owner": alert.owner,
            "tier": str(alert.tier or ""),
        }
        group = str(alert.slot) if alert.slot else ITSELF
        self._publish(text, _subject(notice), attributes, (group, notice.notice_id), timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Publish the event once; whoever calls decides about another try.

        Raises:
            SinkError: as for `deliver`.
        """
        said = f"{event.event_type}: {event.run_id}"
        text = said if self._config.message_format == "text" else lifecycle_json(event).decode()
        attributes = {
            "eventType": event.event_type,
            "status": event.status,
            "pipelineId": event.slot.pipeline,
            "scheduleId": event.slot.schedule,
        }
        self._publish(text, _line(said), attributes, (str(event.slot), event.event_id), timeout)

    def _publish(
        self, text: str, subject: str, attributes: dict[str, str], ids: tuple[str, str], timeout: timedelta
    ) -> None:
        topic = self._config.topic_arn
        order = dict(zip(("MessageGroupId", "MessageDeduplicationId"), map(_id, ids), strict=True))
        answer = self._receiver.ask(
            "sns",
            "publish",
            within=min(timeout, timedelta(seconds=self._config.timeout)),
            TopicArn=topic,
            Message=text,
            Subject=subject,
            MessageAttributes={name: _attribute(value) for name, value in attributes.items() if value},
            **(order if topic.endswith(".fifo") else {}),
        )
        if not answer.get("MessageId"):
            raise SinkError(f"{self._receiver.name}: the answer is not one of SNS, so the message may be lost")


def _subject(notice: Notice) -> str:
    # The tag says already that it is over.
    return _line(f"[{tag(notice)}] {about(notice.alert)}: {sentence(notice).removeprefix('RESOLVED: ')}")


def _line(text: str) -> str:
    """Return a text as SNS takes a subject: ASCII, in one line, short."""
    plain = cleaned(text, _LONGEST_TEXT).encode("ascii", errors="replace").decode()
    return plain if len(plain) <= _LONGEST_SUBJECT else plain[: _LONGEST_SUBJECT - 3] + "..."


def _text(notice: Notice) -> str:
    return "\n".join((sentence(notice), "", *facts(notice)))


def _attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": cleaned(value, _LONGEST_VALUE) or "-"}


def _id(text: str) -> str:
    return short_name(text, _LONGEST_ID, allowed=string.punctuation)


def _json(notice: Notice) -> str:
    """Return the notice as JSON, in a size that SNS takes; what was cut says `shortened`."""
    whole = notice_json(notice)
    if len(whole) <= _LONGEST_MESSAGE:
        return whole.decode()
    told = notice_object(notice) | {"shortened": True}
    for key in ("message", "resolution", "owner"):
        if key in told:
            told[key] = cleaned(told[key], _LONGEST_TEXT)
    if len(msgspec.json.encode(told["details"])) > _LONGEST_DETAILS:
        told["details"] = {"omitted": "too long for SNS"}
    for key in ("folded", "grouped"):
        if key in told:
            told[key] = [_briefly(other) for other in told[key][:_MOST_ITEMS]]
    return msgspec.json.encode(told).decode()


def _briefly(other: dict[str, Any]) -> dict[str, Any]:
    return other | {"message": cleaned(other["message"], _LONGEST_ITEM)}


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber

    def _is_both(it: SnsSink) -> tuple[Sink, Subscriber]:
        return it, it
