from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.core.traits import FailureCategory
from interlock.ports.triggers import JobReport, JobState
from interlock.testing.conformance.triggers import TIMEOUT, a_job, the_end
from interlock.triggers.context import TriggerContext
from interlock.triggers.python import PythonConfig, PythonTrigger

MODULE = """
import http, os, sys
class Hopeless(Exception):
    permanent = True
def add(a, b=1):
    return {"sum": a + b}
def fail():
    raise OSError("disk on fire")
def give_up():
    raise Hopeless("the table was dropped")
def leave(code):
    sys.exit(code)
async def later():
    return "async"
def unspeakable():
    return object()
def large():
    return "x" * 100_000
def standard():
    return http.HTTPStatus.OK.phrase + os.environ["INTERLOCK_RUN_ID"]
class Jobs:
    @staticmethod
    def nested():
        return [1]
constant = 3
"""


def run(root: Path, **keys: Any) -> JobReport:
    (root / "jobs").mkdir()
    (root / "jobs" / "__init__.py").write_text(MODULE)
    (root / "broken.py").write_text("raise ValueError('at import')")
    context = TriggerContext(state_dir=root / ".interlock", root=root)
    trigger = PythonTrigger(msgspec.convert(keys, PythonConfig), context)
    return the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))


@pytest.mark.parametrize(
    ("target", "args", "reason"),
    [
        ("jobs:add", {"a": 1, "b": 2}, 'returned {"sum": 3}'),
        ("jobs:add", {"a": 1}, 'returned {"sum": 2}'),
        ("jobs:later", {}, 'returned "async"'),
        ("jobs:Jobs.nested", {}, "returned [1]"),
        ("jobs:unspeakable", {}, ""),
        ("jobs:large", {}, ""),
        ("jobs:leave", {"code": 0}, ""),
        ("jobs:standard", {}, 'returned "OKdaily-sales:daily:2026-03-07:1"'),
    ],
)
def test_what_a_function_returns_is_told(tmp_path: Path, target: str, args: dict[str, Any], reason: str) -> None:
    report = run(tmp_path, callable=target, args=args)
    assert (report.state, report.reason) == (JobState.SUCCEEDED, reason)


@pytest.mark.parametrize(
    ("target", "args", "category", "words"),
    [
        ("jobs:fail", {}, FailureCategory.TRANSIENT, "OSError: disk on fire"),
        ("jobs:leave", {"code": 5}, FailureCategory.TRANSIENT, "exit status 5"),
        ("jobs:give_up", {}, FailureCategory.PERMANENT, "the table was dropped"),
        ("jobs:missing", {}, FailureCategory.PERMANENT, "missing"),
        ("jobs:constant", {}, FailureCategory.PERMANENT, "not callable"),
        ("jobs:add", {"c": 1}, FailureCategory.PERMANENT, "argument"),
        ("nowhere:add", {}, FailureCategory.PERMANENT, "nowhere"),
        ("broken:add", {}, FailureCategory.PERMANENT, "at import"),
    ],
)
def test_how_a_function_fails_decides_whether_another_try_can_help(
    tmp_path: Path, target: str, args: dict[str, Any], category: FailureCategory, words: str
) -> None:
    report = run(tmp_path, callable=target, args=args)
    assert (report.state, report.category) == (JobState.FAILED, category)
    assert words in report.reason


@pytest.mark.parametrize("target", ["", "jobs", "jobs:", ":add", "jobs:add()", "jobs/x:add", "os;x:y", "a:b:c"])
def test_what_is_no_function_is_refused_at_once(target: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"callable": target}, PythonConfig)


def test_arguments_are_not_shown_to_whoever_lists_processes(tmp_path: Path) -> None:
    (tmp_path / "peek.py").write_text("def peek(secret):\n    return open('/proc/self/cmdline').read().count(secret)")
    context = TriggerContext(state_dir=tmp_path / ".interlock", root=tmp_path)
    made = PythonConfig(callable="peek:peek", args={"secret": "hunter2"})
    trigger = PythonTrigger(made, context)
    report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
    assert report.reason == "returned 0"
