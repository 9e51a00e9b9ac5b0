from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.states import DUE, HARD, HOUR, SOFT, SPEC, Story, hopeless, limits, triggering, waiting

from interlock.core.alerts import AlertType
from interlock.core.commands import RaiseAlert
from interlock.core.constraints import violations
from interlock.core.events import CancelAsked, EvidenceArrived, Held, JobFinished, JobVanished, Released, TriggerInDoubt
from interlock.core.lifecycle import Terms, opened
from interlock.core.pipelines import SlaSpec
from interlock.core.runs import Cause, Run, RunStatus, SlaState
from interlock.core.schedules import Limits
from interlock.core.telling import told
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_spec

TICK = timedelta(microseconds=1)
FAIL = TraitStatus.FAIL
ARMED, MET, BREACHED, WAIVED = SlaState
AT_RISK = replace(SPEC, sla=SlaSpec(at_risk=10 * MINUTE))
EXPECTED = replace(SPEC, sla=SlaSpec(expected_duration=30 * MINUTE))
ONE = a_spec()
BOTH_AT_ONCE = limits(completion_due=DUE)
"""What a schedule's own deadline gives: both at one instant."""


def _verdicts(run: Run) -> tuple[SlaState, SlaState]:
    assert run.evaluation_sla is not None
    assert run.completion_sla is not None
    return run.evaluation_sla.state, run.completion_sla.state


def _warned(spec: object = AT_RISK, *, begin: timedelta = 10 * MINUTE) -> Story:
    terms = limits(evaluation_warn=DUE - 10 * MINUTE, completion_warn=DUE + HOUR - begin)
    return Story(AT_RISK if spec is AT_RISK else EXPECTED, limits=terms)


def _messages(story: Story) -> list[str]:
    return [wish.alert.message for wish in story.commands if isinstance(wish, RaiseAlert)]


# ---------------------------------------------------------------- evaluation


@pytest.mark.parametrize(("at", "state"), [(DUE - TICK, MET), (DUE, MET), (DUE + TICK, BREACHED)])
def test_the_evaluation_is_met_up_to_its_very_instant(at: datetime, state: SlaState) -> None:
    """LAT-02, BUG-146."""
    story = Story(ONE, limits=SOFT)
    story.at = at
    story.answers()
    assert story.run.status is RunStatus.TRIGGERING
    assert _verdicts(story.run) == (state, ARMED)
    assert story.run.evaluation_sla is not None
    assert story.run.evaluation_sla.settled_at == at


def test_an_evaluation_that_is_due_and_not_done_is_breached_and_told_once() -> None:
    """BUG-48, BUG-91."""
    story = waiting(SOFT).wakes_at(DUE)
    assert _verdicts(story.run) == (BREACHED, ARMED)
    assert story.raised == ["evaluation_sla_breach"]
    assert (
        "missed its evaluation deadline 2026-03-07T13:00:00+00:00; it was not ready: blocked by fresh"
        in _messages(story)[0]
    )
    for minutes in range(1, 20):
        story.wakes_at(DUE + minutes * MINUTE)
        assert "evaluation_sla_breach" not in story.raised


def test_a_run_that_was_never_judged_is_breached_too() -> None:
    """BUG-91."""
    story = Story(limits=SOFT)
    story.tell(EvidenceArrived(at=DUE + SECOND, source="a push"))
    assert "it was not judged yet" in _messages(story)[0]


def test_a_breach_that_is_noticed_late_is_told_and_mended_in_one_go() -> None:
    """BUG-160."""
    story = Story(ONE, limits=SOFT)
    story.after(3700)
    story.answers()
    assert (story.raised, story.resolved) == (["evaluation_sla_breach"], ["evaluation_sla_breach"])
    assert story.run.open_alerts == ()


def test_a_late_let_through_mends_the_breach() -> None:
    story = waiting(SOFT).wakes_at(DUE)
    assert story.run.open_alerts == (f"evaluation_sla_breach/{story.run.key.run_id}",)
    story.answers()
    assert story.resolved == ["evaluation_sla_breach"]
    assert not told(story.run, AlertType.EVALUATION_SLA_BREACH)


