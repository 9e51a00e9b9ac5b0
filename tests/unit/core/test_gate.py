from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.core.cases import FORCED
from tests.unit.core.states import HOUR, SPEC, TTL, Story, retrying

from interlock.core.commands import EvaluateTrait, StartJob
from interlock.core.decision import stay
from interlock.core.events import EvaluationAsked, Held, StartRefused, TraitEvaluated, Woke
from interlock.core.lifecycle import decide
from interlock.core.readiness import ReadinessRule, RuleType
from interlock.core.rounds import ANSWER_GRACE
from interlock.core.runs import Permit, RunStatus
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec, a_trait

PASS, FAIL, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.ERROR
TWO_OF_THREE = ReadinessRule(type=RuleType.AT_LEAST, threshold=2)


def _permit(story: Story) -> Permit:
    assert story.run.permit is not None
    assert story.commands == (StartJob(id=story.commands[0].id, permit=story.run.permit),)
    return story.run.permit


def _asked(story: Story) -> list[str]:
    return [command.trait for command in story.commands if isinstance(command, EvaluateTrait)]


def test_the_gate_opens_when_the_last_required_trait_passes() -> None:
    story = Story()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("fresh", ttl=TTL)))
    assert story.commands == ()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("upstream")))
    assert story.run.status is RunStatus.TRIGGERING
    permit = _permit(story)
    assert (permit.attempt, permit.spec_digest, permit.overridden) == (1, story.run.spec_digest, ())
    assert [result.trait for result in permit.evidence] == ["fresh", "upstream"]


def test_answers_are_kept_in_the_order_of_the_spec_however_they_come() -> None:
    """BUG-168."""
    story = Story()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("upstream")))
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("fresh", ttl=TTL)))
    assert [result.trait for result in story.run.results] == ["fresh", "upstream"]


@pytest.mark.parametrize("status", [FAIL, ERROR, TraitStatus.STALE])
def test_the_gate_stays_shut_unless_every_required_trait_passes(status: TraitStatus) -> None:
    story = Story().answers(PASS, status)
    assert story.run.status is RunStatus.PENDING
    assert story.commands == ()
    assert story.run.readiness is not None
    assert story.run.readiness.blocking == ("upstream",)
    assert story.run.wake_at == NOON + SPEC.watch.interval


def test_a_permit_ends_with_the_first_evidence_it_needs_and_the_clock_skew_before() -> None:
    assert _permit(Story().answers()).valid_until == NOON + TTL
    skewed = a_spec(a_trait("fresh", ttl=TTL), clock_skew=5 * SECOND)
    assert _permit(Story(skewed).answers()).valid_until == NOON + TTL - 5 * SECOND


def test_a_permit_lasts_no_longer_than_its_lifetime() -> None:
    assert _permit(Story(a_spec()).answers()).valid_until == NOON + 5 * MINUTE


def test_freshness_counts_from_the_question_and_not_from_the_answer() -> None:
    """T-26, LAT-13."""
    story = Story(a_spec(a_trait("fresh", ttl=TTL)))
    slow = a_result("fresh", at=NOON, ttl=TTL)
    story.tell(TraitEvaluated(at=story.after(100), round=1, result=slow))
    assert _permit(story).valid_until == NOON + TTL


def test_evidence_that_expired_while_others_were_asked_is_refreshed_and_never_started_on() -> None:
    """T-26."""
    story = Story()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("fresh", ttl=TTL)))
    slow = a_result("upstream", at=story.after(1800))
    story.tell(TraitEvaluated(at=story.at, round=1, result=slow))
    assert story.run.status is RunStatus.PENDING
    assert _asked(story) == ["fresh"], "only what ran out is asked again"
    story.answers()
    assert _permit(story).valid_until == story.at + TTL


def test_evidence_that_always_expires_too_soon_is_refreshed_once_and_then_waits() -> None:
    """T-26."""
    story = Story(a_spec(a_trait("fresh", ttl=TTL)))
    for _ in range(2):
        old = a_result("fresh", at=story.at, ttl=TTL)
        story.tell(TraitEvaluated(at=story.after(121), round=story.run.round, result=old))
    assert story.run.round == 2
    assert story.commands == ()
    assert story.run.wake_at == story.at + story.spec.watch.interval
    assert not story.run.refreshing


