from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.readiness import ALL_REQUIRED, Readiness, ReadinessRule, ReadinessStatus, RuleType, assess
from interlock.core.traits import TraitResult, TraitSpec, TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_trait, no_answer

PASS, FAIL, STALE, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.STALE, TraitStatus.ERROR
NAMES = ("aa", "bb", "cc", "dd")
TICK = timedelta(microseconds=1)


def _traits(*names: str, optional: tuple[str, ...] = ()) -> tuple[TraitSpec, ...]:
    return tuple(a_trait(name, required=name not in optional) for name in (*names, *optional))


def _rules(required: int) -> st.SearchStrategy[ReadinessRule]:
    return st.sampled_from(
        [
            ALL_REQUIRED,
            ReadinessRule(type=RuleType.MAJORITY_PASS),
            *(ReadinessRule(type=RuleType.AT_LEAST, threshold=n) for n in range(1, required + 1)),
        ]
    )


ttls = st.none() | st.integers(1, 120).map(lambda n: n * SECOND)


def _answers(*statuses: TraitStatus) -> st.SearchStrategy[tuple[TraitResult, ...]]:
    one = st.builds(a_result, st.sampled_from(NAMES), st.sampled_from(statuses), ttl=ttls)
    return st.lists(one, max_size=4, unique_by=lambda result: result.trait).map(tuple)


results = _answers(*TraitStatus)
passes = st.tuples(*(st.builds(a_result, st.just(name), st.just(PASS), ttl=ttls) for name in NAMES[:3]))
instants = st.integers(0, 130).map(lambda n: NOON + n * SECOND)


def _assessed(rule: ReadinessRule, found: tuple[TraitResult, ...], at: datetime) -> Readiness:
    return assess(_traits("aa", "bb", "cc", optional=("dd",)), rule, found, at)


def test_all_required_traits_must_pass_and_optional_ones_never_block() -> None:
    traits = _traits("aa", "bb", optional=("cc",))
    found = (a_result("aa"), a_result("bb"), a_result("cc", FAIL))
    assert assess(traits, ALL_REQUIRED, found, NOON).status is ReadinessStatus.READY
    one_short = assess(traits, ALL_REQUIRED, found[::2], NOON)
    assert one_short.status is ReadinessStatus.NOT_READY
    assert one_short.blocking == ("bb",)
    assert [v.reason for v in one_short.verdicts if v.trait == "bb"] == ["never evaluated"]


@pytest.mark.parametrize("status", [FAIL, STALE, ERROR])
def test_nothing_but_a_pass_opens_the_gate(status: TraitStatus) -> None:
    """T-25."""
    readiness = assess(_traits("aa"), ALL_REQUIRED, (a_result("aa", status, reason="because"),), NOON)
    assert not readiness.ready
    assert readiness.blocking == ("aa",)
    assert readiness.verdicts[0].reason == "because"


def test_an_expired_pass_counts_as_stale() -> None:
    readiness = assess(_traits("aa"), ALL_REQUIRED, (a_result("aa", ttl=MINUTE),), NOON + MINUTE)
    assert readiness.verdicts[0].status is STALE
    assert readiness.blocking == ("aa",)
    assert not readiness.undecided


@given(st.data(), results | passes, instants)
def test_one_more_pass_never_closes_the_gate(data: st.DataObject, found: tuple[TraitResult, ...], at: datetime) -> None:
    rule = data.draw(_rules(3))
    ready = _assessed(rule, found, at).ready
    name = data.draw(st.sampled_from(NAMES))
    more = (*(result for result in found if result.trait != name), a_result(name))
    assert _assessed(rule, more, at).ready >= ready