def test_a_permit_that_was_refused_later_leaves_the_evaluation_met() -> None:
    story = triggering(SOFT).wakes_at(DUE + MINUTE)
    assert _verdicts(story.run) == (MET, ARMED)


def test_a_breach_of_what_people_know_to_be_stopped_is_not_told_again() -> None:
    """One fault, one alert. BUG-86."""
    story = Story(limits=SOFT).answers(hopeless("fresh"))
    assert story.raised == ["evaluation_failed"]
    story.wakes_at(DUE)
    assert (_verdicts(story.run)[0], story.raised) == (BREACHED, [])
    story.wakes_at(DUE + HOUR)
    assert (_verdicts(story.run)[1], story.raised) == (BREACHED, [])


def test_what_stops_a_run_at_the_very_instant_is_the_one_thing_that_is_told() -> None:
    story = Story(limits=SOFT)
    story.after(3600)
    story.answers(hopeless("fresh"))
    assert (_verdicts(story.run)[0], story.raised) == (BREACHED, ["evaluation_failed"])


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize(("at", "state"), [(DUE + HOUR - TICK, MET), (DUE + HOUR, MET), (DUE + HOUR + TICK, BREACHED)])
def test_the_completion_is_met_up_to_its_very_instant(at: datetime, state: SlaState) -> None:
    """LAT-02, BUG-146."""
    story = Story(limits=SOFT).started()
    story.tell(JobFinished(at=at, attempt=1, succeeded=True))
    assert _verdicts(story.run) == (MET, state)
    assert story.raised == (["completion_sla_breach"] if state is BREACHED else [])


def test_a_running_job_that_is_late_is_told_once_and_mended_by_its_end() -> None:
    """BUG-48, BUG-95."""
    story = Story(limits=SOFT).started().wakes_at(DUE + HOUR)
    assert (_verdicts(story.run), story.raised) == ((MET, BREACHED), ["completion_sla_breach"])
    assert _messages(story)[0].endswith("it was RUNNING")
    story.wakes_at(DUE + 2 * HOUR)
    assert story.raised == []
    story.succeeds()
    assert (story.raised, story.resolved) == ([], ["completion_sla_breach"])


def test_a_run_that_is_watched_after_its_job_has_met_its_completion() -> None:
    spec = replace(SPEC, watch=replace(SPEC.watch, monitoring=9 * HOUR))
    story = Story(spec, limits=SOFT).started().succeeds()
    assert (story.run.status, _verdicts(story.run)) == (RunStatus.COMPLETED_MONITORING, (MET, MET))
    assert story.wakes_at(DUE + HOUR + SECOND).raised == []


def test_a_failed_run_breaches_its_completion_at_once_and_is_told_of_as_failed_alone() -> None:
    """LAT-45, BUG-171."""
    story = Story(limits=SOFT).started().fails(FailureCategory.PERMANENT)
    assert _verdicts(story.run) == (MET, BREACHED)
    assert story.raised == ["run_failed"]


def test_a_run_that_was_late_already_and_fails_is_told_of_as_failed() -> None:
    story = Story(limits=SOFT).started().wakes_at(DUE + HOUR).fails(FailureCategory.PERMANENT)
    assert (story.raised, story.resolved) == (["run_failed"], ["completion_sla_breach"])


def test_the_deadline_of_a_schedule_is_one_alert() -> None:
    """BUG-86."""
    story = Story(limits=BOTH_AT_ONCE).answers(FAIL).wakes_at(DUE)
    assert _verdicts(story.run) == (BREACHED, BREACHED)
    assert story.raised == ["evaluation_sla_breach"]


def test_the_deadline_of_a_schedule_that_is_noticed_late_is_one_alert_too() -> None:
    """BUG-86."""
    story = Story(ONE, limits=BOTH_AT_ONCE)
    story.after(3700)
    story.answers()
    assert (_verdicts(story.run), story.raised) == ((BREACHED, BREACHED), ["evaluation_sla_breach"])


