"""What every trigger must do. Subclass `TriggerContract`, give it a `bench` fixture, and run pytest."""

from __future__ import annotations

import enum
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Final, Protocol

import pytest

from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot, start_key
from interlock.core.periods import Period
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState, Trigger

TIMEOUT: Final = timedelta(seconds=20)
_STEP: Final = 0.01


class Kind(enum.Enum):
    """What a job of the bench does."""

    SUCCEEDS = "ends well at once"
    FAILS = "ends badly at once"
    LINGERS = "runs until it is stopped"


class TriggerBench(Protocol):
    """A trigger with a target system that can be looked into."""

    can_find: bool
    can_cancel: bool

    def trigger(self, kind: Kind) -> Trigger:
        """Return a new trigger object over the same target: it knows nothing of earlier ones."""
        ...

    def starts(self) -> int:
        """Return how many jobs the target has really begun so far."""
        ...


def a_job(name: str = "daily-sales", attempt: int = 1) -> Job:
    """Return a job for tests; jobs of another name or attempt have another key."""
    run = RunKey(Slot(PipelineName(name), ScheduleName("daily"), Period.parse("2026-03-07")))
    return Job(run=run, attempt=attempt, key=start_key(run.run_id, attempt))


def until(found: Callable[[], bool], what: str) -> None:
    """Wait for something, by a deadline."""
    deadline = monotonic() + TIMEOUT.total_seconds()
    while not found():
        assert monotonic() < deadline, f"waited in vain: {what}"
        Event().wait(_STEP)


def the_end(trigger: Trigger, job: Job, handle: JobHandle) -> JobReport:
    """Look at a job until it has ended, and return the last look."""
    seen: list[JobReport] = []

    def over() -> bool:
        seen.append(trigger.poll(job, handle, timeout=TIMEOUT))
        return seen[-1].state not in (JobState.RUNNING, JobState.UNSEEN)

    until(over, "the job's end")
    return seen[-1]


class TriggerContract:
    """The laws of the trigger port, each a test."""

    @pytest.fixture
    def bench(self) -> TriggerBench:
        """Override this with a bench of your trigger."""
        raise RuntimeError("TriggerContract needs a `bench` fixture")

    def test_a_started_job_is_seen_to_succeed(self, bench: TriggerBench) -> None:
        """BUG-115: the answer of every start has what is needed to look at the job."""
        trigger = bench.trigger(Kind.SUCCEEDS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert handle.id
        assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED

    def test_a_failed_job_says_so_with_a_reason_and_a_category(self, bench: TriggerBench) -> None:
        """The category decides whether another attempt can help; the reason is for people."""
        trigger = bench.trigger(Kind.FAILS)
        report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
        assert report.state is JobState.FAILED
        assert report.category is not None
        assert report.reason

    def test_a_handle_is_all_that_a_later_process_needs(self, bench: TriggerBench) -> None:
        """T-68: what is known of a job does not live in the object that started it."""
        handle = bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
        stored = JobHandle(id=handle.id, details=handle.details)
        assert the_end(bench.trigger(Kind.SUCCEEDS), a_job(), stored).state is JobState.SUCCEEDED

    def test_a_running_job_is_not_seen_to_end(self, bench: TriggerBench) -> None:
        """A job that goes on is neither a success nor a failure."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING

    def test_a_repeatable_start_under_one_key_starts_one_job(self, bench: TriggerBench) -> None:
        """LAT-46."""
        if not bench.trigger(Kind.SUCCEEDS).repeatable:
            pytest.skip("this trigger does not promise it")
        first = bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
        again = bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
        assert again.id == first.id
        the_end(bench.trigger(Kind.SUCCEEDS), a_job(), first)
        assert bench.starts() == 1

    def test_many_starts_at_once_under_one_key_start_one_job(self, bench: TriggerBench) -> None:
        """Several nodes may believe that it is theirs to start."""
        if not bench.trigger(Kind.SUCCEEDS).repeatable:
            pytest.skip("this trigger does not promise it")
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(bench.trigger(Kind.SUCCEEDS).start, a_job(), timeout=TIMEOUT) for _ in range(8)]
        handles = [call.result() for call in calls]
        assert len({handle.id for handle in handles}) == 1
        the_end(bench.trigger(Kind.SUCCEEDS), a_job(), handles[0])
        assert bench.starts() == 1

    def test_another_attempt_is_another_job(self, bench: TriggerBench) -> None:
        """A retry is a start of its own."""
        trigger = bench.trigger(Kind.SUCCEEDS)
        first = trigger.start(a_job(), timeout=TIMEOUT)
        second = trigger.start(a_job(attempt=2), timeout=TIMEOUT)
        assert first.id != second.id
        the_end(trigger, a_job(), first)
        the_end(trigger, a_job(attempt=2), second)
        assert bench.starts() == 2

    def test_a_started_job_is_found_by_its_key(self, bench: TriggerBench) -> None:
        """After a crash the key is all that is left."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        found = bench.trigger(Kind.LINGERS).find(a_job(), timeout=TIMEOUT)
        if bench.can_find:
            assert isinstance(found, JobHandle)
            assert found.id == handle.id
        else:
            assert found is Absent.UNKNOWN

    def test_a_job_never_started_is_not_found(self, bench: TriggerBench) -> None:
        """And it is said with certainty only by a trigger that can know."""
        found = bench.trigger(Kind.SUCCEEDS).find(a_job(), timeout=TIMEOUT)
        assert found is (Absent.CERTAINLY if bench.can_find else Absent.UNKNOWN)
        assert bench.starts() == 0

    def test_a_look_at_a_job_nobody_has_does_not_raise_and_finds_no_success(self, bench: TriggerBench) -> None:
        """T-22."""
        report = bench.trigger(Kind.SUCCEEDS).poll(a_job(), JobHandle(id="0" * 32), timeout=TIMEOUT)
        assert report.state in (JobState.VANISHED, JobState.UNSEEN, JobState.RUNNING)

    def test_a_cancelled_job_ends_or_the_trigger_says_that_it_cannot(self, bench: TriggerBench) -> None:
        """A wish to stop a job is never swallowed."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        if not bench.can_cancel:
            with pytest.raises(TriggerError):
                trigger.cancel(a_job(), handle, timeout=TIMEOUT)
            return
        bench.trigger(Kind.LINGERS).cancel(a_job(), handle, timeout=TIMEOUT)
        assert the_end(trigger, a_job(), handle).state is JobState.FAILED

    def test_a_job_that_has_ended_may_be_cancelled_and_stays_as_it_ended(self, bench: TriggerBench) -> None:
        """The wish came too late, and changes nothing."""
        if not bench.can_cancel:
            pytest.skip("this trigger cannot cancel")
        trigger = bench.trigger(Kind.SUCCEEDS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        the_end(trigger, a_job(), handle)
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.SUCCEEDED

    def test_two_cancellations_at_once_are_one(self, bench: TriggerBench) -> None:
        """Two people press the button."""
        if not bench.can_cancel:
            pytest.skip("this trigger cannot cancel")
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(trigger.cancel, a_job(), handle, timeout=TIMEOUT) for _ in range(2)]
        for call in calls:
            call.result()
        assert the_end(trigger, a_job(), handle).state is JobState.FAILED
