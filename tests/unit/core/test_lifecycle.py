from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.cases import FORCED
from tests.unit.core.states import HARD, SOFT, SPEC, STATES, Story, asking, running, triggering

from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    EvaluateTrait,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
    StartJob,
)
from interlock.core.constraints import violations
from interlock.core.decision import stay
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    EvidenceArrived,
    Held,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    Released,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.runs import Cause, Run, RunStatus
from interlock.core.schedules import Limits
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec

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
        "evidence": EvidenceArrived(at=at, source="a push"),
        "held": Held(at=at, until=at + LATE, actor="ann", reason="a freeze"),
        "released": Released(at=at, actor="ann"),
        "cancel": CancelAsked(at=at, actor="ann", reason="enough"),
    }


SHORT = {
    EvaluateTrait: "evaluate",
    StartJob: "start",
    CheckJob: "check",
    CancelJob: "stop",
    RaiseAlert: "alert",
    ResolveAlert: "mended",
    NotifyDownstream: "downstream",
    PublishEnd: "publish",
    AskRerun: "rerun",
}
DONE = "COMPLETED downstream publish"
AFRESH = ". evaluate evaluate"
ENDS = {"succeeded": DONE, "failed": "PENDING", "cancel": "CANCELLED stop"}
KNOWN = {"succeeded": f"{DONE} mended", "failed": "PENDING mended", "cancel": "CANCELLED stop mended"}

OVER = dict.fromkeys(("woke", "evaluated", "no", "asked", "evidence", "held", "released", "cancel"), "COMPLETED")

# state: fact → new status and wishes; whatever is not here changes nothing. "." is the same status.
TABLE: dict[str, dict[str, str]] = {
    "asking": {
        "woke": ".",
        "asked": AFRESH,
        "evaluated": ".",
        "no": ".",
        "evidence": ".",
        "held": ".",
        "cancel": "CANCELLED",
    },
    "waiting": {"woke": AFRESH, "asked": AFRESH, "evidence": AFRESH, "held": ".", "cancel": "CANCELLED"},
    "blocked": {"asked": AFRESH, "evidence": AFRESH, "held": ".", "cancel": "CANCELLED mended"},
    "held": {"asked": AFRESH, "evidence": AFRESH, "held": ".", "released": AFRESH, "cancel": "CANCELLED"},
    "triggering": {
        "woke": ". alert",
        "refused": "PENDING evaluate evaluate",
        "accepted": "RUNNING",
        "not_started": "PENDING",
        "doubt": ". alert",
        **ENDS,
    },
    "in_doubt": {
        "refused": "PENDING evaluate evaluate mended",
        "accepted": "RUNNING mended",
        "not_started": "PENDING mended",
        **KNOWN,
    },
    "running": {"woke": ". check", "unseen": ".", "vanished": ". alert", **ENDS},
    "unseen": {"woke": ". check", "seen": ". mended", "unseen": ".", "vanished": ".", **KNOWN},
    "lost": {"seen": ". mended", **KNOWN},
    "retrying": {"woke": AFRESH, "asked": AFRESH, "evidence": AFRESH, "held": ".", "cancel": "CANCELLED"},
    "refused": {
        "woke": ".",
        "asked": AFRESH,
        "evaluated": ".",
        "no": ".",
        "evidence": ".",
        "held": ".",
        "cancel": "CANCELLED",
    },
    "monitoring": OVER,
    "looking": OVER,
    "completed": {},
    "drifted": {},
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
    assert violations(before, event, decision, story.spec) == ()


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("terms", [None, SOFT, HARD], ids=["no limits", "soft", "hard"])
@pytest.mark.parametrize("state", STATES)
def test_the_same_fact_twice_asks_for_nothing_new(state: str, terms: Limits | None, fact: str) -> None:
    """BUG-16, BUG-48."""
    story = STATES[state](terms)
    for at in (story.at, story.at + 90 * MINUTE, story.at + LATE):
        before = story.run
        event = _facts(before, at)[fact]
        after = story.tell(event).run
        assert violations(before, event, story.last, story.spec) == ()
        assert story.tell(event) == stay(after)


@pytest.mark.parametrize("terms", [None, SOFT, HARD], ids=["no limits", "soft", "hard"])
@pytest.mark.parametrize("state", STATES)
def test_a_run_that_was_looked_at_when_it_was_due_is_due_later_or_never(state: str, terms: Limits | None) -> None:
    """A due instant that stayed in the past would keep a watcher busy for nothing. T-60."""
    story = STATES[state](terms)
    for _ in range(30):
        due = story.run.due_at
        if due is None:
            break
        story.wakes_at(due)
        assert story.run.due_at is None or story.run.due_at > story.at


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_facts_about_another_attempt_or_round_are_silence(state: str, fact: str) -> None:
    """LAT-03, LAT-15, T-11."""
    story = STATES[state]()
    event = _facts(story.run, story.at + SECOND)[fact]
    for step in (-1, 1):
        if isinstance(event, TraitEvaluated):
            strayed: Event = replace(event, round=event.round + step)
        elif not hasattr(event, "attempt"):
            return
        else:
            strayed = replace(event, attempt=event.attempt + step)
        assert decide(story.run, strayed, story.spec) == stay(story.run)


@pytest.mark.parametrize("state", ["completed", "drifted", "failed", "cancelled"])
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
    assert run.ended or run.due_at is not None or ((run.doubt or run.blocked) and run.open_alerts)


def test_a_run_opens_asking_every_trait() -> None:
    decision = opened(a_key(), SPEC, DIGEST, NOON, Terms(cause=Cause.RERUN, note="late data", override=FORCED))
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
