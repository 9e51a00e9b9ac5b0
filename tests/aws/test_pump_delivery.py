"""What the laboratory's event source mapping delivers, when and in which order: as AWS Lambda documents it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.lab.pump import MAX_PAYLOAD, REPORTING, Running, StreamMapping
from tests.aws.lab.pump_bench import Bench, an_item, names_in
from tests.servers.base import until

from interlock.testing.builders import MINUTE, NOON, SECOND


def test_what_the_filter_leaves_out_is_never_delivered_and_holds_nothing_up() -> None:
    wanted = {"dynamodb": {"Keys": {"SK": {"S": [{"prefix": "RUN#"}]}}}}
    bench = Bench(filters=(wanted,), batch_size=2)
    bench.wrote("OUT#1", "RUN#1", "OUT#2", "RUN#2", "OUT#3")
    bench.pump.drain()
    assert bench.heard == [["RUN#1", "RUN#2"]]
    assert bench.checkpoint == 5


def test_batches_are_full_and_in_the_order_of_the_stream() -> None:
    bench = Bench(batch_size=3)
    bench.wrote(*"abcdefgh")
    bench.pump.step()
    assert bench.heard == [list("abc"), list("def"), list("gh")]


def test_a_window_is_waited_for_unless_the_batch_is_full_before() -> None:
    bench = Bench(batch_size=3, maximum_batching_window_in_seconds=10)
    bench.wrote(*"abcd")
    assert bench.pump.drain() == 1
    assert (bench.heard, bench.pump.backlog) == ([list("abc")], 1)
    bench.clock.advance(9 * SECOND)
    bench.wrote("e")
    assert bench.pump.drain() == 0
    bench.clock.advance(SECOND)
    bench.pump.drain()
    assert bench.heard[1:] == [["d", "e"]]


def test_a_batch_is_no_larger_than_an_event_can_be() -> None:
    bench = Bench()
    bench.wrote(*"abcd", body={"S": "x" * (MAX_PAYLOAD * 2 // 5)})
    bench.pump.drain()
    assert bench.heard == [["a", "b"], ["c", "d"]]


def test_records_that_are_too_old_are_given_up_uncalled_and_younger_ones_are_not() -> None:
    bench = Bench(maximum_record_age_in_seconds=60)
    bench.wrote("old")
    bench.clock.advance(40 * SECOND)
    bench.wrote("young")
    bench.clock.advance(21 * SECOND)
    bench.pump.drain()
    assert bench.heard == [["young"]]
    (told,) = bench.failures
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in told


def test_a_retry_ends_when_the_records_are_too_old() -> None:
    bench = Bench(maximum_record_age_in_seconds=60)
    bench.wrote("bad")
    bench.poison = {"bad"}
    for _ in range(4):
        bench.pump.step()
        bench.clock.advance(20 * SECOND)
    bench.pump.drain()
    assert bench.heard == [["bad"]] * 4
    assert [told["requestContext"]["condition"] for told in bench.failures] == ["RecordAgeExceeded"]


def test_several_batches_at_a_time_keep_the_order_of_each_item() -> None:
    """AWS promises it for an item, partition and sort key, and not for a whole partition."""
    bench = Bench(parallelization_factor=10, batch_size=2)
    for value in range(6):
        for name in "abcdefgh":
            before = an_item(name, v={"N": str(value)}) if value else None
            bench.source.wrote(before, an_item(name, v={"N": str(value + 1)}), at=NOON)
    seen: dict[str, list[int]] = {}

    def note(event: dict[str, Any]) -> None:
        for record in event["Records"]:
            seen.setdefault(names_in({"Records": [record]})[0], []).append(
                int(record["dynamodb"]["NewImage"]["v"]["N"])
            )

    bench.answer = note
    bench.pump.drain()
    assert seen == {name: [1, 2, 3, 4, 5, 6] for name in "abcdefgh"}
    assert [name for batch in bench.heard for name in batch] != list("abcdefgh") * 6


def test_of_several_batches_at_a_time_the_one_that_fails_blocks_no_other() -> None:
    bench = Bench(parallelization_factor=10, batch_size=1)
    bench.wrote(*"abcdefgh")
    bench.poison = {"a"}
    bench.pump.step()
    bench.pump.step()
    heard = [batch[0] for batch in bench.heard]
    assert heard.count("a") == 2
    assert len(set(heard)) > 4
    assert bench.checkpoint == 0  # whoever goes on from here delivers the others twice


def test_every_call_is_told() -> None:
    bench = Bench(function_response_types=(REPORTING,), maximum_retry_attempts=0)
    bench.wrote("a", "b")
    bench.fail_at("b")
    bench.pump.drain()
    one, two = f"{1:021d}", f"{2:021d}"
    assert [(call.given, call.failed, call.error) for call in bench.pump.calls] == [
        ((one, two), (two,), None),
        ((two,), (two,), None),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 10_001),
        ("maximum_batching_window_in_seconds", 301),
        ("parallelization_factor", 11),
        ("maximum_retry_attempts", -2),
        ("maximum_record_age_in_seconds", 59),
        ("function_response_types", ("ReportBatchItemFailure",)),
    ],
)
def test_what_aws_refuses_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"AWS refuses {name}"):
        StreamMapping(**{name: value})  # type: ignore[arg-type]  # one of each kind


# ---------------------------------------------------------------- by itself


def test_running_pumps_deliver_by_themselves_keep_errors_and_end() -> None:
    good, bad = Bench(), Bench(maximum_retry_attempts=1)
    bad.poison = {"x"}
    with Running(good.pump, bad.pump, every=0.001) as running:
        good.wrote("a")
        bad.wrote("x")
        until(lambda: good.heard == [["a"]] and bool(bad.failures), "both pumps have worked")
    assert [str(error) for error in running.errors] == ["cannot take {'x'}"] * 2
    good.wrote("b")
    assert good.heard == [["a"]]


def test_running_goes_on_when_the_way_to_the_stream_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    read, errors = bench.source.read, [ConnectionError("away"), ConnectionError("still away")]

    def failing(busy: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return read(busy)

    monkeypatch.setattr(bench.source, "read", failing)
    bench.wrote("a")
    with Running(bench.pump, every=0.001) as running:
        until(lambda: bench.heard == [["a"]], "the pump has gone on")
    assert [str(error) for error in running.errors] == ["away", "still away"]


def test_the_window_of_a_batch_begins_when_its_first_record_is_read() -> None:
    bench = Bench(maximum_batching_window_in_seconds=10)
    bench.wrote("a")
    bench.clock.advance(5 * MINUTE)
    assert bench.pump.step() == 0
    bench.clock.advance(10 * SECOND)
    assert bench.pump.step() == 1