@given(st.data(), passes, instants)
def test_ready_holds_until_exactly_the_instant_it_names(
    data: st.DataObject, found: tuple[TraitResult, ...], at: datetime
) -> None:
    rule = data.draw(_rules(3))
    readiness = _assessed(rule, found, at)
    if not readiness.ready:
        return
    if readiness.valid_until is None:
        assert _assessed(rule, found, NOON + timedelta(days=9)).ready
        return
    assert at < readiness.valid_until
    assert _assessed(rule, found, readiness.valid_until - TICK).ready
    assert not _assessed(rule, found, readiness.valid_until).ready


@given(st.data(), results, instants)
def test_undecided_means_that_the_unknown_could_have_made_it_ready(
    data: st.DataObject, found: tuple[TraitResult, ...], at: datetime
) -> None:
    """T-112."""
    rule = data.draw(_rules(3))
    readiness = _assessed(rule, found, at)
    hoped = tuple(a_result(r.trait) if r.trait in readiness.errors else r for r in found)
    assert readiness.undecided == (not readiness.ready and _assessed(rule, hoped, at).ready)


@given(st.data(), results, instants)
def test_blocking_names_every_required_trait_that_did_not_pass(
    data: st.DataObject, found: tuple[TraitResult, ...], at: datetime
) -> None:
    """BUG-20."""
    readiness = _assessed(data.draw(_rules(3)), found, at)
    missing = tuple(v.trait for v in readiness.verdicts if v.required and v.status is not PASS)
    assert readiness.blocking == (() if readiness.ready else missing)


def test_errors_lists_what_could_not_be_asked_even_when_ready() -> None:
    """BUG-10, T-112."""
    traits = _traits("aa", optional=("bb",))
    readiness = assess(traits, ALL_REQUIRED, (a_result("aa"), no_answer("bb")), NOON)
    assert readiness.ready
    assert readiness.errors == ("bb",)
    assert not readiness.undecided


def test_a_no_beside_an_unknown_is_a_no() -> None:
    readiness = assess(_traits("aa", "bb"), ALL_REQUIRED, (a_result("aa", FAIL), no_answer("bb")), NOON)
    assert readiness.errors == ("bb",)
    assert not readiness.undecided


@pytest.mark.parametrize(("required", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_more_than_half(required: int, majority: int) -> None:
    """T-101."""
    assert ReadinessRule(type=RuleType.MAJORITY_PASS).needed(required) == majority


@pytest.mark.parametrize(
    ("rule", "required"),
    [
        (ReadinessRule(type=RuleType.AT_LEAST), 3),
        (ReadinessRule(type=RuleType.AT_LEAST, threshold=0), 3),
        (ReadinessRule(type=RuleType.AT_LEAST, threshold=4), 3),
        (ReadinessRule(type=RuleType.AT_LEAST, threshold=1), 0),
        (ReadinessRule(type=RuleType.MAJORITY_PASS, threshold=2), 4),
        (ReadinessRule(type=RuleType.MAJORITY_PASS, threshold=5), 4),
        (ReadinessRule(type=RuleType.MAJORITY_PASS), 0),
        (ReadinessRule(type=RuleType.ALL_REQUIRED_PASS, threshold=1), 2),
    ],
)
def test_a_threshold_that_makes_no_sense_is_an_error(rule: ReadinessRule, required: int) -> None:
    """T-101."""
    with pytest.raises(ValueError, match="threshold"):
        rule.needed(required)


def test_a_threshold_may_ask_for_more_than_a_majority() -> None:
    assert ReadinessRule(type=RuleType.MAJORITY_PASS, threshold=4).needed(4) == 4
    assert ReadinessRule(type=RuleType.AT_LEAST, threshold=1).needed(4) == 1


def test_at_least_two_of_three_holds_until_the_second_latest_expires() -> None:
    rule = ReadinessRule(type=RuleType.AT_LEAST, threshold=2)
    found = (a_result("aa", ttl=MINUTE), a_result("bb", ttl=3 * MINUTE), a_result("cc", ttl=2 * MINUTE))
    assert _assessed(rule, found, NOON).valid_until == NOON + 2 * MINUTE
