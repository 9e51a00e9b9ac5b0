from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.cases import FORCED
from tests.unit.core.states import HOUR, SPEC, Story, blocked, held, hopeless, retrying, waiting

from interlock.core.commands import EvaluateTrait, RaiseAlert, StartJob
from interlock.core.events import EvaluationAsked, EvidenceArrived, Held, Released, StartRefused, TraitEvaluated
from interlock.core.gate import LONGEST_PAUSE, PAUSED, TROUBLE
from interlock.core.pipelines import ScheduleSpec, WatchSpec
from interlock.core.readiness import ReadinessRule, RuleType
from interlock.core.runs import Override, RunStatus
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec, a_trait, no_answer

PASS, FAIL, STALE = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.STALE
CRASH = FailureCategory.EVALUATOR_CRASH


def _asked(story: Story) -> list[str]:
    return [wish.trait for wish in story.commands if isinstance(wish, EvaluateTrait)]


def _evidence(story: Story, seconds: float = 1) -> Story:
    story.tell(EvidenceArrived(at=story.after(seconds), source="a push"))
    return story


def _hold(story: Story, span: timedelta, *, seconds: float = 0) -> Story:
    at = story.after(seconds)
    story.tell(Held(at=at, until=at + span, actor="ann", reason="a freeze"))
    return story


def _pauses(story: Story, rounds: int, **rest: object) -> list[float]:
    """How long a run waits after each of some rounds that could not tell."""
    found = []
    for _ in range(rounds):
        story.answers(*(replace(no_answer(name, at=story.at), **rest) for name in story.run.asked))
        assert story.run.wake_at is not None
        found.append((story.run.wake_at - story.at).total_seconds())
        story.wakes()
    return found


# ---------------------------------------------------------------- what asking again cannot help


