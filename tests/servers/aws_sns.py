"""SNS, as far as publishing to topics goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.servers.aws_errors import ACCOUNT, REGION, AwsError
from tests.servers.aws_jobs import digest
from tests.servers.aws_wire import Params

_ARN: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}"
TOPIC: Final = f"{_ARN}:data-alerts"
FIFO_TOPIC: Final = f"{_ARN}:data-alerts.fifo"
_LARGEST: Final = 256 * 1024


class Sns:
    """Known topics and what was published to them, each message once for its deduplication id."""

    def __init__(self) -> None:
        self.topics = {TOPIC, FIFO_TOPIC}
        self.messages: list[Params] = []
        self._published = 0
        self._seen: dict[tuple[str, str], str] = {}

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {"Publish": self._publish}

    def _publish(self, params: Params) -> Params:
        topic = params.get("TopicArn") or params.get("TargetArn") or ""
        if len(topic.split(":")) != 6 or not topic.startswith("arn:aws:sns:"):
            raise _invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {len(topic.split(':'))}")
        if topic not in self.topics:
            raise AwsError("NotFoundException", "Topic does not exist", 404)
        _check_subject(params.get("Subject"))
        _check_size(params)
        self._published += 1
        id_ = digest("sns", self._published)[:32]
        if topic.endswith(".fifo"):
            return self._in_order(topic, id_, params)
        if "MessageDeduplicationId" in params:
            raise _invalid("MessageDeduplicationId Reason: it is for FIFO topics only")
        self.messages.append(params)
        return {"MessageId": id_}

    def _in_order(self, topic: str, id_: str, params: Params) -> Params:
        if not params.get("MessageGroupId"):
            raise _invalid("The MessageGroupId parameter is required for FIFO topics")
        if not params.get("MessageDeduplicationId"):
            raise _invalid(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
            )
        key = (topic, params["MessageDeduplicationId"])
        if key not in self._seen:
            self._seen[key] = id_
            self.messages.append(params)
        return {"MessageId": self._seen[key], "SequenceNumber": f"1000000000000000{self._published:04d}"}


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidParameterException", f"Invalid parameter: {reason}", 400)


def _check_subject(subject: str | None) -> None:
    if subject is None:
        return
    fits = 0 < len(subject) <= 100 and subject.isascii() and subject.isprintable() and subject[0] != " "
    if not fits:
        raise _invalid("Subject")


def _check_size(params: Params) -> None:
    if not params["Message"]:
        raise _invalid("Empty message")
    size = len(params["Message"].encode())
    for name, attribute in params.get("MessageAttributes", {}).items():
        value = attribute.get("StringValue", attribute.get("BinaryValue", ""))
        size += len(name) + len(attribute["DataType"]) + len(value if isinstance(value, bytes) else value.encode())
    if size > _LARGEST:
        raise _invalid("Message too long")
