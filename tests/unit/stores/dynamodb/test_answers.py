"""What comes in the place of an answer of DynamoDB is of unknown outcome: no row is missing for it, and no write done."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, Final, TypeAlias
from zlib import crc32

import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.errors import StoreUnavailable
from interlock.stores.dynamodb.calls import Calls
from interlock.stores.dynamodb.client import make_client
from interlock.stores.dynamodb.options import DynamoOptions

pytestmark = pytest.mark.enable_socket

Answering: TypeAlias = Callable[[socket.socket, bytes], None]


def told(status: str, body: bytes = b"", *headers: str) -> Answering:
    # The connection is not to be used again, so that no request meets a closed one and is lost before anybody read it.
    return reply(status, body, "Connection: close", *headers)


ITEM: Final = {"PK": {"S": "p"}, "SK": {"S": "a"}}
ROW: Final = json.dumps({"Item": ITEM}).encode()
DONE: Final = b"{}"
PAGE: Final = b"<!DOCTYPE html><html><h1>Please log in</h1></html>"
CONDITION: Final = b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}'
READ: Final[dict[str, Any]] = {"operation": "get_item", "TableName": "t", "Key": ITEM}
WRITE: Final[dict[str, Any]] = {"operation": "put_item", "TableName": "t", "Item": ITEM}

NO_ANSWERS: Final = {
    "page": told("200 OK", PAGE),
    "cut": told("200 OK", ROW[:-9]),
    "bytes": told("200 OK", b'{"Item": "\xff"}'),
    "nothing": told("200 OK"),
    "list": told("200 OK", b"[]"),
    "without an end": told("200 OK", b"[" * 100_000),
    "other words": told("200 OK", b'{"message": "blocked by policy"}'),
    "damaged": told("200 OK", DONE, f"x-amz-crc32: {crc32(ROW)}"),
    "error that is a list": told("400 Bad Request", b"[]"),
    "error of bytes": told("400 Bad Request", b"\xff\xfe"),
    "error without an end": told("400 Bad Request", b"[" * 100_000),
    "damaged error": told("400 Bad Request", CONDITION, f"x-amz-crc32: {crc32(ROW)}"),
}
whatever_comes = pytest.mark.parametrize("comes", NO_ANSWERS.values(), ids=NO_ANSWERS)


class Bench:
    """Calls of a server that answers as it is told, and the last answer for ever."""

    def __init__(self, server: RawServer, calls: Calls, answers: list[Answering]) -> None:
        self.server = server
        self.calls = calls
        self._answers = answers

    def answer(self, *answers: Answering) -> None:
        self._answers[:] = answers
        self.server.requests.clear()

    @property
    def asked(self) -> int:
        return len(self.server.requests)

    @property
    def tokens(self) -> set[str]:
        return {re.findall(r'"ClientRequestToken": ?"(\w+)"', request.decode())[0] for request in self.server.requests}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    answers: list[Answering] = []

    def answer(peer: socket.socket, request: bytes) -> None:
        (answers.pop(0) if len(answers) > 1 else answers[0])(peer, request)

    with RawServer(answer) as server:
        options = DynamoOptions(table_name="t", endpoint=server.url, region="eu-west-1", timeout=timedelta(seconds=20))
        with closing(Calls(make_client(options), "the DynamoDB table 't' (here)", 20)) as calls:
            yield Bench(server, calls, answers)


@whatever_comes
def test_a_row_is_looked_for_again_and_never_called_missing(bench: Bench, comes: Answering) -> None:
    bench.answer(comes, told("200 OK", ROW, f"x-amz-crc32: {crc32(ROW)}"))
    assert bench.calls.read(**READ)["Item"] == ITEM
    assert bench.asked == 2


@whatever_comes
def test_who_never_hears_of_dynamodb_is_told_that_it_cannot_be_read(bench: Bench, comes: Answering) -> None:
    bench.answer(comes)
    with pytest.raises(
        StoreUnavailable, match=r"cannot read .*: what answered is not DynamoDB.*HTTPS_PROXY. Try again"
    ):
        bench.calls.read(**READ)


@whatever_comes
def test_a_single_write_is_never_called_done_nor_refused_nor_made_again(bench: Bench, comes: Answering) -> None:
    bench.answer(comes, told("200 OK", DONE))
    with pytest.raises(StoreUnavailable, match="may or may not have happened"):
        bench.calls.write(**WRITE)
    assert bench.asked == 1


@whatever_comes
def test_a_transaction_is_asked_for_again_under_its_token(bench: Bench, comes: Answering) -> None:
    bench.answer(comes, told("200 OK", DONE))
    bench.calls.transact(TransactItems=[{"Put": {"TableName": "t", "Item": ITEM}}])
    assert bench.asked == 2
    assert len(bench.tokens) == 1


def test_that_there_is_no_such_row_is_an_answer(bench: Bench) -> None:
    for answer in (told("200 OK", DONE), told("200 OK", DONE, f"x-amz-crc32: {crc32(DONE)}")):
        bench.answer(answer)
        assert "Item" not in bench.calls.read(**READ)
        assert bench.asked == 1