def test_what_would_be_enough_once_refreshed_is_refreshed_although_others_fail() -> None:
    """T-26."""
    spec = a_spec(a_trait("aa", ttl=TTL), "bb", "cc", rule=TWO_OF_THREE)
    story = Story(spec)
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("aa", ttl=TTL)))
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("bb", FAIL)))
    story.tell(TraitEvaluated(at=story.after(200), round=1, result=a_result("cc", at=story.at)))
    assert _asked(story) == ["aa", "bb"]
    story.answers()
    assert story.run.status is RunStatus.TRIGGERING


def test_a_pass_within_its_ttl_is_used_again_and_what_blocks_is_always_asked_again() -> None:
    story = Story().answers(PASS, FAIL).wakes()
    assert _asked(story) == ["upstream"]


def test_a_pass_without_a_ttl_is_never_used_again() -> None:
    """T-97."""
    story = Story().answers(FAIL, PASS).wakes()
    assert _asked(story) == ["fresh", "upstream"]


def test_a_pass_that_has_just_expired_is_not_used_again() -> None:
    story = Story(a_spec(a_trait("fresh", ttl=30 * SECOND), "upstream")).answers(PASS, FAIL)
    assert story.run.wake_at == NOON + 30 * SECOND
    assert _asked(story.wakes()) == ["fresh", "upstream"]


def test_when_everything_is_at_hand_the_gate_opens_without_asking() -> None:
    spec = a_spec(
        a_trait("aa", ttl=TTL), a_trait("bb", ttl=TTL), rule=ReadinessRule(type=RuleType.AT_LEAST, threshold=1)
    )
    story = Story(spec, override=None).answers()
    assert story.run.status is RunStatus.TRIGGERING
    story = Story(a_spec(a_trait("aa", ttl=HOUR)))
    story.tell(Held(at=NOON, until=NOON + 10 * MINUTE, actor="ann", reason="a freeze"))
    story.answers().wakes()
    assert (story.run.round, story.run.asked, story.run.status) == (2, (), RunStatus.TRIGGERING)


def test_an_answer_of_an_earlier_round_changes_nothing() -> None:
    story = Story().answers(FAIL).wakes()
    late = TraitEvaluated(at=story.at, round=1, result=a_result("upstream", at=story.at))
    assert decide(story.run, late, SPEC) == stay(story.run)


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    story = Story()
    stray = TraitEvaluated(at=NOON, round=1, result=a_result("nobody"))
    assert decide(story.run, stray, SPEC) == stay(story.run)


def test_answers_that_do_not_come_are_no_answers_and_the_round_is_judged() -> None:
    """T-60."""
    story = Story()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("fresh", ttl=TTL)))
    assert story.run.wake_at == NOON + SPEC.traits[0].timeout + ANSWER_GRACE
    assert story.ignores(Woke(at=story.run.wake_at - SECOND))
    story.wakes()
    lost = story.run.result(SPEC.traits[1].name)
    assert lost is not None
    assert (lost.status, lost.category, lost.origin) == (FAIL, FailureCategory.TIMEOUT, Origin.RUNNER)
    assert story.run.readiness is not None
    assert story.run.readiness.undecided


def test_an_answer_from_the_future_lives_no_longer_than_its_ttl_from_now() -> None:
    """LAT-13, T-50."""
    story = Story(a_spec(a_trait("fresh", ttl=TTL)))
    ahead = a_result("fresh", at=NOON + timedelta(hours=1), ttl=TTL)
    story.tell(TraitEvaluated(at=NOON, round=1, result=ahead))
    result = story.run.results[0]
    assert (result.observed_at, result.expires_at) == (NOON, NOON + TTL)


def test_an_answer_from_the_future_without_a_ttl_is_believed_for_this_decision() -> None:
    """LAT-13."""
    story = Story(a_spec())
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result(at=NOON + timedelta(hours=1))))
    assert story.run.results[0].observed_at == NOON
    assert _permit(story).valid_until == NOON + 5 * MINUTE


def test_a_clock_that_goes_back_never_lengthens_a_permit() -> None:
    """T-50."""
    story = Story(at=NOON)
    behind = NOON - timedelta(hours=1)
    for name in ("fresh", "upstream"):
        story.tell(TraitEvaluated(at=behind, round=1, result=a_result(name, at=behind, ttl=2 * timedelta(hours=1))))
    assert _permit(story).granted_at == NOON
    assert _permit(story).valid_until == NOON + 5 * MINUTE


