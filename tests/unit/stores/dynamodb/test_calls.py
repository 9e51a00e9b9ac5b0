"""When a call to DynamoDB is made again, and when it must not be."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb.calls import Calls, Refused
from interlock.stores.dynamodb.outcomes import failed_conditions

CUT = aws.ConnectionClosedError(endpoint_url="http://x")
LATE = aws.ReadTimeoutError(endpoint_url="http://x")
NOBODY = aws.EndpointConnectionError(endpoint_url="http://x", error="refused")


def said(code: str, status: int = 400, **others: Any) -> aws.ClientError:
    """An answer of DynamoDB that is an error."""
    return aws.ClientError(
        {"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": {"HTTPStatusCode": status}, **others}, "X"
    )


def cancelled(*reasons: str) -> aws.ClientError:
    return said("TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons])


THROTTLED = said("ProvisionedThroughputExceededException")
CONFLICT = cancelled("None", "TransactionConflict")
BROKEN = said("InternalServerError", 500)
LOST_RACE = cancelled("ConditionalCheckFailed", "None")


class Scripted:
    """A client that answers as it is told, and the last answer for ever."""

    def __init__(self, *answers: Exception | dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.closed = False

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def asked(**request: Any) -> dict[str, Any]:
            self.asked.append({"operation": operation, **request})
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return asked

    def close(self) -> None:
        self.closed = True

    @property
    def tokens(self) -> list[str]:
        return [request["ClientRequestToken"] for request in self.asked]


def calls_on(client: Scripted, timeout: float = 30.0) -> Calls:
    return Calls(client, "the DynamoDB table 't' (here)", timeout)


@pytest.mark.parametrize("trouble", [THROTTLED, BROKEN, CUT, LATE, NOBODY, ResponseParserError("<html>")], ids=repr)
def test_a_look_is_taken_again(trouble: Exception) -> None:
    client = Scripted(trouble, {"Item": 1})
    assert calls_on(client).read("get_item", TableName="t") == {"Item": 1}
    assert len(client.asked) == 2


@pytest.mark.parametrize("trouble", [THROTTLED, said("TransactionConflictException"), NOBODY], ids=repr)
def test_a_single_write_is_made_again_when_nothing_can_have_been_done(trouble: Exception) -> None:
    client = Scripted(trouble, trouble, {})
    calls_on(client).write("put_item", TableName="t")
    assert len(client.asked) == 3


@pytest.mark.parametrize("trouble", [BROKEN, CUT, LATE, ResponseParserError("<html>")], ids=repr)
def test_a_single_write_of_unknown_outcome_is_never_made_again(trouble: Exception) -> None:
    """It would meet its own row, and call it somebody else's."""
    client = Scripted(trouble, {})
    with pytest.raises(StoreUnavailable, match="may or may not have happened"):
        calls_on(client).write("put_item", TableName="t")
    assert len(client.asked) == 1


@pytest.mark.parametrize(
    "trouble", [BROKEN, CUT, LATE, said("TransactionInProgressException"), ResponseParserError("<html>")], ids=repr
)
def test_a_transaction_of_unknown_outcome_is_asked_for_under_the_same_token(trouble: Exception) -> None:
    client = Scripted(trouble, trouble, {})
    calls_on(client).transact(TransactItems=[])
    assert len(client.asked) == 3
    assert len(set(client.tokens)) == 1


@pytest.mark.parametrize(
    "trouble", [CONFLICT, THROTTLED, cancelled("ThrottlingError", "TransactionConflict")], ids=repr
)
def test_a_transaction_that_did_nothing_is_made_again_as_a_new_one(trouble: Exception) -> None:
    """Were the old one's end remembered under its token, it could never succeed."""
    client = Scripted(trouble, trouble, {})
    calls_on(client).transact(TransactItems=[])
    assert len(client.asked) == len(set(client.tokens)) == 3


def test_once_its_outcome_was_unknown_a_transaction_keeps_its_token_to_the_end() -> None:
    """What follows says nothing about the first try, which may still be done."""
    client = Scripted(CONFLICT, LATE, CONFLICT, THROTTLED, {})
    calls_on(client).transact(TransactItems=[])
    first, *rest = client.tokens
    assert len(rest) == 4
    assert {first}.isdisjoint(rest)
    assert len(set(rest)) == 1


