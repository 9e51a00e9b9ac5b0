"""Group 5: a deadline gets its verdict once, and the verdict is what really happened; news of an end is told once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from itertools import product

import pytest
from msgspec.structs import replace
from tests.lessons.living import DAY, HOUR, Living
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.callbacks import Report, complete
from interlock.app.delivering import deliver
from interlock.app.hands import Hands
from interlock.app.perform import carry_out
from interlock.core.alerts import LifecycleEvent
from interlock.core.commands import StartJob
from interlock.core.dispatching import event_dispatch
from interlock.core.events import JobFinished, Woke
from interlock.core.pipelines import Deadline, Mode, PipelineSpec, ScheduleSpec, SlaSpec, WatchSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus, SlaState
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Question
from interlock.ports.triggers import JobState
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec
from interlock.testing.fakes import FakeTrigger

NOON_ON = ScheduleSpec(after=time(12))
BY_ONE, BY_TWO = Deadline(span=HOUR), Deadline(span=2 * HOUR)
WITH_BOTH = a_spec(
    sla=SlaSpec(evaluation=BY_ONE, completion=BY_TWO), schedules=(NOON_ON,), watch=WatchSpec(interval=5 * MINUTE)
)
VERDICTS = ("SLA_MET", "SLA_BREACHED", "SLA_WAIVED")


def _verdicts(living: Living | Bench) -> list[str]:
    told = living.kinds() if isinstance(living, Living) else living.told()
    return [kind for kind in told if kind in VERDICTS]


def _living(spec: PipelineSpec, **rest: object) -> Living:
    return Living(spec, at=NOON - MINUTE, **rest).plan()  # type: ignore[arg-type]  # passed on as they came


# ---------------------------------------------------------------- once, and true


@pytest.mark.parametrize(
    ("takes", "told"),
    [
        (HOUR, []),
        (2 * HOUR, []),
        (2 * HOUR + 2 * MINUTE, ["completion_sla_breach"]),
        (5 * HOUR, ["completion_sla_breach"]),
    ],
)
def test_whenever_a_job_ends_each_deadline_has_one_verdict(takes: timedelta, told: list[str]) -> None:
    """BUG-160, LAT-02."""
    living = _living(replace(WITH_BOTH, stuck_after=DAY), takes=takes - MINUTE).on(9 * HOUR)
    assert len(_verdicts(living)) == 2
    assert living.told == told
    assert _verdicts(living).count("SLA_MET") == 2 - len(told)


def test_a_run_that_is_late_and_a_run_that_makes_it_good_have_verdicts_of_their_own() -> None:
    """BUG-160: also a retry that is late."""
    retry = RetrySpec(backoff=90 * MINUTE)
    living = _living(replace(WITH_BOTH, retry=retry), takes=40 * MINUTE)
    living.ends_with = lambda key: JobState.FAILED if key.endswith("/1") else JobState.SUCCEEDED
    living.on(9 * HOUR)
    assert [run.status for run in living.runs()] == [RunStatus.COMPLETED]
    assert sorted(_verdicts(living)) == ["SLA_BREACHED", "SLA_MET"]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (NOON + 49 * MINUTE, []),
        (NOON + 50 * MINUTE, ["evaluation_sla_at_risk"]),
        (NOON + HOUR - SECOND, ["evaluation_sla_at_risk"]),
        (NOON + HOUR, ["evaluation_sla_breach"]),
        (NOON + 3 * HOUR, ["evaluation_sla_breach"]),
    ],
)
def test_a_look_that_comes_late_tells_the_risk_or_the_breach_and_never_both(now: datetime, told: list[str]) -> None:
    """BUG-86."""
    bench = Bench(replace(WITH_BOTH, sla=SlaSpec(evaluation=BY_ONE, at_risk=10 * MINUTE)))
    bench.evaluator.script("freshness", TraitStatus.FAIL)
    bench.turn()
    bench.clock.set(now)
    advance(bench.key, Woke(at=now), bench.store)
    for wish in bench.store.outstanding(bench.key):
        carry_out(bench.key, wish, bench.hands)
    assert bench.alerts() == told


@pytest.mark.parametrize("end", [RunStatus.COMPLETED, RunStatus.FAILED])
def test_a_run_that_has_ended_hears_nothing_of_its_deadlines_any_more(end: RunStatus) -> None:
    """BUG-95: and nothing wakes it, whoever plans anew."""
    living = _living(WITH_BOTH)
    living.trigger.category = FailureCategory.PERMANENT
    living.ends_with = lambda _key: JobState.SUCCEEDED if end is RunStatus.COMPLETED else JobState.FAILED
    living.on(30 * MINUTE)
    ended, told = living.runs()[0], list(living.told)
    assert (ended.status, ended.due_at) == (end, None)
    living.restart().on(8 * HOUR)
    advance(ended.key, Woke(at=living.clock.now()), living.store)
    assert living.runs() == [ended]
    assert living.told == told


def test_without_a_run_there_is_no_verdict_of_success() -> None:
    """BUG-171, LAT-45, BUG-91."""
    living = _living(WITH_BOTH)
    living.watched = False
    living.on(9 * HOUR)
    assert living.runs() == []
    assert "SLA_MET" not in living.kinds()
    assert living.told.count("schedule_missed") == 1


def _failing(key: str) -> JobState:
    return JobState.FAILED if key.endswith("/1") else JobState.SUCCEEDED


def test_a_run_that_failed_has_not_met_its_deadline_and_a_retry_that_completes_in_time_has() -> None:
    """LAT-45, BUG-171."""
    final = _living(replace(WITH_BOTH, retry=RetrySpec(max_attempts=1)))
    final.ends_with = _failing
    final.on(9 * HOUR)
    assert _verdicts(final) == ["SLA_MET", "SLA_BREACHED"], "it was let through in time, and did not complete"
    again = _living(WITH_BOTH)
    again.ends_with = _failing
    again.on(9 * HOUR)
    assert _verdicts(again) == ["SLA_MET", "SLA_MET"]


def test_a_run_that_was_never_ready_has_met_nothing() -> None:
    """LAT-45, BUG-83."""

    def no(_question: Question, _at: datetime) -> TraitStatus:
        return TraitStatus.FAIL

    living = _living(WITH_BOTH, ask=no).on(15 * HOUR)
    assert _verdicts(living) == ["SLA_BREACHED", "SLA_BREACHED"]
    assert living.told == ["evaluation_sla_breach"], "one fact, although two deadlines were missed because of it"


def _some_slas() -> Iterator[SlaSpec]:
    for evaluation, completion, expected, lead in product(
        (None, BY_ONE), (None, BY_TWO), (None, HOUR), (None, 5 * MINUTE)
    ):
        yield SlaSpec(evaluation=evaluation, completion=completion, expected_duration=expected, at_risk=lead)


@pytest.mark.parametrize("end", [JobState.SUCCEEDED, JobState.FAILED])
@pytest.mark.parametrize("sla", list(_some_slas()))
def test_whatever_is_said_of_deadlines_a_run_ends_with_one_verdict_for_each(sla: SlaSpec, end: JobState) -> None:
    """LAT-01."""
    living = _living(replace(WITH_BOTH, sla=sla, retry=RetrySpec(max_attempts=1)))
    living.ends_with = lambda _key: end
    living.on(4 * HOUR)
    (run,) = living.runs()
    said = [each for each in (run.evaluation_sla, run.completion_sla) if each is not None]
    assert run.ended
    assert len(said) == len(_verdicts(living)) == sum(each is not None for each in (sla.evaluation, sla.completion))
    assert all(each.state is not SlaState.ARMED for each in said)


# ---------------------------------------------------------------- news of an end


class _Programs:
    """A program that wants to know how runs ended."""

    def __init__(self) -> None:
        self.heard: list[LifecycleEvent] = []

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Hear an event."""
        self.heard.append(event)


