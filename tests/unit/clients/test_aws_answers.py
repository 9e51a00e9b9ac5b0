"""What is no answer of AWS is not taken for one, however politely it comes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

import pytest
from tests.servers.aws_errors import REGION
from tests.unit.clients.awsdoors import NOTHING, TIMEOUT, TRANSIENT, Doors
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.aws import AwsTrouble

pytestmark = pytest.mark.enable_socket

Answering: TypeAlias = Callable[[socket.socket, bytes], None]

PAGE: Final = b"<!DOCTYPE html><html><h1>Please log in</h1><br></html>"
ARN: Final = "arn:aws:states:us-east-1:123456789012:execution:m:e"
STARTED: Final = json.dumps({"executionArn": ARN, "startDate": 1.5}).encode()


class Wish(NamedTuple):
    """A call, and an answer that says that it was done."""

    service: str
    operation: str
    parameters: dict[str, Any]
    done: bytes


WISHES: Final = (
    Wish("stepfunctions", "start_execution", {"stateMachineArn": ARN, "name": "e", "input": "{}"}, STARTED),
    Wish("stepfunctions", "send_task_success", {"taskToken": "t", "output": "{}"}, b"{}"),
    Wish("sqs", "send_message", {"QueueUrl": "https://queue", "MessageBody": "x"}, b'{"MessageId": "1"}'),
    Wish("glue", "get_job_runs", {"JobName": "daily"}, b'{"JobRuns": []}'),
    Wish(
        "emr-serverless",
        "start_job_run",
        {"applicationId": "a", "clientToken": "t", "executionRoleArn": "arn:aws:iam::123456789012:role/jobs"},
        b'{"applicationId": "a", "jobRunId": "r", "arn": "x"}',
    ),
)
START: Final = WISHES[0]
each_wish = pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.operation)


class Server:
    """Answers each request as it is told, and asks through a door of its own."""

    def __init__(self, doors: Doors, raw: RawServer, said: list[Answering]) -> None:
        self._said = said
        self._door = doors(endpoint=raw.url, region=REGION)

    def asked(self, wish: Wish, status: str, body: bytes, *headers: str) -> dict[str, Any]:
        self._said[:] = [reply(status, body, *headers)]
        return self._door.call(wish.service, wish.operation, NOTHING, timeout=TIMEOUT, **wish.parameters)

    def refused(self, wish: Wish, status: str, body: bytes, *headers: str) -> AwsTrouble:
        with pytest.raises(AwsTrouble) as caught:
            self.asked(wish, status, body, *headers)
        return caught.value


@pytest.fixture
def server(door_to: Doors) -> Iterator[Server]:
    said: list[Answering] = []

    def answer(peer: socket.socket, request: bytes) -> None:
        said[-1](peer, request)

    with RawServer(answer) as raw:
        yield Server(door_to, raw, said)


@each_wish
def test_an_answer_is_believed(server: Server, wish: Wish) -> None:
    assert server.asked(wish, "200 OK", wish.done)["ResponseMetadata"]["HTTPStatusCode"] == 200


@each_wish
def test_what_is_no_json_object_is_no_proof_that_anything_was_done_or_that_nothing_was(
    server: Server, wish: Wish
) -> None:
    """A proxy answers with its own pages, and says 200 with them."""
    for body in (PAGE, b"OK", b"[]", b"null", b'"done"', b'{"JobRuns": [', b'{"MessageId": "' + b"\xff" * 9 + b'"}'):
        found = server.refused(wish, "200 OK", body)
        assert (found.done, found.category) == (None, TRANSIENT), body


def test_who_reads_it_is_told_where_to_look_and_nothing_of_the_page(server: Server) -> None:
    said = str(server.refused(START, "200 OK", PAGE))
    assert "the answer cannot be read" in said
    assert "HTTPS_PROXY" in said
    assert "log in" not in said


@pytest.mark.parametrize("wish", [one for one in WISHES if one.done != b"{}"], ids=lambda wish: wish.operation)
def test_an_answer_without_a_word_that_belongs_there_is_none(server: Server, wish: Wish) -> None:
    for body in (b"", b'{"message": "blocked by policy"}'):
        assert server.refused(wish, "200 OK", body).done is None, body


def test_an_answer_with_words_of_a_later_version_besides_is_believed(server: Server) -> None:
    later = json.dumps({**json.loads(STARTED), "mood": "good"}).encode()
    assert server.asked(START, "200 OK", later)["executionArn"] == ARN


def test_words_of_a_later_version_are_believed_where_there_were_none_before(server: Server) -> None:
    assert server.asked(WISHES[1], "200 OK", b'{"mood": "good"}')


def test_an_answer_has_the_words_that_travel_not_those_that_botocore_makes_of_them(server: Server) -> None:
    wish = Wish("mq", "delete_broker", {"BrokerId": "b"}, b"")
    assert server.asked(wish, "200 OK", b'{"brokerId": "b"}')["BrokerId"] == "b"
    assert server.refused(wish, "200 OK", b'{"BrokerId": "b"}').done is None


def test_nothing_is_the_answer_where_all_is_said_before_the_body(server: Server) -> None:
    wish = Wish("lambda", "delete_function", {"FunctionName": "f"}, b"")
    assert server.asked(wish, "200 OK", b"")["StatusCode"] == 200


def test_an_answer_whose_body_is_one_part_of_it_is_let_be(server: Server) -> None:
    wish = Wish("bedrock", "export_automated_reasoning_policy_version", {"policyArn": ARN}, b"")
    assert server.asked(wish, "200 OK", b'{"version": "1.0"}')["policyDefinition"] == {"version": "1.0"}


def test_nothing_is_the_answer_where_nothing_is_to_be_said(server: Server) -> None:
    wish = Wish("sqs", "delete_message", {"QueueUrl": "https://queue", "ReceiptHandle": "r"}, b"")
    assert server.asked(wish, "200 OK", b"")
    assert server.refused(wish, "200 OK", PAGE).done is None


def test_an_answer_with_another_checksum_than_its_own_is_damaged(server: Server) -> None:
    right, wrong = crc32(STARTED), crc32(STARTED + b" ")
    assert server.asked(START, "200 OK", STARTED, f"x-amz-crc32: {right}")["executionArn"] == ARN
    assert server.refused(START, "200 OK", STARTED, f"X-Amz-Crc32: {wrong}").done is None
    assert server.refused(START, "200 OK", STARTED, "x-amz-crc32: ?").done is None


def test_an_error_that_cannot_be_read_is_one_of_unknown_outcome(server: Server) -> None:
    for body in (b"[]", b"null", b"\xff\xfe", b"[" * 100_000):
        assert server.refused(START, "400 Bad Request", body).done is None, body[:9]


def test_a_status_that_says_no_is_believed_without_a_word(server: Server) -> None:
    """The request went no further than to whoever gave it."""
    for body in (PAGE, b"", b"1" * 9999, b'{"__type": "Denied", "message": "no"}'):
        assert server.refused(START, "403 Forbidden", body).done is False, body[:9]


def test_a_damaged_error_says_nothing(server: Server) -> None:
    body = b'{"__type": "ExecutionAlreadyExists"}'
    found = server.refused(START, "400 Bad Request", body, "x-amz-crc32: 7")
    assert (found.done, found.code) == (None, "")


def test_what_streams_is_handed_over_as_it_is(server: Server) -> None:
    """What a function says is read by whoever knows what it should be."""
    wish = Wish("lambda", "invoke", {"FunctionName": "f"}, b"")
    assert server.asked(wish, "200 OK", PAGE, "x-amz-crc32: 7")["Payload"] == PAGE