def test_no_two_transactions_share_a_token_even_when_they_are_alike() -> None:
    """Of two processes with the same batch one has to lose."""
    client = Scripted({})
    for _ in range(100):
        calls_on(client).transact(TransactItems=[{"Put": 1}])
    assert len(set(client.tokens)) == 100


def test_a_lost_race_is_an_answer_and_no_trouble() -> None:
    client = Scripted(LOST_RACE)
    with pytest.raises(Refused) as refused:
        calls_on(client).transact(TransactItems=[])
    assert failed_conditions(refused.value.why) == [(0, {})]
    assert len(client.asked) == 1


def test_a_race_that_is_lost_and_disturbed_at_once_is_lost() -> None:
    with pytest.raises(Refused):
        calls_on(Scripted(cancelled("TransactionConflict", "ConditionalCheckFailed"))).transact(TransactItems=[])


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(THROTTLED, "it is throttled. Nothing was written"), (CONFLICT, "other transactions hold the same rows")],
)
def test_patience_ends_and_it_is_said_that_nothing_was_written(trouble: Exception, words: str) -> None:
    client = Scripted(trouble)
    with pytest.raises(StoreUnavailable, match=words):
        calls_on(client, timeout=0.2).transact(TransactItems=[])
    assert len(client.asked) > 2


def test_after_an_unknown_outcome_nothing_is_promised_any_more() -> None:
    """Throttled the second time: the first may have been done all the same."""
    for second in (THROTTLED, CONFLICT, said("AccessDeniedException"), aws.NoCredentialsError()):
        with pytest.raises((StoreUnavailable, Refused)) as raised:
            calls_on(Scripted(LATE, second), timeout=0.2).transact(TransactItems=[])
        if isinstance(raised.value, Refused):
            assert raised.value.unknown
        else:
            assert "may or may not have happened" in str(raised.value)
            assert "Nothing was written" not in str(raised.value)


def test_who_never_answers_is_asked_three_times_and_no_more() -> None:
    client = Scripted(NOBODY)
    with pytest.raises(StoreUnavailable, match="nobody answers there"):
        calls_on(client).read("get_item", TableName="t")
    assert len(client.asked) == 3


def test_what_would_not_help_is_not_tried_again() -> None:
    client = Scripted(said("AccessDeniedException"))
    with pytest.raises(StoreError, match="this role may not do that"):
        calls_on(client).read("get_item", TableName="t")
    assert len(client.asked) == 1


def test_two_who_wait_do_not_wait_in_step() -> None:
    """Or they would meet again and again."""
    one, other = (calls_on(Scripted({})) for _ in range(2))
    pauses = [[calls._pause(attempt) for attempt in range(12)] for calls in (one, other)]
    assert pauses[0] != pauses[1]
    assert all(0.01 * 2.0**attempt <= pause <= 0.02 * 2.0**attempt for attempt, pause in enumerate(pauses[0][:6]))
    assert max(map(max, pauses)) <= 1.0


def test_closing_waits_for_who_is_inside_and_lets_nobody_in() -> None:
    client = Scripted({})
    calls = calls_on(client)
    inside, leave, order = Event(), Event(), []

    def work() -> None:
        with calls:
            inside.set()
            assert leave.wait(30)
            order.append("left")

    def close() -> None:
        calls.close()
        order.append("closed")

    threads = [Thread(target=work), Thread(target=close)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    while calls._open:
        Event().wait(0.001)
    with pytest.raises(StoreUnavailable, match="is closed"), calls:
        pass
    assert not client.closed
    leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["left", "closed"]
    assert client.closed


def test_a_fork_is_told_to_open_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes on one connection would read each other's answers."""
    client = Scripted({})
    calls = calls_on(client)
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    with pytest.raises(StoreError, match=rf"opened by process {parent} and this is its fork"), calls:
        pass
    calls.close()
    assert not client.closed
