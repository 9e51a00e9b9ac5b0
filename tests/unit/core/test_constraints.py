from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.unit.core.cases import FORCED
from tests.unit.core.states import SPEC, TTL, Story, completed, in_doubt, lost, retrying, running, triggering, waiting

from interlock.core.commands import StartJob
from interlock.core.constraint_cases import Kind
from interlock.core.constraints import CONSTRAINTS, violations
from interlock.core.decision import Decision, stay
from interlock.core.events import EvaluationAsked, Event, JobFinished, JobVanished, TraitEvaluated, TriggerInDoubt, Woke
from interlock.core.lifecycle import decide, opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import ReadinessRule, RuleType
from interlock.core.runs import Run, RunStatus
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec

LAST = TraitEvaluated(at=NOON, round=1, result=a_result("upstream"))


def _broken(before: Run | None, event: Event | None, decision: Decision, spec: PipelineSpec = SPEC) -> set[int]:
    return {constraint.number for constraint in violations(before, event, decision, spec)}


def _about_to_open(spec: PipelineSpec = SPEC, *, forced: bool = False) -> Run:
    story = Story(spec, override=FORCED if forced else None)
    for trait in spec.traits[:-1]:
        story.tell(TraitEvaluated(at=NOON, round=1, result=a_result(trait.name, ttl=trait.ttl or None)))
    return story.run


def _opened(**changes: object) -> tuple[Run, Decision]:
    """A good start, with some fields of its permit as given."""
    before = _about_to_open()
    good = decide(before, LAST, SPEC)
    assert good.run.permit is not None
    permit = replace(good.run.permit, **changes)
    return before, Decision(run=replace(good.run, permit=permit), commands=(StartJob(permit=permit),))


def test_a_good_start_breaks_nothing() -> None:
    before, decision = _opened()
    assert _broken(before, LAST, decision) == set()


def _with(*results: TraitResult) -> tuple[TraitResult, ...]:
    return results


@pytest.mark.parametrize(
    "evidence",
    [
        (),
        _with(a_result("fresh", ttl=TTL)),
        _with(a_result("fresh", ttl=TTL), a_result("upstream", TraitStatus.FAIL)),
        _with(a_result("fresh", at=NOON - TTL, ttl=TTL), a_result("upstream")),
        _with(a_result("fresh", ttl=TTL), a_result("upstream", at=NOON + SECOND)),
    ],
    ids=["nothing", "one missing", "one failed", "one expired", "one from the future"],
)
def test_sc_1_a_start_without_its_evidence_is_unsafe(evidence: tuple[TraitResult, ...]) -> None:
    """T-26, LAT-13."""
    before, decision = _opened(evidence=evidence)
    assert 1 in _broken(before, LAST, decision)


def test_sc_1_a_start_on_another_config_than_was_judged_is_unsafe() -> None:
    """T-27."""
    before, decision = _opened(spec_digest="e" * 32)
    assert 1 in _broken(before, LAST, decision)
    before, decision = _opened()
    other = replace(decision, run=replace(decision.run, permit=None))
    assert 1 in _broken(before, LAST, other)


def test_sc_1_an_override_that_nobody_recorded_or_that_hides_a_trait_is_unsafe() -> None:
    before, decision = _opened(evidence=(a_result("fresh", ttl=TTL),), overridden=("upstream",))
    assert 1 in _broken(before, LAST, decision)
    forced = Decision(run=replace(decision.run, override=FORCED), commands=decision.commands)
    assert _broken(replace(before, override=FORCED), LAST, forced) == set()
    before, decision = _opened(evidence=(), overridden=("upstream",))
    forced = Decision(run=replace(decision.run, override=FORCED), commands=decision.commands)
    assert 1 in _broken(replace(before, override=FORCED), LAST, forced)


def test_sc_1_a_rule_that_needs_fewer_is_content_with_fewer() -> None:
    spec = a_spec("aa", "bb", rule=ReadinessRule(type=RuleType.AT_LEAST, threshold=1))
    before = _about_to_open(spec)
    event = TraitEvaluated(at=NOON, round=1, result=a_result("bb", TraitStatus.FAIL))
    assert _broken(before, event, decide(before, event, spec), spec) == set()


def _started_from(make: Callable[[], Story], **changes: object) -> set[int]:
    before = make().run
    _, good = _opened()
    permit = good.commands[0].permit if isinstance(good.commands[0], StartJob) else None
    after = replace(before, permit=permit, version=before.version + 1, **changes)
    return _broken(before, Woke(at=NOON), Decision(run=after, commands=good.commands))


