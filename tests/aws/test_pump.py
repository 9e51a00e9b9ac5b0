"""What the laboratory's event source mapping does with batches that fail, whole or in part: as AWS Lambda documents it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.lab.pump import REPORTING, Blocked
from tests.aws.lab.pump_bench import Bench
from tests.aws.lab.streams import ARN, SHARD

from interlock.testing.builders import NOON, SECOND

DAY = 24 * 3600 * SECOND


def test_a_poison_record_is_cut_out_and_given_up_and_those_behind_it_get_through() -> None:
    bench = Bench(maximum_retry_attempts=2, bisect_batch_on_function_error=True)
    bench.wrote(*"abcdefgh")
    bench.poison = {"f"}
    bench.pump.drain()
    assert [batch for batch in bench.heard if "f" in batch] == [
        list("abcdefgh"), list("efgh"), list("ef"), ["f"], ["f"], ["f"],
    ]  # fmt: skip
    assert [batch for batch in bench.heard if "f" not in batch] == [list("abcd"), ["e"], list("gh")]
    (told,) = bench.failures
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["responseContext"]["functionError"] == "Unhandled"
    assert bench.checkpoint == 8


def test_what_is_given_up_is_told_by_its_place_in_the_stream_and_not_by_its_content() -> None:
    bench = Bench(maximum_retry_attempts=0)
    bench.wrote("a", secret={"S": "content"})
    bench.clock.advance(30 * SECOND)
    bench.wrote("b")
    bench.poison = {"b"}
    bench.pump.drain()
    assert bench.failures == [
        {
            "requestContext": {
                "requestId": "00000000-0000-4000-8000-000000000001",
                "functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:lab",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 1,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": "2026-03-07T12:00:30.000Z",
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": f"{1:021d}",
                "endSequenceNumber": f"{2:021d}",
                "approximateArrivalOfFirstRecord": "2026-03-07T12:00:00Z",
                "approximateArrivalOfLastRecord": "2026-03-07T12:00:30Z",
                "batchSize": 2,
                "streamArn": ARN,
            },
        }
    ]


def test_with_the_defaults_one_bad_record_blocks_its_shard_for_a_day() -> None:
    """Nothing limits the retries but the stream's own retention, and then the record is gone."""
    bench = Bench(batch_size=1)
    bench.wrote("bad", "good")
    bench.poison = {"bad"}
    for _ in range(5):
        bench.pump.step()
    assert bench.heard == [["bad"]] * 5
    assert bench.pump.backlog == 2
    bench.clock.advance(DAY)
    bench.pump.step()
    assert bench.heard[5:] == [["bad"]]
    bench.clock.advance(SECOND)
    bench.pump.step()
    assert bench.heard[6:] == []
    assert [told["DDBStreamBatchInfo"]["batchSize"] for told in bench.failures] == [1, 1]


def test_a_pump_that_comes_to_no_end_says_so() -> None:
    """A function that writes what calls it again comes to none either."""
    bench = Bench()
    bench.wrote("bad")
    bench.poison = {"bad"}
    with pytest.raises(Blocked, match=r"after 7 steps 1 records are left.*cannot take"):
        bench.pump.drain(steps=7)
    looping = Bench()
    looping.wrote("x")
    looping.answer = lambda event: looping.wrote("x")
    with pytest.raises(Blocked, match="after 7 steps"):
        looping.pump.drain(steps=7)


def test_a_batch_that_succeeds_later_is_given_up_by_nobody() -> None:
    bench = Bench(maximum_retry_attempts=3)
    bench.wrote("a")
    bench.poison = {"a"}
    for _ in range(3):
        bench.pump.step()
    bench.poison.clear()
    bench.pump.drain()
    assert bench.heard == [["a"]] * 4
    assert bench.failures == []


