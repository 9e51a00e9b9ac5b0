from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.histories import FORCED
from tests.unit.core.states import SPEC, STATES, Story, asking, running, triggering

from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, RaiseAlert, StartJob
from interlock.core.constraints import violations
from interlock.core.decision import stay
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.lifecycle import decide, opened
from interlock.core.runs import Cause, Run, RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.testing.builders import DIGEST, NOON, SECOND, a_key, a_result, a_spec

LATE = timedelta(days=2)
TRANSIENT = FailureCategory.TRANSIENT


def _facts(run: Run, at: datetime) -> dict[str, Event]:
    attempt, trait = run.attempt, run.asked[0] if run.asked else SPEC.traits[0].name
    passed = a_result(trait, at=at)
    return {
        "woke": Woke(at=at),
        "asked": EvaluationAsked(at=at, actor="ann"),
        "evaluated": TraitEvaluated(at=at, round=run.round, result=passed),
        "no": TraitEvaluated(at=at, round=run.round, result=replace(passed, status=TraitStatus.FAIL)),
        "refused": StartRefused(at=at, attempt=attempt, reason="late"),
        "accepted": TriggerAccepted(at=at, attempt=attempt, job_id="job"),
        "not_started": TriggerFailed(at=at, attempt=attempt, category=TRANSIENT, reason="no queue"),
        "doubt": TriggerInDoubt(at=at, attempt=attempt, reason="dead line"),
        "seen": JobSeen(at=at, attempt=attempt),
        "unseen": JobUnseen(at=at, attempt=attempt, look=run.looks, reason="no route"),
        "vanished": JobVanished(at=at, attempt=attempt, reason="404"),
        "succeeded": JobFinished(at=at, attempt=attempt, succeeded=True),
        "failed": JobFinished(at=at, attempt=attempt, succeeded=False, reason="exit 1"),
        "cancel": CancelAsked(at=at, actor="ann", reason="enough"),
    }


SHORT = {EvaluateTrait: "evaluate", StartJob: "start", CheckJob: "check", CancelJob: "stop", RaiseAlert: "alert"}

# state: fact → new status and wishes; whatever is not here changes nothing. "." is the same status.
TABLE: dict[str, dict[str, str]] = {
    "asking": {"woke": ".", "asked": ". evaluate evaluate", "evaluated": ".", "no": ".", "cancel": "CANCELLED"},
    "waiting": {"woke": ". evaluate evaluate", "asked": ". evaluate evaluate", "cancel": "CANCELLED"},
    "triggering": {
        "woke": ". alert",
        "refused": "PENDING evaluate evaluate",
        "accepted": "RUNNING",
        "not_started": "PENDING",
        "doubt": ". alert",
        "succeeded": "COMPLETED",
        "failed": "PENDING",
        "cancel": "CANCELLED stop",
    },
    "in_doubt": {
        "refused": "PENDING evaluate evaluate",
        "accepted": "RUNNING",
        "not_started": "PENDING",
        "succeeded": "COMPLETED",
        "failed": "PENDING",
        "cancel": "CANCELLED stop",
    },
    "running": {
        "woke": ". check",
        "unseen": ".",
        "vanished": ". alert",
        "succeeded": "COMPLETED",
        "failed": "PENDING",
        "cancel": "CANCELLED stop",
    },
    "unseen": {
        "woke": ". check",
        "seen": ".",
        "unseen": ".",
        "vanished": ". alert",
        "succeeded": "COMPLETED",
        "failed": "PENDING",
        "cancel": "CANCELLED stop",
    },
    "lost": {"seen": ".", "succeeded": "COMPLETED", "failed": "PENDING", "cancel": "CANCELLED stop"},
    "retrying": {"woke": ". evaluate evaluate", "asked": ". evaluate evaluate", "cancel": "CANCELLED"},
    "refused": {"woke": ".", "asked": ". evaluate evaluate", "evaluated": ".", "no": ".", "cancel": "CANCELLED"},
    "completed": {},
    "failed": {},
    "cancelled": {},
}
FACTS = sorted(_facts(asking().run, NOON))


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_every_fact_in_every_state_changes_what_the_table_says(state: str, fact: str) -> None:
    """T-12, BUG-05."""
    story = STATES[state]()
    before = story.run
    event = _facts(before, story.at + LATE)[fact]
    decision = story.tell(event)
    expected = TABLE[state].get(fact)
    if expected is None:
        assert decision == stay(before)
        return
    status, *wishes = expected.split()
    assert decision != stay(before)
    assert decision.run.status == (before.status if status == "." else status)
    assert [SHORT[type(command)] for command in decision.commands] == wishes
    assert violations(before, event, decision, SPEC) == ()


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_the_same_fact_twice_asks_for_nothing_new(state: str, fact: str) -> None:
    """BUG-16."""
    story = STATES[state]()
    for at in (story.at, story.at + LATE):
        event = _facts(story.run, at)[fact]
        after = story.tell(event).run
        assert story.tell(event) == stay(after)


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_facts_about_another_attempt_or_round_are_silence(state: str, fact: str) -> None:
    """LAT-03, LAT-15, T-11."""
    story = STATES[state]()
    event = _facts(story.run, story.at + LATE)[fact]
    for step in (-1, 1):
        if isinstance(event, TraitEvaluated):
            strayed: Event = replace(event, round=event.round + step)
        elif isinstance(event, Woke | EvaluationAsked | CancelAsked):
            return
        else:
            strayed = replace(event, attempt=event.attempt + step)
        assert decide(story.run, strayed, SPEC) == stay(story.run)


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_an_ended_run_stays_ended(state: str) -> None:
    """T-07, T-11."""
    story = STATES[state]()
    assert story.run.ended
    assert story.run.wake_at is None
    for event in _facts(story.run, story.at + LATE).values():
        assert decide(story.run, event, SPEC) == stay(story.run)