def test_sc_2_a_second_start_is_unsafe() -> None:
    """T-01, T-04."""
    before, decision = _opened()
    assert _broken(before, LAST, Decision(run=decision.run, commands=decision.commands * 2)) == {2}
    assert 2 in _started_from(running)
    assert 2 in _started_from(triggering)
    assert 2 in _started_from(retrying, status=RunStatus.TRIGGERING)
    assert 2 in _broken(None, None, decision)


def test_sc_3_an_ended_run_that_moves_is_unsafe() -> None:
    """T-07."""
    ended = completed().run
    event = JobFinished(at=NOON, attempt=1, succeeded=False)
    moved = replace(ended, looks=1, version=ended.version + 1)
    assert 3 in _broken(ended, event, Decision(run=moved))
    assert 3 in _broken(ended, event, Decision(run=ended, commands=running().wakes().commands))
    assert _broken(ended, event, stay(ended)) == set()


@pytest.mark.parametrize(
    "valid_until", [NOON, NOON - SECOND, NOON + TTL + SECOND, NOON + 6 * MINUTE], ids=["now", "past", "expired", "long"]
)
def test_sc_4_a_permit_that_outlives_its_evidence_or_its_lifetime_is_unsafe(valid_until: object) -> None:
    """T-26."""
    before, decision = _opened(valid_until=valid_until)
    assert _broken(before, LAST, decision) == {4}


def test_sc_4_the_skew_of_clocks_counts() -> None:
    before, decision = _opened(valid_until=NOON + TTL)
    assert _broken(before, LAST, decision, replace(SPEC, clock_skew=SECOND)) == {4}


def test_sc_4_an_override_does_not_lengthen_what_did_pass() -> None:
    before, decision = _opened(
        evidence=(a_result("fresh", ttl=TTL),), overridden=("upstream",), valid_until=NOON + 2 * TTL
    )
    forced = Decision(run=replace(decision.run, override=FORCED), commands=decision.commands)
    assert _broken(replace(before, override=FORCED), LAST, forced) == {4}


def test_sc_5_a_retry_before_its_backoff_is_unsafe() -> None:
    """LAT-42."""
    story = retrying()
    before = story.run
    woken = story.wakes().last
    early = Decision(run=replace(woken.run, updated_at=NOON + SECOND), commands=woken.commands)
    assert _broken(before, Woke(at=NOON), early) == {5}
    assert _broken(before, Woke(at=NOON), woken) == set()
    quiet = replace(before, version=before.version + 1)
    assert _broken(before, Woke(at=NOON), Decision(run=quiet)) == set()


def test_sc_6_a_ready_run_that_is_not_started_is_unsafe() -> None:
    before, good = _opened()
    shut = replace(good.run, status=RunStatus.PENDING, permit=None, attempt=0, wake_at=NOON + MINUTE)
    assert _broken(before, LAST, Decision(run=shut)) == {6}
    assert _broken(before, LAST, Decision(run=shut), a_spec("fresh", "upstream", trigger=None)) == {6}
    done = replace(shut, status=RunStatus.COMPLETED, ended_at=NOON)
    assert 6 not in _broken(before, LAST, Decision(run=done), a_spec("fresh", "upstream", trigger=None))
    assert _broken(before, LAST, Decision(run=shut), replace(SPEC, clock_skew=TTL)) == set(), (
        "no permit could be long enough"
    )


def test_sc_7_an_end_or_a_doubt_that_nobody_is_told_of_is_unsafe() -> None:
    """T-22, G5."""
    story = running()
    before = story.run
    event = JobFinished(at=NOON, attempt=1, succeeded=False, category=FailureCategory.PERMANENT)
    silent = replace(story.tell(event), commands=())
    assert _broken(before, event, silent) == {7}
    start = triggering()
    doubt = TriggerInDoubt(at=NOON, attempt=1, reason="dead line")
    quiet = replace(in_doubt().last, commands=())
    assert _broken(start.run, doubt, quiet) == {7}
    assert _broken(start.run, doubt, in_doubt().last) == set()


def test_sc_8_a_run_that_nothing_will_wake_is_unsafe() -> None:
    """T-60."""
    before = waiting().run
    asleep = replace(before, wake_at=None, version=before.version + 1)
    assert _broken(before, Woke(at=NOON), Decision(run=asleep)) == {8}
    assert _broken(lost().run, Woke(at=NOON), stay(lost().run)) == set()


