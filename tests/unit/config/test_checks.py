from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.config.projects import PIPELINE, loaded, problems_of, small_project, write_pipeline

from interlock import plugins
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import ConfigError, Problem

IMPORT = importlib.import_module


def with_evaluator(root: Path, evaluator: str) -> Path:
    path = root / "pipelines" / "asks.yaml"
    path.write_text(PIPELINE.format(name="asks").replace("./evaluators/check-sales-freshness", evaluator))
    return path


def the_problem(root: Path) -> Problem:
    (problem,) = problems_of(root)
    return problem


@pytest.mark.parametrize(
    "evaluator",
    [
        "./evaluators/check-sales-freshness",
        "evaluators/check-sales-freshness",
        "check-sales-freshness",
        "[check-sales-freshness, --arg]",
        "/bin/sh",
        "push",
        "https://example.com:8443/check?x=1",
        "python:package.module:function",
    ],
)
def test_an_evaluator_that_exists_is_accepted(tmp_path: Path, evaluator: str) -> None:
    root = small_project(tmp_path)
    with_evaluator(root, evaluator)
    assert "asks" in loaded(root).pipelines


@pytest.mark.parametrize(
    ("evaluator", "words"),
    [
        ("sh", "PATH is never searched"),
        ("ftp://example.com", "nothing is known of evaluators that begin with 'ftp:'"),
        ("http://", "not an address"),
        ("http://exa mple.com/", "not an address"),
        ("https://host:99999/", "not an address"),
        ("'builtin:'", "no evaluator is named ''"),
        ("'python:module:'", "names no function"),
        ("''", "the evaluator is empty"),
        ("[]", "the evaluator is empty"),
        ('"a\\0b"', "NUL"),
        ("../project/../outside", "outside of the project"),
    ],
)
def test_an_evaluator_that_cannot_work_is_refused(tmp_path: Path, evaluator: str, words: str) -> None:
    """T-24, LAT-23."""
    root = small_project(tmp_path)
    (tmp_path / "outside").touch(mode=0o755)
    with_evaluator(root, evaluator)
    assert words in the_problem(root).message


def test_an_evaluator_without_the_right_to_run_is_refused(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (root / "evaluators" / "check-sales-freshness").chmod(0o644)
    with_evaluator(root, "check-sales-freshness")
    problem = the_problem(root)
    assert "not executable" in problem.message
    assert "chmod +x" in problem.hint


def test_a_bare_name_without_a_file_is_asked_at_the_base_url(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    with_evaluator(root, "check-elsewhere")
    settings = Settings(no_cache=True, evaluator_base_url="https://checks.example.com")
    project = load_project(root, settings=settings)
    assert project.settings.evaluator_base_url == "https://checks.example.com"
    assert "check-elsewhere" in the_problem(root).message


def test_a_required_trait_without_an_evaluator_is_refused(tmp_path: Path) -> None:
    """BUG-11, T-24."""
    root = small_project(tmp_path)
    (root / "pipelines" / "asks.yaml").write_text("name: asks\narchetype: batch-ingestion\n")
    assert "the required trait 'source-freshness' has no evaluator" in the_problem(root).message


def test_an_optional_trait_that_is_mentioned_needs_an_evaluator_too(tmp_path: Path) -> None:
    """T-103."""
    root = small_project(tmp_path)
    path = with_evaluator(root, "push")
    path.write_text(path.read_text() + "  schema-contract: {}\n")
    assert "the optional trait 'schema-contract' has no evaluator" in the_problem(root).message


def test_a_wrong_default_of_the_archetype_is_laid_at_its_door(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    with_evaluator(root, "builtin:disk-space")
    problems = problems_of(root)
    assert any("from defaultConfig of the archetype 'batch-ingestion'" in problem.message for problem in problems)
    assert all(problem.line == 5 for problem in problems if "maxLagSeconds" in problem.message)


class Odd:
    """A trigger of somebody else's, with a rule that only it knows."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins.BUILTIN, ("trigger", "odd"), plugins.Builtin(f"{__name__}:Odd"))
    monkeypatch.setitem(plugins.BUILTIN, ("trigger", "absent"), plugins.Builtin("interlock.nowhere:Gone"))
    monkeypatch.setitem(
        plugins.BUILTIN, ("trigger", "extra"), plugins.Builtin("x:Y", extra="moon", module="no_such_module")
    )
    monkeypatch.setattr("importlib.import_module", _import)


def _import(name: str) -> Any:
    import sys

    # The one of this very file is known under a name that nobody could import.
    return sys.modules[name] if name in sys.modules else IMPORT(name)


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("trigger", "place", "words"),
    [
        ("{type: odd, low: 2, high: 1}", (6, 10), "low is above high"),
        ("{type: odd, low: 2, high: x}", (6, 36), "high is the text 'x', expected a whole number"),
        ("{type: absent}", (6, 17), "cannot be loaded"),
        ("{type: extra}", (6, 17), "needs an optional dependency"),
        ("{low: 1}", (6, 10), "has no 'type'"),
        ("{type: 7}", (6, 17), "type is the number 7, expected text"),
    ],
)
def test_what_a_plugin_refuses_is_reported_at_its_line(
    tmp_path: Path, trigger: str, place: tuple[int, int], words: str
) -> None:
    """LAT-23: found when loading, not when triggering."""
    root = small_project(tmp_path)
    path = with_evaluator(root, "push")
    path.write_text(path.read_text() + f"trigger: {trigger}\n")
    problem = the_problem(root)
    assert (problem.line, problem.column) == place
    assert words in problem.message


def test_a_key_of_another_trigger_says_whose_it_is(tmp_path: Path) -> None:
    """BUG-50."""
    root = small_project(tmp_path)
    path = with_evaluator(root, "push")
    path.write_text(path.read_text() + "trigger: {type: command, command: run, url: http://localhost/}\n")
    problem = the_problem(root)
    assert "unknown key 'url'" in problem.message
    assert problem.hint == "it belongs to the type airflow or http"


def test_a_variable_that_the_project_does_not_allow_is_refused(tmp_path: Path) -> None:
    """BUG-119, T-73."""
    root = small_project(tmp_path)
    path = with_evaluator(root, "push")
    path.write_text(path.read_text() + 'trigger: {type: command, command: [run, "${env:API_TOKEN} ${env:HOME}"]}\n')
    problem = the_problem(root)
    assert "HOME" in problem.message
    assert "API_TOKEN" not in problem.message


def test_a_placeholder_in_a_shell_text_is_an_error_at_load(tmp_path: Path) -> None:
    """BUG-178: what would be put in could be read as shell, so it must not wait until the job is started."""
    from tests.acceptance.cli import a_project

    root = a_project(tmp_path)
    file = root / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("command: ./job", "command: 'echo {{date}}'\n  shell: true"))
    with pytest.raises(ConfigError, match=r"orders\.yaml:8:.*INTERLOCK_DATE"):
        load_project(root)


def test_a_trigger_that_only_interlock_itself_uses_cannot_be_named_by_a_file(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "orders", "trigger: {type: foreground}\n")
    (problem,) = problems_of(root)
    assert "cannot be of the type 'foreground'" in problem.message
    assert "interlock exec" in problem.hint
    assert "foreground" not in plugins.available("trigger")
