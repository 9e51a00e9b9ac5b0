"""How long executions wait, and what ends a wait sooner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from interlock.aws.onward import QUOTA, RENEWED
from interlock.aws.parking import Parking, parked_pk, parking_request, wait_of
from interlock.aws.patience import AGAIN, LONGEST, WATCHED, wakes_at
from interlock.core.readiness import Readiness, ReadinessStatus
from interlock.core.runs import Monitor, Run, RunStatus, Sla, Verifying
from interlock.stores.dynamodb import names
from interlock.stores.kernel import Delete, Record
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run

HOUR = 60 * MINUTE
NOT_READY = Readiness(status=ReadinessStatus.NOT_READY, at=NOON, passed=0, needed=1, verdicts=())


def _running(**fields: Any) -> Run:
    return a_run(status=RunStatus.RUNNING, attempt=1, job_id="j", began_at=NOON, since=NOON, **fields)


def test_a_job_is_looked_at_more_rarely_the_longer_it_runs() -> None:
    """AWS-27, AWS-52: a job of an hour is not worth a look every half minute."""
    early = _running(wake_at=NOON + 30 * SECOND)
    assert wakes_at(early, NOON) == NOON + 30 * SECOND
    late = NOON + HOUR
    assert wakes_at(_running(wake_at=late + 30 * SECOND), late) == late + 3 * MINUTE


def test_no_wait_is_put_off_by_more_than_the_longest() -> None:
    for hours in (2, 20, 2000):
        late = NOON + hours * HOUR
        assert wakes_at(_running(wake_at=late + SECOND), late) == late + LONGEST


def test_a_wish_that_is_further_away_than_the_longest_is_kept() -> None:
    late = NOON + 100 * HOUR
    assert wakes_at(_running(wake_at=late + HOUR), late) == late + HOUR


def test_without_patience_every_wish_is_kept() -> None:
    late = NOON + 100 * HOUR
    assert wakes_at(_running(wake_at=late + SECOND), late, timedelta()) == late + SECOND


def test_a_deadline_is_never_late_for_it() -> None:
    """AWS-35."""
    late = NOON + 10 * HOUR
    sla = Sla(due_at=late + 40 * SECOND)
    assert wakes_at(_running(wake_at=late + 30 * SECOND, completion_sla=sla), late) == late + 40 * SECOND


def test_a_job_that_is_out_of_sight_is_looked_for_in_time() -> None:
    late = NOON + 10 * HOUR
    assert wakes_at(_running(wake_at=late + SECOND, looks=1), late) == late + SECOND


def test_a_retry_begins_in_time() -> None:
    late = NOON + 10 * HOUR
    run = a_run(since=NOON, wake_at=late + SECOND, not_before=late + SECOND)
    assert wakes_at(run, late) == late + SECOND


def test_a_hold_ends_in_time() -> None:
    late = NOON + 10 * HOUR
    readiness = Readiness(status=ReadinessStatus.READY, at=NOON, passed=1, needed=1, verdicts=())
    run = a_run(since=NOON, asked=(), wake_at=late + SECOND, held_until=late + SECOND, readiness=readiness)
    assert wakes_at(run, late) == late + SECOND


def test_the_checks_of_a_jobs_work_are_asked_in_time() -> None:
    late = NOON + 10 * HOUR
    checked = Verifying(said="done", since=late)
    assert wakes_at(_running(wake_at=late + SECOND, verifying=checked), late) == late + SECOND


def test_nothing_about_a_job_in_doubt_is_put_off() -> None:
    late = NOON + 10 * HOUR
    assert wakes_at(_running(wake_at=late + SECOND, doubt="nobody can know"), late) == late + SECOND


def test_the_first_round_ends_in_time() -> None:
    late = NOON + 10 * HOUR
    assert wakes_at(a_run(since=NOON, asked=(), wake_at=late + SECOND), late) == late + SECOND


def test_a_round_of_a_watched_run_ends_in_time() -> None:
    late, monitor = NOON + HOUR, Monitor(until=NOON + 2 * HOUR)
    run = a_run(status=RunStatus.COMPLETED_MONITORING, since=NOON, wake_at=late + SECOND, monitor=monitor)
    assert run.asked
    assert wakes_at(run, late) == late + SECOND


def test_a_round_that_is_under_way_ends_in_time() -> None:
    late = NOON + 10 * HOUR
    run = a_run(since=NOON, wake_at=late + SECOND, asked=("freshness",), readiness=NOT_READY)
    assert wakes_at(run, late) == late + SECOND


def test_a_watched_run_is_looked_at_every_minute_at_most() -> None:
    run = a_run(
        status=RunStatus.COMPLETED_MONITORING,
        asked=(),
        since=NOON,
        wake_at=NOON + SECOND,
        monitor=Monitor(until=NOON + 2 * HOUR),
    )
    assert wakes_at(run, NOON) == NOON + WATCHED


def test_the_end_of_a_watch_is_not_late() -> None:
    at = NOON + 2 * HOUR - 10 * SECOND
    run = a_run(
        status=RunStatus.COMPLETED_MONITORING,
        asked=(),
        since=NOON,
        wake_at=at + SECOND,
        monitor=Monitor(until=NOON + 2 * HOUR),
    )
    assert wakes_at(run, at) == NOON + 2 * HOUR


def test_a_waiting_run_asks_again_more_rarely_the_longer_it_waits() -> None:
    run = a_run(since=NOON, asked=(), wake_at=NOON + 20 * MINUTE + 30 * SECOND, readiness=NOT_READY)
    assert wakes_at(run, NOON + 20 * MINUTE) == NOON + 22 * MINUTE


def test_a_wait_names_the_rows_as_dynamodb_keeps_them() -> None:
    run = a_run(version=7)
    wait = wait_of(run, NOON + 90 * SECOND, NOON)
    assert (wait.seconds, wait.seen) == (90, "7")
    assert (wait.slot, wait.row) == ("SLOT#example:daily:2026-03-07", "RUN#000001")
    assert names.read_pk(wait.parked) == parked_pk(run.key.run_id)
    assert int(wait.ttl) > NOON.timestamp() + 90


def test_a_wait_is_never_over_before_its_time() -> None:
    """Or the run would be looked at once too often each time."""
    assert wait_of(a_run(), NOON + 1.5 * SECOND, NOON).seconds == 2


def test_a_token_is_left_on_condition_that_the_run_is_as_it_was_seen_and_not_otherwise() -> None:
    """In one transaction: whatever happens to the run before that is not slept through."""
    check, put = parking_request("the-table")["TransactItems"]
    seen = check["ConditionCheck"]
    assert seen["ConditionExpression"] == "#version = :seen"
    assert seen["ExpressionAttributeNames"] == {"#version": "version"}
    assert seen["ExpressionAttributeValues"] == {":seen": {"N.$": "$.wait.seen"}}
    assert seen["Key"] == {"PK": {"S.$": "$.wait.slot"}, "SK": {"S.$": "$.wait.row"}}
    item = put["Put"]["Item"]
    assert item["version"] == {"N.$": "$.wait.seen"}
    assert {seen["TableName"], put["Put"]["TableName"]} == {"the-table"}


def test_no_wait_is_shorter_than_a_second() -> None:
    """Step Functions refuses a timeout of zero."""
    run = a_run()
    assert wait_of(run, NOON - HOUR, NOON).seconds == 1
    assert wait_of(run, NOON + SECOND / 10, NOON).seconds == 1


def test_a_token_is_found_with_what_its_execution_has_seen() -> None:
    kernel, run = MemoryKernel(), a_run()
    assert Parking(kernel).find(run.key.run_id) == ()
    _park(kernel, run.key.run_id, "t0k+/=", seen=4)
    (parked,) = Parking(kernel).find(run.key.run_id)
    assert (parked.token, parked.seen) == ("t0k+/=", 4)


def test_only_the_token_that_was_used_is_forgotten() -> None:
    kernel, name = MemoryKernel(), a_run().key.run_id
    parking = Parking(kernel)
    _park(kernel, name, "first", seen=4)
    (first,) = parking.find(name)
    _park(kernel, name, "second", seen=5)
    parking.clear(name, first)
    (second,) = parking.find(name)
    assert (second.token, second.seen) == ("second", 5)
    parking.clear(name, first._replace(seen=5))
    assert parking.find(name) == ()


def test_there_is_room_in_the_history_for_what_comes_after_the_last_look_at_it() -> None:
    """AWS-30: all of it throttled, and a round of a hundred traits on top of it, still fit."""
    throttled = (13 + 6 * 3) / 13
    assert RENEWED * throttled + (4 + 7 * 100) < QUOTA
    assert AGAIN > LONGEST


def _park(kernel: MemoryKernel, run: str, token: str, seen: int) -> None:
    pk = f"parked/{run}"
    kernel.commit(pk, [Delete("TOKEN#one")])
    kernel.restore([Record(pk=pk, sk="TOKEN#one", version=seen, body={"token": token})])