@pytest.mark.parametrize("category", [FailureCategory.PERMANENT, CRASH])
def test_what_asking_again_cannot_help_stops_the_run_and_is_told_once(category: FailureCategory) -> None:
    """BUG-10, BUG-15, LAT-23."""
    story = Story().answers(PASS, hopeless("upstream", category=category, origin=Origin.RUNNER))
    assert (story.run.status, story.run.wake_at, story.run.due_at) == (RunStatus.PENDING, None, None)
    assert story.run.blocked == f"upstream ({category}): no such table"
    assert story.raised == ["evaluation_failed"]
    (alert,) = (wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    assert alert.alert_id == f"evaluation_failed/{story.run.key.run_id}"
    assert "interlock run example --schedule daily" in alert.message


def test_evidence_wakes_a_stopped_run() -> None:
    story = _evidence(blocked())
    assert _asked(story) == ["upstream"]
    assert (story.run.blocked, story.resolved) == ("", []), "asking again mends nothing yet"
    story.answers()
    assert (story.run.status, story.resolved) == (RunStatus.TRIGGERING, ["evaluation_failed"])


def test_a_stopped_run_that_is_no_better_after_evidence_is_not_told_again() -> None:
    """G6: one fault gives one alert, however often it is looked at. BUG-48."""
    story = blocked()
    for _ in range(5):
        _evidence(story).answers(hopeless("upstream", at=story.at))
        assert (story.raised, story.resolved) == ([], [])
        assert (story.run.blocked != "", story.run.wake_at) == (True, None)


def test_a_stopped_run_that_is_merely_not_ready_any_more_is_mended() -> None:
    story = _evidence(blocked()).answers(FAIL)
    assert (story.resolved, story.run.open_alerts) == (["evaluation_failed"], ())
    assert story.run.wake_at == story.at + SPEC.watch.interval


def test_a_run_stopped_for_another_reason_is_told_of_that_too() -> None:
    story = _evidence(blocked()).answers(hopeless("upstream", upstream="other:daily:2026-03-07:1"))
    assert story.raised == ["upstream_cannot_complete"]


def test_an_upstream_that_cannot_complete_is_told_as_such_and_folded_under_its_failure() -> None:
    upstream = "other:daily:2026-03-07:1"
    story = Story().answers(PASS, hopeless("upstream", upstream=upstream))
    assert story.raised == ["upstream_cannot_complete"]
    assert [wish.cause for wish in story.commands if isinstance(wish, RaiseAlert)] == [f"run_failed/{upstream}"]


def test_an_evaluator_of_ones_own_that_gives_up_has_no_cause_to_fold_under() -> None:
    story = blocked()
    assert [wish.cause for wish in story.commands if isinstance(wish, RaiseAlert)] == [""]


@pytest.mark.parametrize("trouble", [hopeless("disk"), no_answer("disk")], ids=["hopeless", "no answer"])
def test_the_trouble_of_an_optional_trait_stops_nothing(trouble: object) -> None:
    story = Story(a_spec("fresh", a_trait("disk", required=False)))
    story.answers(PASS, trouble)  # type: ignore[arg-type]  # a result
    assert (story.run.status, story.raised) == (RunStatus.TRIGGERING, [])
    story = Story(a_spec("fresh", a_trait("disk", required=False)))
    story.answers(FAIL, trouble)  # type: ignore[arg-type]  # a result
    assert (story.raised, story.run.troubles, story.run.wake_at) == ([], 0, NOON + SPEC.watch.interval)


def test_one_hopeless_trait_does_not_stop_a_majority_that_is_still_within_reach() -> None:
    """T-101."""
    spec = a_spec("aa", "bb", "cc", rule=ReadinessRule(type=RuleType.MAJORITY_PASS))
    story = Story(spec).answers(hopeless("aa"), PASS, FAIL)
    assert (story.run.blocked, story.raised) == ("", [])
    story.opens_with(hopeless("aa"), PASS, PASS)
    assert story.run.status is RunStatus.TRIGGERING
    out_of_reach = Story(spec).answers(hopeless("aa"), hopeless("bb"), PASS)
    assert out_of_reach.raised == ["evaluation_failed"]


# ---------------------------------------------------------------- how long it waits


def test_a_plain_no_waits_the_interval_however_often_it_comes() -> None:
    """BUG-14."""
    story = Story()
    for _ in range(8):
        story.answers(FAIL, STALE)
        assert story.run.wake_at == story.at + SPEC.watch.interval
        assert (story.raised, story.run.troubles) == ([], 0)
        story.wakes()


@pytest.mark.parametrize("category", [FailureCategory.TRANSIENT, FailureCategory.TIMEOUT])
def test_rounds_that_cannot_tell_come_less_and_less_often(category: FailureCategory) -> None:
    """BUG-31, BUG-32."""
    pauses = _pauses(Story(a_spec()), 7, category=category)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert LONGEST_PAUSE == 10 * MINUTE


def test_an_interval_longer_than_the_longest_pause_is_kept() -> None:
    assert _pauses(Story(a_spec(watch=WatchSpec(interval=HOUR))), 3) == [3600, 3600, 3600]


def test_the_pause_never_overflows() -> None:
    """T-122."""
    assert _pauses(Story(a_spec(watch=WatchSpec(interval=SECOND))), 60)[-1] == 600


def test_rounds_that_cannot_tell_are_told_after_the_fifth_and_mended_by_an_answer() -> None:
    """BUG-10, T-112."""
    story = Story(a_spec())
    raised = []
    for _ in range(TROUBLE + 3):
        story.answers(no_answer(at=story.at))
        raised.append(story.raised)
        story.wakes()
    assert raised == [[]] * 4 + [["evaluation_trouble"]] + [[]] * 3
    assert story.answers(FAIL).resolved == ["evaluation_trouble"]
    assert (story.run.troubles, story.run.wake_at) == (0, story.at + SPEC.watch.interval)


def test_the_interval_of_the_schedule_goes_before_the_one_of_the_pipeline() -> None:
    spec = replace(SPEC, schedules=(ScheduleSpec(interval=5 * SECOND),))
    assert Story(spec).answers(FAIL).run.wake_at == NOON + 5 * SECOND
    story = Story(spec).answers()
    for _ in range(2):
        story.tell(StartRefused(at=story.at, attempt=story.run.attempt, reason="late"))
        story.answers()
    assert story.run.wake_at == story.at + 5 * SECOND
    other = replace(SPEC, schedules=(ScheduleSpec(interval=5 * SECOND, name=spec.schedules[0].name + "x"),))  # type: ignore[arg-type]
    assert Story(other).answers(FAIL).run.wake_at == NOON + 30 * SECOND


# ---------------------------------------------------------------- evidence


def test_evidence_does_not_wait_for_the_interval() -> None:
    """BUG-14."""
    story = _evidence(waiting())
    assert _asked(story) == ["fresh", "upstream"]


def test_evidence_in_the_middle_of_a_round_is_asked_for_once_more_after_it() -> None:
    story = _evidence(Story())
    assert (story.commands, story.run.again) == ((), True)
    story.answers(FAIL)
    assert (story.run.round, story.run.again, _asked(story)) == (2, False, ["fresh", "upstream"])
    story.answers(FAIL)
    assert story.commands == ()


def test_evidence_in_the_middle_of_a_round_that_passes_changes_nothing() -> None:
    story = _evidence(Story()).answers()
    assert (story.run.status, story.run.again) == (RunStatus.TRIGGERING, False)


def test_evidence_from_before_the_questions_is_none() -> None:
    story = waiting()
    assert story.ignores(EvidenceArrived(at=NOON, source="old"))


def test_evidence_does_not_shorten_a_backoff() -> None:
    """LAT-42."""
    story = retrying()
    assert story.ignores(EvidenceArrived(at=story.after(29), source="a push"))
    assert _asked(_evidence(story)) == ["fresh", "upstream"]


def test_an_override_in_the_middle_of_a_round_is_not_lost() -> None:
    story = Story()
    story.tell(EvaluationAsked(at=story.after(1), actor="ann", override=FORCED))
    assert (story.run.round, story.run.override) == (2, FORCED)
    late = TraitEvaluated(at=story.at, round=1, result=a_result("fresh"))
    assert story.ignores(late)


def test_an_override_while_a_retry_waits_is_kept_in_mind_and_shortens_nothing() -> None:
    """LAT-42."""
    story = retrying()
    due = story.run.wake_at
    story.tell(EvaluationAsked(at=story.after(1), actor="ann", override=FORCED))
    assert (story.run.override, story.run.wake_at, story.commands) == (FORCED, due, ())
    assert story.opens_with(FAIL).run.status is RunStatus.TRIGGERING


# ---------------------------------------------------------------- the start button, held


def test_a_ready_run_does_not_start_while_somebody_holds_the_button() -> None:
    story = _hold(Story(), HOUR).answers()
    assert (story.run.status, story.commands) == (RunStatus.PENDING, ())
    assert (story.run.wake_at, story.run.held_because) == (NOON + HOUR, "ann: a freeze")
    assert _asked(story.wakes()) == ["fresh", "upstream"], "what was seen before is too old to start on"
    story.answers()
    assert [type(wish) for wish in story.commands] == [StartJob]


def test_an_override_does_not_start_past_a_hold_that_it_does_not_name() -> None:
    story = _hold(Story(override=FORCED), HOUR).answers(FAIL)
    assert story.run.status is RunStatus.PENDING


def test_an_override_that_names_the_pause_starts_past_it() -> None:
    story = held()
    forced = Override(actor="ben", reason="the freeze is for others", constraints=(PAUSED,))
    story.tell(EvaluationAsked(at=story.after(1), actor="ben", override=forced))
    story.answers()
    assert (story.run.status, story.run.held_until) == (RunStatus.TRIGGERING, None)


def test_a_run_that_is_not_ready_is_asked_on_while_it_is_held() -> None:
    story = _hold(Story(), HOUR).answers(FAIL)
    assert story.run.wake_at == NOON + SPEC.watch.interval


def test_letting_go_asks_at_once() -> None:
    story = held()
    story.tell(Released(at=story.after(1), actor="ann"))
    assert _asked(story) == ["upstream"]
    assert (story.run.held_until, story.run.held_because) == (None, "")
    assert story.answers().run.status is RunStatus.TRIGGERING


def test_letting_go_in_the_middle_of_a_round_waits_for_its_answers() -> None:
    story = _hold(Story(), HOUR)
    story.tell(Released(at=story.after(1), actor="ann"))
    assert (story.run.round, story.commands) == (1, ())
    assert story.answers().run.status is RunStatus.TRIGGERING


def test_letting_go_does_not_shorten_a_backoff() -> None:
    """LAT-42."""
    story = _hold(retrying(), HOUR)
    due = story.run.wake_at
    story.tell(Released(at=story.after(1), actor="ann"))
    assert (story.commands, story.run.wake_at) == ((), due)


def test_a_hold_that_is_said_late_or_is_over_is_none() -> None:
    story = _hold(Story(), HOUR, seconds=10)
    early = Held(at=NOON + SECOND, until=NOON + 2 * HOUR, actor="ben", reason="too")
    assert story.ignores(early)
    assert story.ignores(Released(at=NOON + SECOND, actor="ben"))
    over = Held(at=story.after(1), until=story.at, actor="ben", reason="over")
    assert story.ignores(over)


def test_letting_go_of_what_nobody_holds_is_nothing() -> None:
    story = waiting()
    assert story.ignores(Released(at=story.after(1), actor="ann"))


def test_a_hold_made_shorter_wakes_the_run_sooner() -> None:
    story = _hold(held(), MINUTE, seconds=5)
    assert story.run.wake_at == story.at + MINUTE
    assert story.wakes().answers().run.status is RunStatus.TRIGGERING


def test_a_hold_does_not_move_the_instant_of_a_retry() -> None:
    story = retrying()
    due = story.run.wake_at
    assert _hold(story, SECOND).run.wake_at == due


# ---------------------------------------------------------------- nothing to start


def test_a_pipeline_without_a_trigger_is_done_when_it_is_ready() -> None:
    story = Story(a_spec(trigger=None)).answers()
    assert (story.run.status, story.run.ended_at, story.run.wake_at) == (RunStatus.COMPLETED, NOON, None)
    assert (story.run.attempt, story.run.attempts, story.run.succeeded_at) == (0, (), NOON)
    assert [type(wish).__name__ for wish in story.commands] == ["NotifyDownstream", "PublishEnd"]


def test_a_pipeline_without_a_trigger_waits_until_it_is_ready_and_while_it_is_held() -> None:
    story = Story(a_spec(trigger=None)).answers(FAIL)
    assert (story.run.status, story.run.wake_at) == (RunStatus.PENDING, NOON + SPEC.watch.interval)
    story = _hold(Story(a_spec(trigger=None)), HOUR).answers()
    assert story.run.status is RunStatus.PENDING
