"""Laws of the router: each evaluator goes where its first word says, and nothing escapes as an exception."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.evaluators.programs import BASH, PASS, write
from tests.unit.evaluators.servers import serving
from tests.unit.evaluators.worlds import NOON, World

from interlock.core.ids import PipelineName, TraitName
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.builtin.files import FileFreshness
from interlock.evaluators.push import PushEvaluator
from interlock.ports.evaluators import Answer
from interlock.ports.pushes import PushedResult


def is_runner_trouble(answer: Answer, category: FailureCategory) -> bool:
    return (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.RUNNER, category)


@pytest.mark.parametrize("evaluator", [(), ("",), ("  ",)])
def test_a_trait_without_evaluator_is_an_error_of_configuration(tmp_path: Path, evaluator: tuple[str, ...]) -> None:
    """BUG-11."""
    answer = World(tmp_path).ask(*evaluator)
    assert is_runner_trouble(answer, FailureCategory.PERMANENT)
    assert "no evaluator is configured for the trait source-freshness" in answer.reason


def test_an_unknown_builtin_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    answer = World(tmp_path).ask("builtin:file-freshnes")
    assert is_runner_trouble(answer, FailureCategory.PERMANENT)
    assert "did you mean 'file-freshness'?" in answer.reason


def test_a_builtin_config_is_strict_and_the_answer_names_the_key(tmp_path: Path) -> None:
    world = World(tmp_path)
    for config, key in (
        ({"path": "x", "maxage": "5m"}, "maxage"),
        ({}, "path"),
        ({"path": "x", "minCount": 0}, "minCount"),
        ({"path": "x", "maxAge": "soon"}, "maxAge"),
        ({"path": "x", "maxAge": -5}, "maxAge"),
    ):
        answer = world.ask("builtin:file-freshness", config=config)
        assert is_runner_trouble(answer, FailureCategory.PERMANENT)
        assert f"`{key}`" in answer.reason or f"{key}:" in answer.reason


def test_push_goes_to_what_was_pushed(tmp_path: Path) -> None:
    """T-120."""
    world = World(tmp_path)
    assert world.ask("push").status is TraitStatus.STALE
    result = PushedResult(
        trait=TraitName("source-freshness"), status=TraitStatus.PASS, pushed_at=NOON, ttl=timedelta(minutes=1)
    )
    world.put_push(PipelineName("example"), result)
    assert world.ask("push").status is TraitStatus.PASS


def test_a_path_goes_to_a_program_even_when_a_base_url_is_set(tmp_path: Path) -> None:
    write(tmp_path, BASH + PASS, "evaluators/check")
    world = World(tmp_path, base_url="http://127.0.0.1:9")
    assert world.ask("check").status is TraitStatus.PASS
    assert world.clients == 0


def test_a_path_without_a_file_is_posted_to_the_base_url(tmp_path: Path) -> None:
    with serving(lambda request: (200, {}, b'{"status":"PASS"}')) as server:
        world = World(tmp_path, base_url=f"{server.url}/evaluate/")
        assert world.ask("./check-freshness").status is TraitStatus.PASS
        assert world.ask("check-freshness").status is TraitStatus.PASS
    assert [seen.path for seen in server.seen] == ["/evaluate/check-freshness"] * 2
    assert world.clients == 1


def test_without_a_base_url_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    answer = World(tmp_path).ask("check-freshness")
    assert is_runner_trouble(answer, FailureCategory.PERMANENT)
    assert "there is no evaluator" in answer.reason


def test_closing_ends_the_pauses_of_http_evaluators(tmp_path: Path) -> None:
    with serving(lambda request: (503, {"retry-after": "15"}, b"")) as server:
        world = World(tmp_path)
        world.router.close()
        timer = threading.Timer(0.3, world.router.close)
        timer.start()
        started = time.monotonic()
        answer = world.ask(f"{server.url}/check")
        timer.join()
    assert time.monotonic() - started < 5
    assert is_runner_trouble(answer, FailureCategory.TRANSIENT)
    assert len(server.seen) == 1


def test_a_bug_in_an_adapter_is_a_crash_and_never_an_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-12."""

    def bug(*_: object, **__: object) -> Answer:
        raise KeyError("boom\n\x1b[31m")

    monkeypatch.setattr(PushEvaluator, "evaluate", bug)
    answer = World(tmp_path).ask("push")
    assert is_runner_trouble(answer, FailureCategory.EVALUATOR_CRASH)
    assert "KeyError" in answer.reason
    assert answer.reason.isprintable()


def test_the_http_client_is_not_imported_for_a_program(tmp_path: Path) -> None:
    write(tmp_path, BASH + PASS)
    script = (
        "import sys; from pathlib import Path; from tests.unit.evaluators.worlds import World\n"
        f"assert World(Path({str(tmp_path)!r})).ask('./check').status == 'PASS'\n"
        "assert 'httpx2' not in sys.modules, 'imported'\n"
    )
    paths = [*filter(None, sys.path), str(Path(__file__).parents[3])]
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(paths)})


def test_a_builtin_that_cannot_be_interrupted_is_given_up_just_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a check looks at a network file system that is gone."""
    release = threading.Event()

    def hang(*_: object, **__: object) -> Answer:
        release.wait(30)
        raise AssertionError

    monkeypatch.setattr(FileFreshness, "evaluate", hang)
    started = time.monotonic()
    answer = World(tmp_path).ask("builtin:file-freshness", config={"path": "x"}, timeout=0.2)
    release.set()
    assert time.monotonic() - started < 2
    assert is_runner_trouble(answer, FailureCategory.TIMEOUT)
    assert "within 200ms" in answer.reason
