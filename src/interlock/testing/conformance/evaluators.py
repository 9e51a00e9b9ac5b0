"""What every adapter that asks evaluators promises.

Subclass `EvaluatorContract` and say in `asked` how your transport reaches an evaluator that behaves in a given way.
"""

from __future__ import annotations

import enum
import time
from datetime import timedelta

import pytest

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer, Evaluator, Question

PLENTY = timedelta(seconds=20)
BRIEF = timedelta(milliseconds=600)


class Behaviour(enum.Enum):
    """What an evaluator at the other end does."""

    PASSES = '{"status": "PASS", "value": {"lagSeconds": 45}, "reason": "fresh"}'
    FAILS = '{"status": "FAIL", "reason": "400 s behind", "failureCategory": "TRANSIENT"}'
    STALE = '{"status": "STALE"}'
    ERRS = '{"status": "ERROR", "reason": "source unreachable", "failureCategory": "TRANSIENT"}'
    LOWERCASE = '{"status": "pass"}'
    LIST = '[{"status": "PASS"}]'
    TWICE = '{"status": "FAIL", "status": "PASS"}'
    ECHO = "answers PASS with what it was sent as `value`"
    CRASH = "raises, dies or answers 500"
    HANGS = "never answers"
    MISSING = "does not exist"


class EvaluatorContract:
    """The suite. An adapter proves itself by subclassing it and overriding `asked`."""

    def asked(self, behaviour: Behaviour) -> tuple[Evaluator, Question]:
        """Return an evaluator and a question that reaches something which behaves so.

        The question must carry the config `{"maxLagSeconds": 300}` and be about the pipeline `example`.
        """
        raise AssertionError(f"{type(self).__name__} does not say how to reach one that {behaviour.name}")

    def ask(self, behaviour: Behaviour, timeout: timedelta = PLENTY) -> Answer:
        """Ask one that behaves so."""
        evaluator, question = self.asked(behaviour)
        return evaluator.evaluate(question, timeout=timeout)

    def test_a_pass_keeps_its_value_and_reason(self) -> None:
        """What was measured reaches the controller as it was said."""
        answer = self.ask(Behaviour.PASSES)
        assert answer.status is TraitStatus.PASS
        assert answer.origin is Origin.EVALUATOR
        assert answer.value is not None
        assert mapping(answer.value) == {"lagSeconds": 45}
        assert answer.reason == "fresh"
        assert answer.category is None

    def test_an_honest_fail_is_the_evaluators_own(self) -> None:
        """Data that are not ready are never mixed up with an evaluator that does not work."""
        answer = self.ask(Behaviour.FAILS)
        assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)
        assert answer.category is FailureCategory.TRANSIENT
        assert answer.reason == "400 s behind"

    @pytest.mark.parametrize(
        ("behaviour", "status"), [(Behaviour.STALE, TraitStatus.STALE), (Behaviour.ERRS, TraitStatus.ERROR)]
    )
    def test_the_other_two_statuses_are_passed_on(self, behaviour: Behaviour, status: TraitStatus) -> None:
        """STALE and ERROR are words that an evaluator may say."""
        assert self.ask(behaviour).status is status

    @pytest.mark.parametrize("behaviour", [Behaviour.LOWERCASE, Behaviour.LIST, Behaviour.TWICE])
    def test_a_malformed_answer_is_a_permanent_failure_of_the_runner(self, behaviour: Behaviour) -> None:
        """Fail closed, and say what was wrong."""
        answer = self.ask(behaviour)
        assert answer.status is TraitStatus.FAIL
        assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
        assert answer.reason

    def test_the_evaluator_is_sent_envelope_and_config(self) -> None:
        """Evaluators that read `.config.x` and evaluators that read `.x` both work."""
        answer = self.ask(Behaviour.ECHO)
        assert answer.value is not None
        sent = mapping(answer.value)
        assert sent["pipelineID"] == sent["pipelineId"] == "example"
        assert sent["config"] == {"maxLagSeconds": 300}
        assert sent["maxLagSeconds"] == 300

    def test_a_crash_is_no_answer(self) -> None:
        """Nobody knows, so it is not a PASS and not the evaluator's own FAIL."""
        answer = self.ask(Behaviour.CRASH)
        assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
        assert answer.category in (FailureCategory.TRANSIENT, FailureCategory.EVALUATOR_CRASH)

    def test_one_that_hangs_is_given_up_at_the_deadline(self) -> None:
        """The deadline is the caller's, whatever the evaluator does."""
        started = time.monotonic()
        answer = self.ask(Behaviour.HANGS, BRIEF)
        assert time.monotonic() - started < BRIEF.total_seconds() + 2
        assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
        assert answer.category is FailureCategory.TIMEOUT

    def test_one_that_does_not_exist_is_a_permanent_failure(self) -> None:
        """Asking again does not help; a person must mend it."""
        answer = self.ask(Behaviour.MISSING)
        assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
        assert answer.category is FailureCategory.PERMANENT