def test_the_deadline_of_a_schedule_with_the_job_running_is_a_late_completion() -> None:
    story = Story(limits=BOTH_AT_ONCE).started().wakes_at(DUE)
    assert (_verdicts(story.run), story.raised) == ((MET, BREACHED), ["completion_sla_breach"])


def test_a_late_completion_of_a_start_in_doubt_is_folded_under_the_doubt() -> None:
    story = triggering(SOFT)
    story.tell(TriggerInDoubt(at=NOON, attempt=1, reason="dead line"))
    story.wakes_at(DUE + HOUR)
    assert [wish.cause for wish in story.commands if isinstance(wish, RaiseAlert)] == [
        f"start_unknown/{story.run.key.run_id}/1"
    ]
    lost = Story(limits=SOFT).started()
    lost.tell(JobVanished(at=NOON, attempt=1, reason="404"))
    lost.wakes_at(DUE + HOUR)
    assert [wish.cause for wish in lost.commands if isinstance(wish, RaiseAlert)] == [
        f"job_lost/{lost.run.key.run_id}/1"
    ]


# ---------------------------------------------------------------- people


@pytest.mark.parametrize(
    ("at", "state", "told"),
    [(DUE - SECOND, WAIVED, []), (DUE, WAIVED, []), (DUE + SECOND, BREACHED, ["evaluation_sla_breach"])],
)
def test_a_run_that_a_person_cancels_in_time_is_waived(at: datetime, state: SlaState, told: list[str]) -> None:
    """LAT-01, BUG-95."""
    story = Story(limits=SOFT).answers(FAIL)
    story.tell(CancelAsked(at=at, actor="ann", reason="not today"))
    assert _verdicts(story.run) == (state, WAIVED)
    assert (story.raised, story.resolved) == (told, told)


def test_a_running_job_that_a_person_cancels_in_time_is_waived() -> None:
    story = Story(limits=SOFT).started()
    story.tell(CancelAsked(at=story.after(9), actor="ann", reason="enough"))
    assert _verdicts(story.run) == (MET, WAIVED)


def _hold(story: Story, at: datetime, until: datetime) -> Story:
    story.tell(Held(at=at, until=until, actor="ann", reason="a freeze"))
    return story


def test_a_deadline_that_somebody_holds_the_button_over_is_waived_and_not_told() -> None:
    story = _hold(Story(limits=SOFT).answers(FAIL), NOON + SECOND, DUE + 90 * MINUTE)
    story.wakes_at(DUE)
    assert (_verdicts(story.run), story.raised) == ((WAIVED, ARMED), [])
    story.wakes_at(DUE + HOUR)
    assert (_verdicts(story.run), story.raised) == ((WAIVED, WAIVED), [])


@pytest.mark.parametrize("until", [DUE - MINUTE, DUE])
def test_a_hold_that_is_over_by_the_deadline_waives_nothing(until: datetime) -> None:
    story = _hold(Story(limits=SOFT).answers(FAIL), NOON + SECOND, until)
    assert story.wakes_at(DUE).raised == ["evaluation_sla_breach"]


def test_a_hold_that_begins_after_the_deadline_waives_nothing() -> None:
    """A verdict follows from what was, not from who looks. LAT-02."""
    story = _hold(Story(limits=SOFT).answers(FAIL), DUE + SECOND, DUE + 2 * HOUR)
    assert (_verdicts(story.run)[0], story.raised) == (BREACHED, ["evaluation_sla_breach"])


def test_a_hold_that_is_let_go_after_the_deadline_has_waived_it() -> None:
    story = _hold(Story(limits=SOFT).answers(FAIL), NOON + SECOND, DUE + HOUR)
    story.tell(Released(at=DUE + SECOND, actor="ann"))
    assert (_verdicts(story.run)[0], story.raised) == (WAIVED, [])


def test_a_job_under_way_is_due_whoever_holds_the_button() -> None:
    story = _hold(Story(limits=SOFT), NOON + SECOND, NOON + 2 * SECOND)
    story.after(3)
    story.started()
    story.tell(Held(at=story.at, until=DUE + 9 * HOUR, actor="ann", reason="too late"))
    assert story.wakes_at(DUE + HOUR).raised == ["completion_sla_breach"]