def _subscribed(hands: Hands) -> tuple[Hands, _Programs]:
    programs = _Programs()
    alerting = hands.alerting._replace(subscribers=(("programs", programs),))
    return hands._replace(alerting=alerting), programs


def _by_looking(bench: Bench) -> None:
    bench.trigger.end(f"{bench.key.run_id}/1")
    for _ in range(4):
        bench.later(31)
        bench.turn()


def _by_a_callback(bench: Bench) -> None:
    for _ in range(3):
        complete(bench.key, Report(succeeded=True), bench.store, bench.clock.now())


def _by_both(bench: Bench) -> None:
    bench.trigger.end(f"{bench.key.run_id}/1")
    bench.later(31)
    bench.turn()
    _by_a_callback(bench)
    _by_looking(bench)


def _at_once(bench: Bench) -> None:
    fact = JobFinished(at=bench.clock.now(), attempt=1, succeeded=True)
    advance(bench.key, fact, bench.store)
    advance(bench.key, fact, bench.store)


@pytest.mark.parametrize("how", [_by_looking, _by_a_callback, _by_both, _at_once])
def test_the_end_of_a_run_is_told_to_programs_once_however_it_became_known(how: Callable[[Bench], None]) -> None:
    """BUG-164."""
    bench = Bench()
    bench.hands, programs = _subscribed(bench.hands)
    bench.running()
    how(bench)
    for wish in bench.store.outstanding(bench.key) * 2:
        carry_out(bench.key, wish, bench.hands)
    for _ in range(3):
        deliver(event_dispatch(f"PIPELINE_COMPLETED/{bench.key.run_id}"), bench.hands)
        bench.later(3600)
    assert [event.event_type for event in programs.heard] == ["PIPELINE_COMPLETED"]
    assert bench.told().count("PIPELINE_COMPLETED") == 1


