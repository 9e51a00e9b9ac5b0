"""The watcher: what is due is done, in the right order, whatever goes wrong beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.runtime.rig import Rig
from tests.unit.runtime.watched import DAILY, HOUR, SPEC, first_start

from interlock.app.advance import advance
from interlock.app.markers import nudge
from interlock.app.postponing import CANCEL_TRIES
from interlock.core.alerts import AlertType, NoticeKind
from interlock.core.commands import Command
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.pipelines import Deadline, ExclusionSpec, SlaSpec
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import TriggerError
from interlock.ports.triggers import Job, JobHandle, JobReport
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec, a_trait
from interlock.testing.fakes import Start

# ---------------------------------------------------------------------- the story of a slot


def test_a_slot_opens_by_the_calendar_is_judged_started_and_completed_by_itself() -> None:
    """T-88."""
    rig = Rig(SPEC, planned=True)
    rig.turns()
    key = RunKey(a_slot())
    assert rig.run(key).status is RunStatus.RUNNING
    rig.trigger.end(first_start(key))
    rig.play(SECOND)
    assert rig.run(key).status is RunStatus.COMPLETED
    assert rig.trigger.calls == [first_start(key)]
    assert [line.partition(" ")[0] for line in rig.news] == ["opened", "started", "completed"]
    assert rig.told() == []


def test_a_short_job_is_noticed_long_before_its_poll_interval() -> None:
    rig = Rig(SPEC, planned=True)
    rig.turns()
    rig.play(2 * SECOND)
    rig.trigger.end(first_start(RunKey(a_slot())))
    ended = rig.clock.now()
    rig.play(2 * SECOND)
    run = rig.run(RunKey(a_slot()))
    assert run.ended_at is not None
    assert run.ended_at - ended <= SECOND


def test_a_job_that_ended_while_nobody_watched_is_noticed_at_once() -> None:
    rig = Rig(SPEC, planned=True)
    rig.turns()
    rig.trigger.end(first_start(RunKey(a_slot())))
    rig.clock.advance(5 * SECOND)
    rig.restart()
    rig.turns()
    assert rig.run(RunKey(a_slot())).status is RunStatus.COMPLETED


def test_looking_at_a_long_job_costs_a_bounded_number_of_looks_and_no_lines() -> None:
    rig = Rig(SPEC, planned=True)
    looks = 0

    real = rig.trigger.poll

    def counted(job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        nonlocal looks
        looks += 1
        return real(job, handle, timeout=timeout)

    rig.trigger.poll = counted  # type: ignore[method-assign]
    rig.turns()
    version = rig.run(RunKey(a_slot())).version
    rig.play(29 * SECOND)
    assert looks < 25
    assert rig.run(RunKey(a_slot())).version == version


def test_data_that_is_not_ready_is_asked_for_at_the_interval_until_it_is() -> None:
    """BUG-14."""
    rig = Rig(SPEC, planned=True)
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.play(3 * MINUTE)
    assert 5 <= rig.evaluator.asked("freshness") <= 8
    rig.evaluator.script("freshness", TraitStatus.PASS)
    rig.play(SPEC.watch.interval)
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_news_wakes_a_waiting_run_at_once() -> None:
    rig = Rig(SPEC, planned=True)
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.turns()
    rig.evaluator.script("freshness", TraitStatus.PASS)
    rig.clock.advance(SECOND)
    nudge(SPEC.name, "push: freshness", rig.clock.now(), rig.station.hands)
    rig.turns()
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_an_alert_reaches_people_and_so_does_its_end() -> None:
    spec = a_spec(schedules=(DAILY,), sla=SlaSpec(evaluation=Deadline(span=7 * HOUR)))
    rig = Rig(spec, planned=True)
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.play(HOUR + MINUTE)
    assert rig.told() == [AlertType.EVALUATION_SLA_BREACH]
    rig.evaluator.script("freshness", TraitStatus.PASS)
    rig.play(MINUTE)
    assert [notice.kind for notice in rig.sink.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def test_a_deadline_is_told_at_its_instant_and_not_at_the_next_look() -> None:
    spec = a_spec(schedules=(DAILY,), sla=SlaSpec(evaluation=Deadline(span=6 * HOUR + 7 * SECOND)))
    rig = Rig(spec, planned=True)
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.play(8 * SECOND)
    sla = rig.run(RunKey(a_slot())).evaluation_sla
    assert sla is not None
    assert sla.settled_at == NOON + 7 * SECOND


def test_a_job_of_several_days_is_followed_to_its_end() -> None:
    """T-34, T-36: its window has closed long since, and other slots have opened."""
    rig = Rig(SPEC, planned=True)
    rig.turns()
    for _ in range(3 * 24):
        rig.clock.advance(HOUR)
        rig.turns()
    key = RunKey(a_slot())
    rig.trigger.end(first_start(key))
    rig.play(MINUTE)
    assert rig.run(key).status is RunStatus.COMPLETED


def test_a_day_on_which_nothing_starts_freezes_nothing_that_runs() -> None:
    """T-35: the next day, a Sunday, is excluded."""
    rig = Rig(a_spec(schedules=(DAILY,), exclusions=ExclusionSpec(weekdays=(6,))), planned=True)
    rig.turns()
    rig.clock.advance(20 * HOUR)
    key = RunKey(a_slot())
    rig.trigger.end(first_start(key))
    rig.play(MINUTE)
    assert rig.run(key).status is RunStatus.COMPLETED
    assert rig.store.latest_run(a_slot("2026-03-08")) is None


def test_yesterdays_job_holds_nothing_back_unless_somebody_said_so() -> None:
    """T-37."""
    rig = Rig(SPEC, planned=True)
    rig.turns()
    rig.clock.advance(timedelta(days=1))
    rig.play(MINUTE)
    assert rig.run(RunKey(a_slot("2026-03-08"))).status is RunStatus.RUNNING
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_a_pipeline_without_a_trigger_is_judged_all_the_same() -> None:
    """T-90."""
    rig = Rig(a_spec(schedules=(DAILY,), trigger=None), planned=True)
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.play(MINUTE)
    assert rig.run(RunKey(a_slot())).status is RunStatus.PENDING
    rig.evaluator.script("freshness", TraitStatus.PASS)
    rig.play(MINUTE)
    assert rig.run(RunKey(a_slot())).status is RunStatus.COMPLETED


# ---------------------------------------------------------------------- after a pause


def test_a_start_that_was_wished_before_a_long_pause_is_tried_before_the_run_hears_that_time_has_passed() -> None:
    """T-39: a laptop that was closed for a weekend wakes up to no false alarm."""
    rig = Rig(SPEC, planned=True)
    rig.lane("starts").held = True
    rig.turns()
    assert rig.run(RunKey(a_slot())).status is RunStatus.TRIGGERING
    rig.clock.advance(3 * HOUR)
    rig.restart()
    rig.turns()
    assert rig.told() == []
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING
    assert rig.trigger.started == 1


def test_a_start_that_another_watcher_wished_meanwhile_is_tried_before_the_run_hears_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("starts").held = True
    rig.turns()
    rig.clock.advance(3 * HOUR)
    rig.restart()
    real, asked = rig.store.outstanding, list[RunKey]()

    def not_yet(key: RunKey) -> tuple[Command, ...]:
        asked.append(key)
        return () if len(asked) == 1 else real(key)

    monkeypatch.setattr(rig.store, "outstanding", not_yet)
    rig.turns()
    assert rig.told() == []
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING
    assert rig.trigger.started == 1


def test_questions_left_open_by_a_pause_are_asked_and_not_given_up() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("evaluations").held = True
    rig.turns()
    rig.clock.advance(2 * HOUR)
    rig.restart()
    rig.turns()
    run = rig.run(RunKey(a_slot()))
    assert (run.status, run.round, run.troubles) == (RunStatus.RUNNING, 1, 0)


def test_questions_that_are_asked_late_are_given_the_time_of_their_round_from_then_on() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("evaluations").held = True
    rig.turns()
    rig.clock.advance(2 * HOUR)
    rig.restart()
    rig.lane("evaluations").held = True
    rig.turns()
    for _ in range(3):
        rig.clock.advance(2 * SECOND)
        rig.turns()
    run = rig.run(RunKey(a_slot()))
    assert (run.round, run.troubles, bool(run.asked)) == (1, 0, True)
    rig.lane("evaluations").go()
    rig.turns()
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_a_deadline_does_not_wait_for_an_answer_that_does_not_come() -> None:
    sla = SlaSpec(evaluation=Deadline(span=6 * HOUR + 10 * SECOND))
    spec = a_spec(a_trait(timeout=10 * MINUTE), schedules=(DAILY,), sla=sla)
    rig = Rig(spec, planned=True)
    rig.lane("evaluations").held = True
    rig.play(15 * SECOND)
    assert rig.told() == [AlertType.EVALUATION_SLA_BREACH]
    rig.lane("evaluations").go()
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_an_answer_that_never_comes_is_given_up_when_its_round_has_had_its_time() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("evaluations").held = True
    rig.play(5 * MINUTE)
    run = rig.run(RunKey(a_slot()))
    assert run.troubles >= 1
    assert run.status is RunStatus.PENDING


def test_a_start_under_way_is_not_called_lost_because_it_takes_long() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("starts").held = True
    rig.play(30 * MINUTE)
    assert rig.told() == []
    assert rig.run(RunKey(a_slot())).status is RunStatus.TRIGGERING


# ---------------------------------------------------------------------- what must be tried again


def test_a_start_that_cannot_be_known_yet_is_tried_again_later_each_time() -> None:
    rig = Rig(SPEC, planned=True)
    rig.trigger.script(Start.ANSWER_LOST)
    rig.trigger.find_trouble = TriggerError("nobody answers")
    rig.turns()
    key = RunKey(a_slot())
    (wish,) = rig.store.wishes(key)
    assert wish.tries == 1
    rig.trigger.find_trouble = None
    rig.play(2 * MINUTE)
    assert rig.run(key).status is RunStatus.RUNNING
    assert rig.trigger.started == 1


def test_a_job_that_nobody_can_stop_is_told_to_people_after_ten_tries_and_not_tried_for_ever() -> None:
    rig = Rig(replace(SPEC, tier=2, owner="data"), planned=True)
    rig.turns()
    key = RunKey(a_slot())
    rig.trigger.cancel_trouble = TriggerError("nobody answers")
    advance(key, CancelAsked(at=rig.clock.now(), actor="ann", reason="wrong day"), rig.store)
    rig.play(CANCEL_TRIES * MINUTE)
    assert rig.told() == [AlertType.CANCEL_UNCONFIRMED]
    assert rig.store.outstanding(key) == ()
    (record,) = rig.station.hands.dispatches.alerts(limit=9)
    assert (record.alert.tier, record.alert.owner) == (2, "data"), "it is routed like any other of the pipeline's"


def test_a_job_that_is_cancelled_is_stopped() -> None:
    rig = Rig(SPEC, planned=True)
    rig.turns()
    key = RunKey(a_slot())
    advance(key, CancelAsked(at=rig.clock.now(), actor="ann", reason="wrong day"), rig.store)
    rig.turns()
    assert rig.trigger.cancelled == [first_start(key)]