# ---------------------------------------------------------------- at risk


def test_an_evaluation_at_risk_is_told_once_and_is_over_with_its_verdict() -> None:
    """BUG-86."""
    story = _warned().answers(FAIL).wakes_at(DUE - 10 * MINUTE)
    assert story.raised == ["evaluation_sla_at_risk"]
    assert (
        "is not ready, and its evaluation is due at 2026-03-07T13:00:00+00:00: blocked by fresh" in _messages(story)[0]
    )
    assert story.wakes_at(DUE - 9 * MINUTE).raised == []
    story.answers(FAIL)
    story.wakes_at(DUE)
    assert (story.raised, story.resolved) == (["evaluation_sla_breach"], ["evaluation_sla_at_risk"])


def test_a_risk_that_passes_is_mended() -> None:
    story = _warned().answers(FAIL).wakes_at(DUE - 10 * MINUTE).answers()
    assert (story.raised, story.resolved) == ([], ["evaluation_sla_at_risk"])


def test_a_look_after_the_deadline_tells_the_breach_alone() -> None:
    """BUG-86."""
    assert _warned().answers(FAIL).wakes_at(DUE).raised == ["evaluation_sla_breach"]


def test_a_risk_is_not_told_to_people_who_know() -> None:
    stopped = _warned().answers(hopeless("fresh")).wakes_at(DUE - 10 * MINUTE)
    assert (stopped.raised, stopped.run.due_at) == ([], DUE)
    held = _hold(_warned().answers(FAIL), NOON + SECOND, DUE + 3 * HOUR).wakes_at(DUE - 10 * MINUTE)
    assert held.raised == []
    late = _warned().answers(FAIL).wakes_at(DUE).wakes_at(DUE + 50 * MINUTE)
    assert (late.raised, late.run.completion_sla is not None and late.run.completion_sla.warned) == ([], True)


def test_a_job_that_runs_into_its_lead_time_is_at_risk_once() -> None:
    story = _warned().started().wakes_at(DUE + 50 * MINUTE)
    assert story.raised == ["completion_sla_at_risk"]
    assert "is RUNNING, and it is due to be completed at 2026-03-07T14:00:00+00:00" in _messages(story)[0]
    assert story.wakes_at(DUE + 51 * MINUTE).raised == []
    story.succeeds()
    assert story.resolved == ["completion_sla_at_risk"]


def test_a_job_that_is_not_begun_so_long_before_as_it_takes_is_at_risk() -> None:
    """BUG-113."""
    story = _warned(EXPECTED, begin=30 * MINUTE).answers(FAIL).wakes_at(DUE)
    story.answers(FAIL)
    story.wakes_at(DUE + 30 * MINUTE)
    assert story.run.completion_sla is not None
    assert story.run.completion_sla.warned


def test_a_job_that_was_begun_in_time_is_not_at_risk_by_how_long_it_takes() -> None:
    """A healthy job is silent. LAT-33."""
    story = _warned(EXPECTED, begin=30 * MINUTE).started()
    assert story.run.completion_sla is not None
    assert story.run.completion_sla.next_at(begun=True) == DUE + HOUR
    assert story.wakes_at(DUE + 30 * MINUTE).raised == []
    assert _verdicts(story.succeeds().run) == (MET, MET)


# ---------------------------------------------------------------- again, and late


@pytest.mark.parametrize("cause", [Cause.RERUN, Cause.REPLAY, Cause.BACKFILL, Cause.DRIFT, Cause.LATE_DATA])
def test_a_slot_that_is_done_again_is_not_blamed_for_a_deadline_that_was_over(cause: Cause) -> None:
    """LAT-33, LAT-25, BUG-36."""
    story = Story(at=DUE + 2 * HOUR, limits=SOFT, cause=cause, number=2)
    assert (_verdicts(story.run), story.raised) == ((WAIVED, WAIVED), [])


