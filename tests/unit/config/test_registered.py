"""Pipelines that are registered: nothing is run by them that the operator did not allow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests.acceptance.cli import a_script
from tests.unit.config.projects import loaded
from tests.unit.config.registering import SOUND, a_registry, built, checked_by, refused

from interlock import plugins
from interlock.config.project import Project
from interlock.config.registered import (
    HARMLESS_EVALUATORS,
    HARMLESS_TRIGGERS,
    named,
)
from interlock.core.traits import CONFINED
from interlock.errors import ConfigError, Invalid, Unregistrable


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_registry(tmp_path_factory.mktemp("registered"))


@pytest.fixture(scope="module")
def project(root: Path) -> Project:
    return loaded(root)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["ab", "my.pipeline-v2", "a" * 255, "0_9"])
def test_a_name_by_the_rule_is_taken(project: Project, name: str) -> None:
    assert built(project, SOUND | {"name": name}).spec is not None


@pytest.mark.parametrize(
    "name",
    ["", "a", "UPPER", "has space", "../../etc", "key:injection", "a" * 256, "-ab", "ab\n", "a\0b", 7, None, ["ab"]],
)
def test_any_other_name_is_refused_as_the_reference_implementation_does(name: Any) -> None:
    """T-82: no name leads out of where it belongs."""
    with pytest.raises(Unregistrable, match="cannot be a name") as caught:
        named(SOUND | {"name": name})
    assert isinstance(caught.value, Invalid)


def test_a_document_without_a_name_is_refused() -> None:
    with pytest.raises(Invalid, match="no 'name'"):
        named({"archetype": "batch-ingestion"})


# ---------------------------------------------------------------- what is wrong is all said


def test_every_problem_is_listed_with_the_key_at_fault(project: Project) -> None:
    document = SOUND | {
        "tier": 77,
        "teir": 1,
        "schedules": [{"name": "x1", "after": "25:00"}],
        "traits": {"source-freshness": {"evaluator": "push", "ttl": "soon"}, "schema-contrakt": {"evaluator": "push"}},
    }
    said = refused(project, document)
    for part in (
        "tier",
        "teir",
        "schedules[0].after",
        "traits.source-freshness.ttl",
        "schema-contrakt",
        "did you mean",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"archetype": "batch-ingestoin"}, "did you mean 'batch-ingestion'"),
        ({"archetype": ""}, "no archetype is named"),
        ({"trigger": {"type": "command", "command": "true"}}, "may not have a trigger of the type 'command'"),
        ({"trigger": {"type": "python", "callable": "os:getcwd"}}, "may not have a trigger of the type 'python'"),
        ({"trigger": {"type": "foreground"}}, "cannot be of the type"),
        ({"trigger": {"type": "htpp", "url": "https://a.example"}}, "no trigger is named 'htpp'"),
    ],
)
def test_what_clients_of_the_reference_know_as_400_stays_so(project: Project, more: dict[str, Any], words: str) -> None:
    """T-72: no trigger that runs code here comes through the API."""
    document = SOUND | more
    assert words in refused(project, document)
    trouble = built(project, document).trouble
    assert isinstance(trouble, Unregistrable)
    assert isinstance(trouble, ConfigError)
    assert trouble.problems


def test_any_other_mistake_is_one_of_configuration(project: Project) -> None:
    trouble = built(project, SOUND | {"tier": 77}).trouble
    assert isinstance(trouble, ConfigError)
    assert not isinstance(trouble, Invalid)


def test_a_shell_is_refused_wherever_it_stands(project: Project) -> None:
    """T-72."""
    assert refused(project, SOUND | {"trigger": {"type": "command", "command": "true", "shell": True}})
    assert refused(project, SOUND | {"trigger": {"type": "http", "url": "https://a.example", "shell": True}})


def test_no_trigger_is_needed(project: Project) -> None:
    """T-90."""
    assert built(project, SOUND).spec is not None


# ---------------------------------------------------------------- evaluators


@pytest.mark.parametrize(
    "evaluator",
    [
        "/bin/bash",
        "/usr/bin/env",
        "bash",
        "sh",
        "../check-rows",
        "./evaluators/check-rows",
        "evaluators/check-rows",
        "./check-rows",
        "..",
        ".",
        ".hidden",
        "check-rows\0",
        "check-rows ",
        " check-rows",
        "check rows",
        "~/check",
        "$HOME/check",
        "${env:API_TOKEN}",
        "python:os:getcwd",
        "file:///bin/sh",
        "confined:check-rows",
        "builtin:command-exit",
        "builtin:sql",
        "builtin:file-freshness",
        "builtin:nothing",
        "BUILTIN:sql",
        "",
        "x" * 5000,
        ["check-rows", "--force"],
        ["check-rows", ""],
        ["push", "x"],
        ["builtin:rule", "x"],
        ["/bin/sh", "-c", "true"],
        [],
        7,
        None,
    ],
)
def test_no_program_runs_that_the_operator_did_not_put_there(project: Project, evaluator: Any) -> None:
    """T-72: an evaluator of the caller's choice is a program of the caller's choice."""
    assert refused(project, checked_by(evaluator))


@pytest.mark.parametrize("name", ["command-exit", "sql", "file-freshness"])
def test_a_check_that_runs_or_reads_what_the_caller_names_is_refused_as_such(project: Project, name: str) -> None:
    """T-72."""
    assert f"may not be checked by builtin:{name}" in refused(project, checked_by(f"builtin:{name}"))


@pytest.mark.parametrize(
    ("evaluator", "config"),
    [
        ("check-rows", {"anything": 1}),
        (["check-rows"], {}),
        ("push", {}),
        ("https://checks.example.com/rows", {}),
        ("builtin:rule", {"sensor": "orders", "check": "exists"}),
        ("builtin:upstream-check", {"upstreamPipeline": "silver"}),
        ("builtin:disk-space", {"minFreePercent": 1}),
        ("builtin:http-json", {"url": "https://a.example/x", "path": "rows", "equals": 1}),
    ],
)
def test_what_is_harmless_is_allowed(project: Project, evaluator: Any, config: dict[str, Any]) -> None:
    found = built(project, checked_by(evaluator, config=config))
    assert found.problems == ()
    assert found.spec is not None


def test_a_program_that_is_named_is_looked_for_in_the_evaluator_directories_alone(project: Project) -> None:
    """T-72: the mark goes with the spec, so that every evaluation by it looks nowhere else."""
    found = built(project, checked_by("check-rows")).spec
    assert found is not None
    assert found.traits[1].evaluator == (f"{CONFINED}check-rows",)


def test_nobody_but_us_writes_the_mark(root: Path) -> None:
    path = root / "pipelines" / "marked.yaml"
    path.write_text(yaml.safe_dump(checked_by("confined:check-rows") | {"name": "marked"}))
    with pytest.raises(ConfigError, match="nothing is known of evaluators that begin with 'confined:'"):
        loaded(root)
    path.unlink()


def test_a_link_out_of_the_evaluator_directories_is_refused(project: Project, root: Path, tmp_path: Path) -> None:
    """T-72."""
    outside = a_script(tmp_path / "outside", "true")
    for name, target in (("to-file", outside), ("to-shell", "/bin/sh"), ("to-root", root / "check-root")):
        (root / "evaluators" / name).symlink_to(target)
        assert "there is no program" in refused(project, checked_by(name))
    a_script(root / "check-root", "true")
    assert "there is no program" in refused(project, checked_by("to-root"))


def test_a_link_within_the_evaluator_directories_is_fine(project: Project, root: Path) -> None:
    (root / "evaluators" / "other-name").symlink_to("check-rows")
    assert built(project, checked_by("other-name")).spec is not None


def test_a_directory_that_only_begins_like_an_allowed_one_is_another(project: Project, root: Path) -> None:
    beside = root / "evaluators-of-others"
    beside.mkdir()
    a_script(beside / "check", "true")
    (root / "evaluators" / "beside").symlink_to(beside / "check")
    assert "there is no program" in refused(project, checked_by("beside"))


def test_an_evaluator_directory_that_is_a_link_itself_is_the_operators_choice(root: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    a_script(real / "linked-check", "true")
    (tmp_path / "linked").symlink_to(real)
    project = loaded(root)
    moved = replace(project.settings, evaluator_dirs=(tmp_path / "linked",))
    assert built(_with(project, moved), checked_by("linked-check")).spec is not None


def _with(project: Project, changed: Any) -> Project:
    return Project(
        root=project.root,
        file=project.file,
        settings=changed,
        pipelines=project.pipelines,
        archetypes=project.archetypes,
        calendars=project.calendars,
    )


def test_without_evaluator_directories_no_program_is_allowed(project: Project) -> None:
    """T-72."""
    closed = _with(project, replace(project.settings, evaluator_dirs=()))
    assert "no programs are allowed" in refused(closed, checked_by("check-rows"))


def test_an_address_for_evaluators_without_a_file_makes_no_exception(project: Project) -> None:
    """T-72: `evaluatorBaseUrl` is where file pipelines are posted to; what is registered has to name what is there."""
    posting = _with(project, replace(project.settings, evaluator_base_url="http://127.0.0.1:9/"))
    assert "there is no program" in refused(posting, checked_by("not-there"))


def test_a_program_that_cannot_be_run_is_refused(project: Project, root: Path) -> None:
    (root / "evaluators" / "plain").write_text("hello")
    (root / "evaluators" / "folder").mkdir()
    os.mkfifo(root / "evaluators" / "pipe")
    assert "not executable" in refused(project, checked_by("plain"))
    for name in ("folder", "pipe"):
        assert "there is no program" in refused(project, checked_by(name))


def test_the_path_of_a_disk_is_not_the_callers_to_choose(project: Project) -> None:
    said = refused(project, checked_by("builtin:disk-space", config={"path": "/etc", "minFreePercent": 1}))
    assert "may not choose the path" in said
    assert refused(project, checked_by(["builtin:disk-space"], config={"path": "/etc", "minFreePercent": 1}))


def test_every_check_of_ours_is_either_harmless_or_refused() -> None:
    """T-72: a new check must be decided about before anybody can register it."""
    refused_ones = {"command-exit", "sql", "file-freshness"}
    ours = {name for kind, name in plugins.BUILTIN if kind == "evaluator"}
    assert ours == HARMLESS_EVALUATORS | refused_ones


def test_every_trigger_of_ours_is_either_harmless_or_refused() -> None:
    ours = {name for kind, name in plugins.BUILTIN if kind == "trigger" and not plugins.inner("trigger", name)}
    run_code = {"command", "python"}
    spend_our_credentials = {"airflow", "databricks", "emr", "emr-serverless", "glue", "lambda", "step-function"}
    assert ours == HARMLESS_TRIGGERS | run_code | spend_our_credentials
