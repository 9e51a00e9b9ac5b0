"""Laws of pushed results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock.core.ids import PipelineName, ScheduleName, TraitName
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.errors import StoreUnavailable
from interlock.evaluators.push import PushEvaluator
from interlock.ports.evaluators import Answer
from interlock.ports.pushes import PushedResult
from interlock.testing.evaluators import a_question

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Kept:
    """A shelf for pushed results, and a clock that stands at noon."""

    def __init__(self, *results: PushedResult) -> None:
        self.results = results

    def now(self) -> datetime:
        return NOON

    def get_push(self, pipeline: PipelineName, trait: TraitName) -> tuple[PushedResult, ...]:
        return self.results if pipeline == "example" else ()

    def put_push(self, pipeline: PipelineName, pushed: PushedResult) -> None:
        self.results += (pushed,)


def pushed(
    status: TraitStatus = TraitStatus.PASS, *, ago: timedelta = timedelta(minutes=10), **more: Any
) -> PushedResult:
    more.setdefault("ttl", HOUR)
    return PushedResult(trait=TraitName("source-freshness"), status=status, pushed_at=NOON - ago, **more)


def ask(*results: PushedResult, **about: Any) -> Answer:
    kept = Kept(*results)
    return PushEvaluator(kept, kept).evaluate(a_question("push", **about), timeout=HOUR)


def test_nothing_pushed_is_stale_and_not_an_error() -> None:
    """T-120."""
    answer = ask()
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.STALE, Origin.PUSH, None)
    assert "nothing was pushed" in answer.reason


def test_a_push_is_believed_for_the_rest_of_its_life() -> None:
    """T-120."""
    answer = ask(pushed(reason="loaded"))
    assert (answer.status, answer.origin, answer.reason) == (TraitStatus.PASS, Origin.PUSH, "loaded")
    assert answer.ttl == timedelta(minutes=50)


@pytest.mark.parametrize(
    ("ago", "status"), [(HOUR - timedelta(microseconds=1), TraitStatus.PASS), (HOUR, TraitStatus.STALE)]
)
def test_the_boundary_of_its_life_belongs_to_stale(ago: timedelta, status: TraitStatus) -> None:
    assert ask(pushed(ago=ago)).status is status


def test_an_expired_push_says_how_old_it_is() -> None:
    assert "pushed 2h ago and was good for 1h" in ask(pushed(ago=2 * HOUR)).reason


def test_a_push_that_names_a_slot_counts_for_that_slot_alone() -> None:
    it = pushed(schedule=ScheduleName("h13"), period=Period("2026-03-07T13:00"))
    assert ask(it, schedule="h13", date="2026-03-07T13:00").status is TraitStatus.PASS
    assert ask(it, schedule="h14", date="2026-03-07T13:00").status is TraitStatus.STALE
    assert ask(it, schedule="h13", date="2026-03-08T13:00").status is TraitStatus.STALE


def test_the_newest_that_fits_counts() -> None:
    old = pushed(TraitStatus.PASS, ago=HOUR / 2)
    new = pushed(TraitStatus.FAIL, ago=HOUR / 4)
    elsewhere = pushed(TraitStatus.PASS, ago=HOUR / 8, schedule=ScheduleName("other"))
    assert ask(old, new, elsewhere).status is TraitStatus.FAIL
    assert ask(elsewhere, new, old).status is TraitStatus.FAIL


def test_without_a_ttl_of_its_own_the_traits_counts() -> None:
    assert ask(pushed(ttl=None), ttl=HOUR).ttl == timedelta(minutes=50)
    assert ask(pushed(ttl=None), ttl=timedelta(minutes=5)).status is TraitStatus.STALE


def test_without_any_ttl_only_a_push_about_its_own_period_lives_on() -> None:
    assert ask(pushed(ttl=None)).status is TraitStatus.STALE
    lasting = ask(pushed(ttl=None, period=Period("2026-03-07"), ago=100 * HOUR))
    assert (lasting.status, lasting.ttl) == (TraitStatus.PASS, None)


def test_a_push_from_the_future_is_not_believed() -> None:
    """LAT-13."""
    assert ask(pushed(ago=-timedelta(seconds=30))).ttl == HOUR
    answer = ask(pushed(ago=-timedelta(minutes=2)))
    assert (answer.status, answer.category) == (TraitStatus.ERROR, FailureCategory.PERMANENT)


def test_a_store_that_does_not_answer_is_could_not_tell() -> None:
    class Broken(Kept):
        def get_push(self, pipeline: PipelineName, trait: TraitName) -> tuple[PushedResult, ...]:
            raise StoreUnavailable("connection refused")

    answer = PushEvaluator(Broken(), Broken()).evaluate(a_question("push"), timeout=HOUR)
    assert (answer.status, answer.origin, answer.category) == (
        TraitStatus.FAIL,
        Origin.RUNNER,
        FailureCategory.TRANSIENT,
    )


def test_a_pushed_error_has_a_category() -> None:
    """BUG-12."""
    assert ask(pushed(TraitStatus.ERROR)).category is FailureCategory.TRANSIENT