def test_a_slot_that_is_done_again_from_the_very_instant_of_its_deadline_is_not_blamed_either() -> None:
    """LAT-33."""
    story = Story(at=DUE, limits=SOFT, cause=Cause.RERUN, number=2).wakes_at(DUE + SECOND)
    assert (_verdicts(story.run)[0], story.raised) == (WAIVED, [])


def test_a_slot_that_is_done_again_in_time_has_its_deadlines() -> None:
    story = Story(at=DUE - MINUTE, limits=SOFT, cause=Cause.RERUN, number=2).answers(FAIL)
    assert story.wakes_at(DUE).raised == ["evaluation_sla_breach"]


@pytest.mark.parametrize("cause", [Cause.SCHEDULE, Cause.MARKER, Cause.WATCHDOG, Cause.MANUAL, Cause.EXTERNAL])
def test_a_slot_that_nobody_opened_in_time_has_missed_its_deadline(cause: Cause) -> None:
    """BUG-91."""
    story = Story(at=DUE + SECOND, limits=BOTH_AT_ONCE, cause=cause)
    assert (_verdicts(story.run), story.raised) == ((BREACHED, BREACHED), ["evaluation_sla_breach"])
    assert _messages(story)[0].endswith(
        f"deadline {DUE.isoformat()}; it was opened only at {story.run.opened_at.isoformat()}"
    )


def test_a_breach_from_the_very_opening_is_folded_under_what_the_watchdog_may_have_told() -> None:
    story = Story(at=DUE, limits=SOFT)
    (breach,) = [each for each in story.commands if isinstance(each, RaiseAlert)]
    assert breach.cause == f"schedule_missed/{story.run.key.slot}"


def test_a_slot_that_nobody_opened_in_time_and_that_is_ready_has_missed_its_completion() -> None:
    """BUG-91."""
    late = limits(evaluation_due=None, completion_due=DUE)
    story = Story(at=DUE + SECOND, limits=late)
    assert _messages(story)[0].endswith(f"; it was opened only at {story.run.opened_at.isoformat()}")


@pytest.mark.parametrize("terms", [SOFT, HARD])
def test_a_run_that_ends_unready_has_breached_every_deadline(terms: Limits) -> None:
    """LAT-08, BUG-83, BUG-171."""
    early = replace(terms, closes_at=NOON + 10 * MINUTE)
    story = Story(limits=early).answers(FAIL).wakes_at(NOON + 10 * MINUTE)
    assert (story.run.status, _verdicts(story.run)) == (RunStatus.CANCELLED, (BREACHED, BREACHED))
    assert len(story.raised) == 1


def test_a_slot_is_not_blamed_for_deadlines_from_before_anybody_was_there() -> None:
    """BUG-36, BUG-94, LAT-14."""
    terms = Terms(limits=SOFT, since=DUE + SECOND)
    decision = opened(a_key(), SPEC, DIGEST, DUE + 90 * MINUTE, terms)
    assert _verdicts(decision.run) == (WAIVED, BREACHED)
    assert violations(None, None, decision, SPEC) == ()
    there = opened(a_key(), SPEC, DIGEST, DUE + MINUTE, replace(terms, since=DUE))
    assert _verdicts(there.run) == (BREACHED, ARMED)
    bare = opened(a_key(), SPEC, DIGEST, NOON, Terms(limits=replace(SOFT, completion_due=None), since=NOON))
    assert (bare.run.evaluation_sla is not None, bare.run.completion_sla) == (True, None)


def test_a_run_without_deadlines_has_no_verdict() -> None:
    story = Story().started().succeeds()
    assert (story.run.evaluation_sla, story.run.completion_sla) == (None, None)


def test_a_lead_as_long_as_the_slot_warns_of_nothing() -> None:
    """Every slot would begin at risk, and a healthy one is silent. BUG-113."""
    spec = replace(SPEC, sla=SlaSpec(at_risk=9 * HOUR))
    story = Story(spec, limits=SOFT)
    assert story.run.completion_sla is not None
    assert (story.run.completion_sla.warn_at, story.raised) == (None, [])