@pytest.mark.parametrize("state", STATES)
def test_every_state_that_is_not_over_wakes_by_itself_or_waits_for_people(state: str) -> None:
    """T-60, T-22."""
    run = STATES[state]().run
    assert run.ended or run.wake_at is not None or run.doubt


def test_a_run_opens_asking_every_trait() -> None:
    decision = opened(a_key(), SPEC, DIGEST, NOON, cause=Cause.RERUN, note="late data", override=FORCED)
    run = decision.run
    assert (run.status, run.version, run.attempt, run.round) == (RunStatus.PENDING, 1, 0, 1)
    assert (run.cause, run.note, run.override, run.spec_digest) == (Cause.RERUN, "late data", FORCED, DIGEST)
    assert (run.opened_at, run.updated_at, run.since) == (NOON, NOON, NOON)
    assert [c.trait for c in decision.commands if isinstance(c, EvaluateTrait)] == ["fresh", "upstream"]
    assert [c.id for c in decision.commands] == [f"{run.key.run_id}/1/0", f"{run.key.run_id}/1/1"]


def test_a_run_keeps_the_slot_it_was_opened_for_whatever_the_time() -> None:
    """T-33, BUG-26."""
    story = Story(at=NOON + 11 * timedelta(hours=1) + timedelta(minutes=59))
    story.started()
    story.tell(JobFinished(at=story.after(3600), attempt=1, succeeded=True))
    assert story.run.key.slot.period == "2026-03-07"
    assert story.run.ended_at == story.at


def test_an_answer_that_must_not_be_lost_is_judged_by_the_spec_it_was_asked_under() -> None:
    """T-23, T-27."""
    story = triggering()
    edited = a_spec("something-else")
    run = decide(story.run, TriggerAccepted(at=NOON, attempt=1, job_id="job"), edited).run
    assert run.spec_digest == DIGEST
    assert run.permit is not None
    assert run.permit.spec_digest == DIGEST


def test_time_never_goes_backwards() -> None:
    """T-50."""
    story = running()
    earlier = NOON - LATE
    after = story.tell(JobUnseen(at=earlier, attempt=1, look=0, reason="no route")).run
    assert after.updated_at == NOON


def test_every_part_of_a_decision_uses_the_instant_of_its_fact() -> None:
    """BUG-146, BUG-17."""
    story = Story()
    at = story.after(12)
    story.answers()
    permit = story.run.permit
    assert permit is not None
    assert {story.run.updated_at, story.run.since, story.run.began_at, permit.granted_at} == {at}


def test_each_change_is_one_version_and_names_its_wishes_after_it() -> None:
    """BUG-16, LAT-24."""
    story = Story().answers()
    assert story.run.version == 3
    assert [command.id for command in story.commands] == [f"{story.run.key.run_id}/3/0"]
    story.tell(TriggerAccepted(at=story.after(1), attempt=1, job_id="job"))
    assert story.run.version == 4
    assert story.run.since == story.at


def _names(commands: tuple[Command, ...]) -> list[str]:
    return [type(command).__name__ for command in commands]


def test_data_that_lands_later_is_noticed_and_the_job_is_started_once() -> None:
    """BUG-14, T-28."""
    story = Story().answers(TraitStatus.FAIL)
    starts: list[Command] = []
    for round_number in range(2, 14):
        story.wakes()
        assert story.run.round == round_number
        story.answers(TraitStatus.PASS if story.at >= NOON + 180 * SECOND else TraitStatus.FAIL)
        starts += [command for command in story.commands if isinstance(command, StartJob)]
        if story.run.status is not RunStatus.PENDING:
            break
    assert len(starts) == 1
    assert NOON + 180 * SECOND <= story.at <= NOON + 210 * SECOND
    assert _names(story.commands) == ["StartJob"]