def test_a_job_that_has_ended_before_its_start_was_acknowledged_is_told_once() -> None:
    """BUG-164: a trigger that ends at once."""
    bench = Bench(trigger=FakeTrigger())
    start = bench.ready_to_start()
    bench.trigger.before_start = lambda _job: _at_once(bench)
    carry_out(bench.key, start, bench.hands)
    assert bench.run.status is RunStatus.COMPLETED
    assert bench.told().count("PIPELINE_COMPLETED") == 1


def test_a_start_is_told_once_for_each_attempt_and_only_after_the_gate_has_opened() -> None:
    """LAT-12."""
    living = _living(WITH_BOTH)
    living.ends_with = _failing
    living.on(2 * HOUR)
    kinds = living.kinds()
    assert kinds.count("TRIGGER_FIRED") == 2 == living.trigger.started
    lines = living.store.timeline("example", limit=999)
    fired = next(line.record.at for line in lines if line.record.kind == "TRIGGER_FIRED")
    ready = next(line.record.at for line in lines if line.record.status == "READY")
    assert ready <= fired


def test_a_wish_to_start_that_is_carried_out_twice_is_told_once() -> None:
    """LAT-12, BUG-164."""
    bench = Bench()
    start = bench.ready_to_start()
    for _ in range(3):
        carry_out(bench.key, start, bench.hands)
    assert isinstance(start, StartJob)
    assert bench.told().count("TRIGGER_FIRED") == 1


# ---------------------------------------------------------------- shadow


@pytest.mark.parametrize(
    ("ready", "verdict", "status"), [(True, "SLA_MET", "COMPLETED"), (False, "SLA_BREACHED", "CANCELLED")]
)
def test_what_would_have_been_done_ends_too_and_has_its_verdict(verdict: str, status: str, *, ready: bool) -> None:
    """BUG-165."""

    def ask(_question: Question, _at: datetime) -> TraitStatus:
        return TraitStatus.PASS if ready else TraitStatus.FAIL

    living = _living(replace(WITH_BOTH, mode=Mode.SHADOW), ask=ask).on(15 * HOUR)
    run = living.runs()[0]
    assert (run.key.slot, run.status) == (a_slot(), status)
    assert _verdicts(living) == [verdict, verdict]
    assert living.kinds().count("WOULD_START") == int(ready)
    assert (living.trigger.started, living.told) == (0, [])
