"""An event source mapping from an SQS queue to a function: the queue itself hides, counts and redrives its messages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from tests.aws.lab.pump import REPORTING, Blocked, Call, Function, answer_of, failed_in

_MOST: Final = 10


class QueuePump:
    """Hands the messages of a queue to a function, and deletes those that succeeded.

    The others come back when the queue's visibility timeout has passed, and after `maxReceiveCount` tries the queue moves
    them to its dead-letter queue. A batching window is not played, so a batch has at most ten messages.
    """

    def __init__(
        self, client: Any, url: str, function: Function, *, batch_size: int = 10, report: bool = False
    ) -> None:
        if not 1 <= batch_size <= _MOST:
            raise ValueError(f"AWS refuses a batch of {batch_size} messages without a batching window")
        self.calls: list[Call] = []
        self.errors: list[Exception] = []
        self._client = client
        self._url = url
        self._function = function
        self._batch_size = batch_size
        self._types = (REPORTING,) if report else ()
        attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        self._arn = str(attributes["QueueArn"])

    def step(self) -> int:
        """Deliver one batch of what can be seen now. Return 1, or 0 if there was nothing."""
        found = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=self._batch_size,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        ).get("Messages", [])
        if not found:
            return 0
        numbers = tuple(str(message["MessageId"]) for message in found)
        answer, error = answer_of(self._function, {"Records": [self._record(message) for message in found]})
        if error is not None:
            self.errors.append(error)
            failed = frozenset(numbers)
        else:
            failed = failed_in(answer, numbers) if self._types else frozenset()
        self.calls.append(Call(numbers, tuple(number for number in numbers if number in failed), error))
        for message in found:
            if message["MessageId"] not in failed:
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return 1

    def drain(self, *, steps: int = 1000) -> int:
        """Step until nothing can be seen; what failed is hidden, or dead. Return how many batches were delivered.

        Raises:
            Blocked: there is still something after so many steps.
        """
        for done in range(steps):
            if not self.step():
                return done
        raise Blocked(f"after {steps} batches the queue {self._url} still has messages")

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._arn.split(":")[3],
        }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    told = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        return {"stringValue": value["StringValue"], **told}
    return {"binaryValue": b64encode(value["BinaryValue"]).decode(), **told}