def test_sc_9_a_start_in_doubt_that_is_repeated_is_unsafe() -> None:
    """T-08, T-10."""
    before, good = _opened()
    assert _broken(replace(before, doubt="dead line"), LAST, good) == {9}


def test_sc_9_giving_up_on_a_job_that_may_be_running_is_unsafe() -> None:
    """T-22, LAT-46."""
    story = running()
    before = story.run
    failed = JobFinished(at=NOON, attempt=1, succeeded=False)
    given_up = story.tell(failed)
    assert _broken(before, JobVanished(at=NOON, attempt=1, reason="404"), given_up) == {9}
    assert _broken(before, failed, given_up) == set()


@pytest.mark.parametrize(
    ("category", "allowed"),
    [(FailureCategory.PERMANENT, 3), (FailureCategory.TRANSIENT, 1)],
    ids=["permanent", "too often"],
)
def test_sc_10_a_retry_against_the_policy_is_unsafe(category: FailureCategory, allowed: int) -> None:
    """BUG-18, T-21."""
    story = running()
    before = story.run
    event = JobFinished(at=NOON, attempt=1, succeeded=False, category=FailureCategory.TRANSIENT)
    decision = story.tell(event)
    last = replace(decision.run.attempts[-1], category=category)
    again = Decision(run=replace(decision.run, attempts=(last,)))
    spec = replace(SPEC, retry=replace(SPEC.retry, max_attempts=allowed))
    assert _broken(before, event, again, spec) == {10}
    assert _broken(before, event, decision) == set()


def test_sc_10_a_policy_made_stricter_meanwhile_is_no_fault_of_the_runs() -> None:
    story = retrying().wakes().started().fails()
    stricter = replace(SPEC, retry=replace(SPEC.retry, max_attempts=1))
    before = story.run
    story.at = before.not_before or NOON
    event = EvaluationAsked(at=story.at, spec_digest="e" * 32)
    assert _broken(before, event, decide(before, event, stricter), stricter) == set()


def test_sc_11_a_step_that_the_table_does_not_have_is_unsafe() -> None:
    """T-12."""
    before = waiting().run
    jumped = replace(before, status=RunStatus.RUNNING, version=before.version + 1)
    assert _broken(before, Woke(at=NOON), Decision(run=jumped)) == {11}
    first = opened(a_key(), SPEC, DIGEST, NOON)
    assert _broken(None, None, first) == set()
    assert 11 in _broken(None, None, replace(first, run=replace(first.run, status=RunStatus.RUNNING)))


@pytest.mark.parametrize(
    "change",
    [
        {"key": a_key(number=2)},
        {"spec_digest": "e" * 32},
        {"opened_at": NOON + SECOND},
        {"override": FORCED},
        {"version": 99},
        {"updated_at": NOON - SECOND},
        {"attempt": 0},
        {"attempts": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_sc_12_a_history_that_is_rewritten_is_unsafe(change: dict[str, object]) -> None:
    """T-59, T-27."""
    before = retrying().run
    after = replace(before, **({"version": before.version + 1} | change))
    assert 12 in _broken(before, Woke(at=NOON), Decision(run=after))


def test_sc_12_a_waiting_run_takes_another_spec_or_an_override_only_from_who_asked() -> None:
    """T-27."""
    before = waiting().run
    event = EvaluationAsked(at=NOON + SECOND, spec_digest="e" * 32, override=FORCED)
    good = decide(before, event, SPEC)
    assert _broken(before, event, good) == set()
    other = replace(event, spec_digest="f" * 32)
    assert _broken(before, other, good) == {12}
    assert _broken(before, replace(event, override=None), good) == {12}
    forced = replace(before, override=FORCED)
    assert _broken(forced, replace(event, override=None), good) == {12}
    started = replace(before, status=RunStatus.TRIGGERING)
    assert 12 in _broken(started, event, replace(good, run=replace(good.run, status=RunStatus.TRIGGERING)))


def test_sc_12_a_run_begins_at_its_first_version() -> None:
    first = opened(a_key(), SPEC, DIGEST, NOON)
    assert _broken(None, None, replace(first, run=replace(first.run, attempt=1))) == {12}


def test_the_constraints_are_numbered_and_of_all_four_kinds() -> None:
    assert [constraint.number for constraint in CONSTRAINTS] == list(range(1, len(CONSTRAINTS) + 1))
    assert {constraint.kind for constraint in CONSTRAINTS} == set(Kind)
    assert str(CONSTRAINTS[0]).startswith("SC-1 (given wrongly): a job starts only on fresh passes")
