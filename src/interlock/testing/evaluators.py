"""Test your own evaluators: ask them as Interlock does, and assert on the answer.

from interlock.testing.evaluators import assert_fails, assert_passes, run_evaluator

def test_a_lag_of_a_minute_is_fine() -> None:
    assert_passes(run_evaluator("evaluators/check-freshness", config={"maxLagSeconds": 60}))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from interlock.codec.documents import document, mapping
from interlock.core.ids import PipelineName, ScheduleName, Slot, TraitName
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory, Origin, TraitSpec, TraitStatus
from interlock.evaluators.inprocess import call
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.evaluators.workers import Workers
from interlock.ports.evaluators import Answer, Question

DEFAULT_DATE = "2026-03-07"


def a_question(
    *evaluator: str,
    config: Mapping[str, Any] | None = None,
    pipeline: str = "example",
    schedule: str = "daily",
    date: str = DEFAULT_DATE,
    run_id: str = "",
    trait: str = "source-freshness",
    ttl: timedelta = timedelta(),
) -> Question:
    """Make a question, with a sensible value for everything that does not matter."""
    return Question(
        trait=TraitSpec(name=TraitName(trait), evaluator=evaluator, config=document(config or {}), ttl=ttl),
        slot=Slot(PipelineName(pipeline), ScheduleName(schedule), Period.parse(date)),
        run_id=run_id,
    )


def run_evaluator(
    target: str | os.PathLike[str] | Callable[..., object],
    *arguments: str,
    root: str | os.PathLike[str] = ".",
    env_allow: Sequence[str] = (),
    timeout: float = 30.0,
    **about: Any,
) -> Answer:
    """Ask an evaluator once and return its answer, exactly as Interlock would see it.

    Args:
        target: a program, by its path relative to `root` or absolute; or a function, decorated or plain.
        arguments: arguments of the program.
        root: the project's directory.
        env_allow: names of environment variables that the program gets to see.
        timeout: in seconds.
        about: `config`, `pipeline`, `schedule`, `date`, `run_id` and `trait`, as for `a_question`.
    """
    span = timedelta(seconds=timeout)
    if callable(target):
        function = target
        question = a_question("python:under:test", **about)
        return Workers().answer(lambda: call(function, question), what="the function", timeout=span)
    question = a_question(os.fspath(target), *arguments, **about)
    return SubprocessEvaluator(Path(root), env_allow=env_allow).evaluate(question, timeout=span)


def assert_passes(answer: Answer, **measured: Any) -> None:
    """Assert that the answer is PASS, with at least these measurements."""
    _assert(answer, TraitStatus.PASS, measured)


def assert_fails(answer: Answer, *, because: str = "", **measured: Any) -> None:
    """Assert that the evaluator itself said FAIL, with `because` in its reason and at least these measurements."""
    if answer.origin is Origin.RUNNER:
        raise AssertionError(f"the evaluator gave no answer: {_described(answer)}")
    _assert(answer, TraitStatus.FAIL, measured)
    if because not in answer.reason:
        raise AssertionError(f"{because!r} is not in the reason {answer.reason!r}")


def assert_could_not_tell(answer: Answer, *, category: FailureCategory | str | None = None) -> None:
    """Assert that nobody knows: the evaluator said ERROR, or no answer could be had from it."""
    if answer.status is not TraitStatus.ERROR and answer.origin is not Origin.RUNNER:
        raise AssertionError(f"the evaluator gave an answer: {_described(answer)}")
    if category is not None and answer.category != category:
        raise AssertionError(f"expected category {category}, got {_described(answer)}")


def _assert(answer: Answer, status: TraitStatus, measured: Mapping[str, Any]) -> None:
    if answer.status is not status:
        raise AssertionError(f"expected {status}, got {_described(answer)}")
    found = mapping(answer.value) if answer.value is not None else {}
    wrong = {key: found.get(key) for key, value in measured.items() if key not in found or found[key] != value}
    if wrong:
        raise AssertionError(f"expected measurements {dict(measured)}, got {found}")


def _described(answer: Answer) -> str:
    category = f" ({answer.category})" if answer.category else ""
    return f"{answer.status}{category}: {answer.reason or 'no reason'}"