def test_a_permit_that_would_be_over_at_once_is_not_given() -> None:
    story = Story(a_spec(a_trait("fresh", ttl=SECOND), clock_skew=SECOND)).answers()
    assert story.run.status is RunStatus.PENDING
    assert story.run.wake_at == NOON + story.spec.watch.interval


def test_an_override_goes_past_what_did_not_pass_and_names_it() -> None:
    story = Story(override=FORCED).answers(PASS, FAIL)
    permit = _permit(story)
    assert permit.overridden == ("upstream",)
    assert [result.status for result in permit.evidence] == [PASS, FAIL]
    assert permit.valid_until == NOON + TTL, "what did pass must hold until the start"


def test_an_override_that_is_not_needed_overrides_nothing() -> None:
    assert _permit(Story(override=FORCED).answers()).overridden == ()


def test_an_override_waits_for_the_answers() -> None:
    story = Story(override=FORCED)
    assert story.run.status is RunStatus.PENDING
    assert _asked(story) == ["fresh", "upstream"]


def test_asking_afresh_asks_what_is_still_fresh_too() -> None:
    story = Story().answers(PASS, FAIL)
    story.tell(EvaluationAsked(at=story.after(1), actor="ann"))
    assert _asked(story) == ["fresh", "upstream"]


def test_asking_afresh_leaves_a_round_under_way_alone_until_it_is_overdue() -> None:
    story = Story()
    ask = EvaluationAsked(at=story.after(1), actor="ann")
    assert story.ignores(ask)
    assert story.run.wake_at is not None
    story.tell(EvaluationAsked(at=story.run.wake_at, actor="ann"))
    assert story.run.round == 2


def test_asking_afresh_does_not_shorten_a_backoff() -> None:
    """LAT-42."""
    story = retrying()
    assert story.ignores(EvaluationAsked(at=story.after(29), actor="ann"))
    story.tell(EvaluationAsked(at=story.after(1), actor="ann"))
    assert story.run.round == 2


def test_asking_afresh_may_bring_a_mended_spec_and_an_override() -> None:
    story = Story().answers(FAIL)
    story.spec = a_spec("mended")
    story.tell(EvaluationAsked(at=story.after(1), spec_digest="e" * 32, override=FORCED))
    assert (story.run.spec_digest, story.run.override) == ("e" * 32, FORCED)
    assert _asked(story) == ["mended"]
    story.answers(FAIL).tell(EvaluationAsked(at=story.after(1)))
    assert (story.run.spec_digest, story.run.override) == ("e" * 32, FORCED)


def test_an_override_is_not_carried_over_to_another_spec() -> None:
    """G1: whoever set the traits aside did so for the job that was there then, and not for the one that comes instead."""
    story = Story(override=FORCED)
    story.tell(EvaluationAsked(at=story.after(300), spec_digest="e" * 32))
    assert (story.run.spec_digest, story.run.override) == ("e" * 32, None)
    story.answers(FAIL)
    assert (story.run.status, story.run.permit) == (RunStatus.PENDING, None)


def test_an_override_stays_while_the_spec_does() -> None:
    story = Story(override=FORCED)
    story.tell(EvaluationAsked(at=story.after(300), spec_digest=story.run.spec_digest))
    assert story.run.override == FORCED


def test_a_refused_permit_is_earned_anew_at_once_and_then_at_the_usual_pace() -> None:
    story = Story(a_spec()).answers()
    story.tell(StartRefused(at=story.after(300), attempt=1, reason="late"))
    assert _asked(story) == ["freshness"]
    story.answers()
    story.tell(StartRefused(at=story.after(300), attempt=2, reason="late"))
    assert story.commands == ()
    assert story.run.wake_at == story.at + story.spec.watch.interval
    assert _asked(story.wakes()) == ["freshness"]


def test_a_pipeline_without_a_trigger_has_nothing_that_could_be_forced() -> None:
    """T-90."""
    story = Story(a_spec(trigger=None), override=FORCED).answers(FAIL)
    assert (story.run.status, story.commands) == (RunStatus.PENDING, ())
    assert story.run.wake_at == NOON + story.spec.watch.interval
