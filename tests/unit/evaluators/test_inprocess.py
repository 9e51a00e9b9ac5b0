"""Laws of evaluators that are Python functions in this process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.inprocess import InProcessEvaluator
from interlock.evaluators.workers import Workers, raised, too_late
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question

CHECKS = """
import sys, time
from interlock.evaluator import FAIL, PASS, Ask, evaluator

def as_dict(asked):
    return {"status": "PASS", "value": {"lag": asked["maxLagSeconds"]}}

def as_word(asked):
    return PASS

def as_verdict(asked):
    return FAIL("behind", lag=5)

@evaluator
def decorated(config, ask: Ask):
    return PASS(trait=ask.trait, lag=config["maxLagSeconds"])

def raises(asked):
    raise KeyError("lag\\n\\x1b[31m" + "x" * 9000)

def exits(asked):
    sys.exit(0)

def says_true(asked):
    return True

async def asynchronous(asked):
    return {"status": "PASS"}

def spoils(asked):
    asked["config"].clear()
    return {"status": "PASS"}

def hangs(asked):
    time.sleep(1.5)
    return {"status": "PASS"}

NUMBER = 3
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    name = f"checks_{abs(hash(str(tmp_path))):x}"
    (tmp_path / f"{name}.py").write_text(CHECKS)
    (tmp_path / "broken_import_of_ours.py").write_text("1 / 0\n")
    (tmp_path / "needy_import_of_ours.py").write_text("import no_such_library\n")
    yield tmp_path
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def ask(project: Path, function: str, timeout: float = 20.0) -> Answer:
    name = next(project.glob("checks_*.py")).stem
    target = function if ":" in function or not function.isidentifier() else f"python:{name}:{function}"
    runner = InProcessEvaluator(project)
    return runner.evaluate(a_question(target, config={"maxLagSeconds": 300}), timeout=timedelta(seconds=timeout))


@pytest.mark.parametrize("function", ["as_dict", "as_word", "decorated"])
def test_a_function_may_answer_as_it_likes(project: Path, function: str) -> None:
    answer = ask(project, function)
    assert (answer.status, answer.origin) == (TraitStatus.PASS, Origin.EVALUATOR), answer.reason


def test_a_verdict_keeps_reason_and_measurements(project: Path) -> None:
    answer = ask(project, "as_verdict")
    assert (answer.status, answer.reason) == (TraitStatus.FAIL, "behind")
    assert answer.value is not None
    assert answer.value.text == '{"lag":5}'


def test_an_exception_is_a_crash_with_its_type_and_a_bounded_message(project: Path) -> None:
    """BUG-12."""
    answer = ask(project, "raises")
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
    assert answer.category is FailureCategory.EVALUATOR_CRASH
    assert "raised KeyError" in answer.reason
    assert answer.reason.isprintable()
    assert len(answer.reason.encode()) <= 4096


def test_an_exit_of_the_function_is_not_the_exit_of_interlock(project: Path) -> None:
    answer = ask(project, "exits")
    assert answer.category is FailureCategory.EVALUATOR_CRASH
    assert "SystemExit" in answer.reason


@pytest.mark.parametrize(("function", "word"), [("says_true", "bool"), ("asynchronous", "coroutine")])
def test_something_else_than_an_answer_is_a_protocol_error(project: Path, function: str, word: str) -> None:
    """T-25."""
    answer = ask(project, function)
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.PERMANENT)
    assert word in answer.reason


def test_a_function_cannot_spoil_the_config_of_the_next_call(project: Path) -> None:
    """T-115."""
    question = a_question("python:x:y", config={"maxLagSeconds": 300})
    ask(project, "spoils")
    assert ask(project, "as_dict").status is TraitStatus.PASS
    assert question.trait.config.text == '{"maxLagSeconds":300}'


@pytest.mark.parametrize(
    ("target", "fragment"),
    [
        ("python:no_such_module_at_all:f", "there is no module 'no_such_module_at_all'"),
        ("python:broken_import_of_our:f", "did you mean 'broken_import_of_ours'"),
        ("python:broken_import_of_ours:f", "cannot be imported: ZeroDivisionError"),
        ("python:needy_import_of_ours:f", "needs 'no_such_library', which is not installed"),
        ("python:json:JSONDecodr", "did you mean 'JSONDecoder'?"),
        ("python:json:decoder", "is module and not a function"),
        ("python:json", "not of the form python:module:function"),
        ("python:../x:f", "not of the form python:module:function"),
        ("python::f", "not of the form python:module:function"),
    ],
)
def test_a_function_that_cannot_be_found_is_a_permanent_failure(project: Path, target: str, fragment: str) -> None:
    answer = ask(project, target)
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
    assert answer.category is FailureCategory.PERMANENT
    assert fragment in answer.reason


def test_a_function_that_hangs_is_abandoned_at_the_deadline(project: Path) -> None:
    started = time.monotonic()
    answer = ask(project, "hangs", timeout=0.2)
    assert time.monotonic() - started < 1.2
    assert answer.category is FailureCategory.TIMEOUT


def test_abandoned_functions_are_bounded() -> None:
    release = threading.Event()
    workers = Workers(most=2)
    brief = timedelta(milliseconds=10)

    def hang() -> Answer:
        release.wait(30)
        return too_late("x", brief)

    try:
        for _ in range(2):
            assert workers.answer(hang, what="it", timeout=brief).category is FailureCategory.TIMEOUT
        refused = workers.answer(hang, what="it", timeout=brief)
        assert refused.category is FailureCategory.TRANSIENT
        assert "2 earlier calls have not come back" in refused.reason
    finally:
        release.set()


def test_an_unknown_exception_is_a_crash() -> None:
    assert raised("it", RuntimeError("x")).category is FailureCategory.EVALUATOR_CRASH
