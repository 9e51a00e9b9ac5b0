"""Which category every kind of trouble has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question

BODIES = {
    FailureCategory.TRANSIENT: "exit 1",
    FailureCategory.PERMANENT: "exit 2",
    FailureCategory.TIMEOUT: "sleep 30",
    FailureCategory.EVALUATOR_CRASH: "kill -SEGV $$",
}


def answer(tmp_path: Path, body: str) -> Answer:
    script = tmp_path / "check"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return SubprocessEvaluator(tmp_path).evaluate(a_question("./check"), timeout=timedelta(seconds=1))


@pytest.mark.parametrize("category", list(FailureCategory))
def test_every_category_that_is_declared_is_really_produced(category: FailureCategory, tmp_path: Path) -> None:
    """BUG-111."""
    found = answer(tmp_path, BODIES[category])
    assert (found.origin, found.category) == (Origin.RUNNER, category)


def test_words_on_stderr_are_no_failure(tmp_path: Path) -> None:
    """BUG-114."""
    found = answer(tmp_path, """echo "ERROR FATAL warning: deprecated" >&2; echo '{"status": "PASS"}'""")
    assert (found.status, found.origin) == (TraitStatus.PASS, Origin.EVALUATOR)