def test_a_dead_process_has_its_batch_delivered_again() -> None:
    class Died(BaseException):
        pass

    bench = Bench()
    bench.wrote("a", "b")

    def die(event: dict[str, Any]) -> None:
        raise Died

    bench.answer = die
    with pytest.raises(Died):
        bench.pump.step()
    bench.answer = lambda _: None
    bench.pump.drain()
    assert bench.heard == [["a", "b"]] * 2


def test_what_a_function_does_to_its_event_is_not_seen_by_its_retry() -> None:
    bench = Bench(maximum_retry_attempts=1)
    bench.wrote("a", "b")

    def spoil(event: dict[str, Any]) -> None:
        event["Records"].clear()
        raise ValueError

    bench.answer = spoil
    bench.pump.drain()
    assert bench.heard == [["a", "b"]] * 2


def test_an_answer_that_is_no_json_is_an_error_of_the_function() -> None:
    bench = Bench(maximum_retry_attempts=0)
    bench.wrote("a")
    bench.answer = lambda _: NOON
    bench.pump.drain()
    assert len(bench.failures) == len(bench.pump.errors) == 1


# ---------------------------------------------------------------- partial failures


def test_a_partial_failure_starts_again_at_the_record_that_failed_and_repeats_nothing_before_it() -> None:
    bench = Bench(function_response_types=(REPORTING,), maximum_retry_attempts=1)
    bench.wrote(*"abcde")
    bench.fail_at("e", "c")
    bench.pump.step()
    assert bench.checkpoint == 2
    bench.fail_at()
    bench.pump.drain()
    assert bench.heard == [list("abcde"), list("cde")]
    assert bench.failures == []


def test_without_bisection_a_record_that_keeps_failing_takes_those_behind_it_along() -> None:
    bench = Bench(function_response_types=(REPORTING,), maximum_retry_attempts=1)
    bench.wrote(*"abc")
    bench.fail_at("b")
    bench.pump.drain()
    assert bench.heard == [list("abc"), list("bc"), list("bc")]
    assert bench.failures[0]["DDBStreamBatchInfo"]["batchSize"] == 2
    assert "functionError" not in bench.failures[0]["responseContext"]


def test_with_bisection_only_the_record_that_keeps_failing_is_given_up() -> None:
    bench = Bench(function_response_types=(REPORTING,), maximum_retry_attempts=1, bisect_batch_on_function_error=True)
    bench.wrote(*"abcd")
    bench.fail_at("b")
    bench.pump.drain()
    assert bench.heard == [list("abcd"), list("bcd"), ["b"], ["b"], ["c", "d"]]
    assert [told["DDBStreamBatchInfo"]["batchSize"] for told in bench.failures] == [1]


@pytest.mark.parametrize(
    "failures",
    [
        [{"itemIdentifier": ""}],
        [{"itemIdentifier": None}],
        [{"itemIdentifer": f"{2:021d}"}],
        [{"itemIdentifier": "999"}],
        [{"itemIdentifier": f"{2:021d}"}, {"itemIdentifier": "999"}],
        ["2"],
        "2",
    ],
)
def test_an_answer_that_names_what_was_not_given_fails_the_whole_batch(failures: object) -> None:
    bench = Bench(function_response_types=(REPORTING,), maximum_retry_attempts=0)
    bench.wrote(*"abc")
    bench.answer = lambda _: {"batchItemFailures": failures}
    bench.pump.drain()
    assert [told["DDBStreamBatchInfo"]["batchSize"] for told in bench.failures] == [3]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_answer_without_failures_is_a_success(answer: object) -> None:
    bench = Bench(function_response_types=(REPORTING,))
    bench.wrote(*"abc")
    bench.answer = lambda _: answer
    assert bench.pump.drain() == 1
    assert bench.checkpoint == 3


def test_a_mapping_that_does_not_ask_for_failures_takes_any_answer_for_success() -> None:
    """The function's word is not enough: the mapping has to ask for it."""
    bench = Bench()
    bench.wrote("a")
    bench.fail_at("a")
    bench.pump.drain()
    assert bench.heard == [["a"]]
    assert bench.checkpoint == 1
