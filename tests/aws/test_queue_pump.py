"""A queue's mapping: what succeeded is deleted, what failed comes back, and what keeps failing dies by the queue's own rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from tests.aws.lab.pump import Blocked, Running
from tests.aws.lab.sqs_pump import QueuePump
from tests.servers.base import until
from tests.servers.dynamodb import MiniStackServer

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]


class Queues:
    """A queue whose messages are seen again at once, and die at their third delivery."""

    def __init__(self, client: Any, name: str, *, hidden: int = 0) -> None:
        self.client = client
        self.dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = client.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        self.url = client.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(hidden), "RedrivePolicy": redrive}
        )["QueueUrl"]

    def send(self, *bodies: str, **attributes: Any) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=attributes)

    def left(self, url: str) -> list[str]:
        found = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        return [message["Body"] for message in found.get("Messages", [])]


@pytest.fixture
def client(ministack_server: MiniStackServer) -> Iterator[Any]:
    with closing(boto3.client("sqs", **ministack_server.client_options)) as client:  # type: ignore[call-overload, unused-ignore]
        yield client


@pytest.fixture
def queues(client: Any, ministack_server: MiniStackServer) -> Queues:
    return Queues(client, ministack_server.fresh_table())


class Heard:
    """A function that remembers the bodies it was given, and answers that some have failed."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.batches: list[list[str]] = []
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        self.events.append(event)
        self.batches.append([record["body"] for record in event["Records"]])
        failed = [record["messageId"] for record in event["Records"] if record["body"] in self.failing]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    @property
    def bodies(self) -> list[str]:
        return [body for batch in self.batches for body in batch]


def test_what_succeeded_is_deleted_and_what_keeps_failing_ends_in_the_dead_letter_queue(queues: Queues) -> None:
    queues.send("a", "bad", "b")
    heard = Heard("bad")
    pump = QueuePump(queues.client, queues.url, heard, report=True)
    pump.drain()
    assert sorted(heard.bodies) == ["a", "b", "bad", "bad"]
    assert queues.left(queues.url) == []
    assert queues.left(queues.dead) == ["bad"]


def test_a_function_that_raises_has_its_whole_batch_back(queues: Queues) -> None:
    queues.send("a", "b")
    heard: list[int] = []

    def broken(event: dict[str, Any]) -> None:
        heard.append(len(event["Records"]))
        raise ValueError("broken")

    pump = QueuePump(queues.client, queues.url, broken, report=True)
    pump.drain()
    assert heard == [2, 2]
    assert [str(error) for error in pump.errors] == ["broken"] * 2
    assert sorted(queues.left(queues.dead)) == ["a", "b"]


@pytest.mark.parametrize("name", ["", "unknown", None])
def test_an_answer_that_names_what_was_not_given_fails_the_whole_batch(queues: Queues, name: str | None) -> None:
    queues.send("a", "b")
    QueuePump(
        queues.client, queues.url, lambda _: {"batchItemFailures": [{"itemIdentifier": name}]}, report=True
    ).step()
    assert sorted(queues.left(queues.url)) == ["a", "b"]


def test_failures_that_the_mapping_does_not_ask_for_are_deleted_with_the_rest(queues: Queues) -> None:
    queues.send("bad")
    QueuePump(queues.client, queues.url, Heard("bad")).drain()
    assert queues.left(queues.url) == queues.left(queues.dead) == []


def test_what_failed_is_hidden_until_its_time_has_passed(client: Any, ministack_server: MiniStackServer) -> None:
    queues = Queues(client, ministack_server.fresh_table(), hidden=600)
    queues.send("bad")
    heard = Heard("bad")
    assert QueuePump(client, queues.url, heard, report=True).drain() == 1
    assert heard.batches == [["bad"]]


def test_batches_are_no_larger_than_they_may_be(queues: Queues) -> None:
    queues.send(*"abcde")
    heard = Heard()
    QueuePump(queues.client, queues.url, heard, batch_size=2).drain()
    assert max(map(len, heard.batches)) <= 2
    assert sorted(heard.bodies) == list("abcde")
    with pytest.raises(ValueError, match="AWS refuses a batch of 11"):
        QueuePump(queues.client, queues.url, heard, batch_size=11)


def test_a_message_is_what_a_function_gets_on_aws(queues: Queues) -> None:
    queues.send(
        "a", who={"DataType": "String", "StringValue": "x"}, key={"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    )
    heard = Heard()
    QueuePump(queues.client, queues.url, heard).drain()
    (record,) = heard.events[0]["Records"]
    assert set(record) == {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
        "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "eu-central-1")
    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert record["messageAttributes"] == {
        "who": {"stringValue": "x", "dataType": "String", **empty},
        "key": {"binaryValue": "AP8=", "dataType": "Binary", **empty},
    }


def test_a_queue_that_comes_to_no_end_says_so(client: Any, ministack_server: MiniStackServer) -> None:
    url = client.create_queue(QueueName=ministack_server.fresh_table(), Attributes={"VisibilityTimeout": "0"})[
        "QueueUrl"
    ]
    client.send_message(QueueUrl=url, MessageBody="bad")
    with pytest.raises(Blocked, match="after 4 batches"):
        QueuePump(client, url, Heard("bad"), report=True).drain(steps=4)


def test_a_queue_can_be_pumped_by_itself(queues: Queues) -> None:
    heard = Heard()
    with Running(QueuePump(queues.client, queues.url, heard)) as running:
        queues.send("a")
        until(lambda: heard.bodies == ["a"], "the message is delivered")
    assert running.errors == []
