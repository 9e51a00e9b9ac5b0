"""What every check must do that runs inside Interlock. Subclass `CheckContract`, give it a `bench` fixture, and run pytest.

The suite for adapters that ask evaluators of other people is `interlock.testing.conformance.evaluators`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import pytest

from interlock.codec.documents import mapping
from interlock.core.ids import PipelineName, ScheduleName, Slot, TraitName
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory, Origin, TraitSpec, TraitStatus
from interlock.evaluators.context import Check
from interlock.ports.evaluators import Answer, Question

TIMEOUT: Final = timedelta(seconds=20)
PERIOD: Final = "2026-03-07"


class CheckBench(Protocol):
    """A check, and a world that it looks at, which is about the period `PERIOD`."""

    def good(self) -> Check:
        """Return a check whose world is as it should be."""
        ...

    def bad(self) -> Check:
        """Return a check that finds something wrong."""
        ...

    def blind(self) -> Check:
        """Return a check that cannot tell: what it would look at is not there, or does not answer."""
        ...


def a_question(period: str = PERIOD) -> Question:
    """Return a question for tests; the check has its configuration already."""
    trait = TraitSpec(name=TraitName("check"), evaluator=("builtin:check",))
    return Question(trait=trait, slot=Slot(PipelineName("example"), ScheduleName("daily"), Period.parse(period)))


class CheckContract:
    """The laws of a check, each a test."""

    @pytest.fixture
    def bench(self) -> CheckBench:
        """Override this with a bench of your check."""
        raise RuntimeError("CheckContract needs a `bench` fixture")

    def test_what_is_as_it_should_be_passes(self, bench: CheckBench) -> None:
        """Plainly, and as its own word."""
        answer = bench.good().evaluate(a_question(), timeout=TIMEOUT)
        assert (answer.status, answer.origin, answer.category) == (TraitStatus.PASS, Origin.EVALUATOR, None)

    def test_what_is_wrong_fails_and_says_why(self, bench: CheckBench) -> None:
        """An honest no is the check's own, and is told to whoever is woken up."""
        answer = bench.bad().evaluate(a_question(), timeout=TIMEOUT)
        assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)
        assert answer.reason

    def test_who_cannot_tell_does_not_pass(self, bench: CheckBench) -> None:
        """It raises, which the runner makes "could not tell" of; or says ERROR, or FAIL, with a reason."""
        try:
            answer = bench.blind().evaluate(a_question(), timeout=TIMEOUT)
        except Exception:  # noqa: BLE001  (whatever it is: a check may raise)
            answer = Answer(status=TraitStatus.ERROR, reason="raised", category=FailureCategory.TRANSIENT)
        assert answer.status in (TraitStatus.ERROR, TraitStatus.FAIL)
        assert answer.reason
        assert answer.status is not TraitStatus.ERROR or answer.category is not None

    def test_what_was_measured_can_be_kept(self, bench: CheckBench) -> None:
        """A value is JSON, or there is none."""
        for check in (bench.good(), bench.bad()):
            value = check.evaluate(a_question(), timeout=TIMEOUT).value
            assert value is None or isinstance(mapping(value), dict)

    def test_it_can_be_asked_again_and_by_many_at_once(self, bench: CheckBench) -> None:
        """Nothing is left behind by a question that changes the next answer."""
        check = bench.good()
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(check.evaluate, a_question(), timeout=TIMEOUT) for _ in range(8)]
        assert {call.result().status for call in calls} == {TraitStatus.PASS}

    def test_a_period_of_long_ago_gets_an_answer_too(self, bench: CheckBench) -> None:
        """What was missed is made up for: a check may say no to an old period, and does not stumble over it."""
        began = monotonic()
        answer = bench.good().evaluate(a_question("1999-01-02"), timeout=TIMEOUT)
        assert answer.status in (TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.STALE, TraitStatus.ERROR)
        assert monotonic() - began < TIMEOUT.total_seconds()
