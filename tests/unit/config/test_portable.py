"""What functions on AWS cannot do is refused at its line, with what to use instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.compiling import ORDERS, PROJECT, SALES, loaded, portable_project

from interlock.config.bundle import bundle_of
from interlock.config.portable import refusals, refuse_unportable
from interlock.errors import ConfigError, Problem

HERE = PROJECT.replace("evaluatorBaseUrl: https://checks.example.org\n", "")


def found(root: Path, *, project: str = PROJECT, **pipelines: str) -> tuple[Problem, ...]:
    return refusals(loaded(portable_project(root, project=project, **pipelines)))


def checked_by(evaluator: str, more: str = "") -> str:
    return SALES.replace("builtin:upstream-check", evaluator).replace("config: {upstreamPipeline: orders}", more)


def test_a_project_that_functions_can_carry_out_has_no_refusals(tmp_path: Path) -> None:
    assert found(tmp_path) == ()


def test_a_pipeline_that_runs_a_shell_is_refused_with_its_line(tmp_path: Path) -> None:
    """AWS-37."""
    text = ORDERS.replace("type: lambda\n  functionName: orders", "type: command\n  command: echo hello")
    (one,) = found(tmp_path, orders=text)
    assert (one.file, one.line, one.column) == ("pipelines/orders.yaml", 8, 9)
    assert "'command' cannot be used on AWS: it runs code" in one.message
    assert "glue" in one.hint


def test_a_pipeline_that_calls_a_function_in_a_process_is_refused(tmp_path: Path) -> None:
    text = ORDERS.replace("type: lambda\n  functionName: orders", "type: python\n  callable: jobs:orders")
    (one,) = found(tmp_path, orders=text)
    assert "'python' cannot be used on AWS" in one.message


def test_all_of_all_files_is_told_at_once(tmp_path: Path) -> None:
    told = found(
        tmp_path,
        project=PROJECT.replace("  - type: console", "  - {type: file, path: alerts.jsonl}"),
        orders=ORDERS.replace("type: lambda\n  functionName: orders", "type: command\n  command: echo hello"),
        sales=checked_by("builtin:disk-space", "config: {path: /, minFreeBytes: 1}"),
    )
    assert [(one.file, one.line) for one in told] == [
        ("interlock.yaml", 9),
        ("pipelines/orders.yaml", 8),
        ("pipelines/sales.yaml", 5),
    ]


def test_a_program_is_refused_and_what_to_use_is_said(tmp_path: Path) -> None:
    program = tmp_path / "evaluators" / "rows"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (one,) = found(tmp_path, project=HERE, orders=ORDERS.replace("checks/rows", "./evaluators/rows"))
    assert (one.line, "programs are not deployed" in one.message) == (5, True)
    assert "evaluatorBaseUrl" in one.hint


def test_a_relative_path_alone_is_asked_at_the_base_url_and_nothing_else_is(tmp_path: Path) -> None:
    program = tmp_path / "rows"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for evaluator in (str(program), "[./rows, --strict]"):
        (one,) = found(tmp_path, orders=ORDERS.replace("checks/rows", evaluator))
        assert "only a relative path without arguments" in one.message


@pytest.mark.parametrize("evaluator", ["push", "python:checks:rows", "https://checks.example.org/rows"])
def test_evaluators_that_travel_are_taken(tmp_path: Path, evaluator: str) -> None:
    assert found(tmp_path, project=HERE, orders=ORDERS.replace("checks/rows", evaluator)) == ()


@pytest.mark.parametrize(
    ("evaluator", "config"),
    [
        ("builtin:command-exit", "config: {command: [ls]}"),
        ("builtin:file-freshness", "config: {path: data.csv, maxAge: 1h}"),
        ("builtin:disk-space", "config: {path: /, minFreeBytes: 1}"),
        ("builtin:sql", "config: {database: data.db, query: SELECT 1, min: 1}"),
        ("builtin:sql", "config: {database: 'duckdb:', query: SELECT 1, min: 1}"),
        ("builtin:http-json", "config: {url: 'http://127.0.0.1:9001/2018-06-01', path: a, min: 1}"),
        ("http://localhost:9001/check", ""),
    ],
)
def test_checks_of_what_a_function_does_not_have_are_refused(tmp_path: Path, evaluator: str, config: str) -> None:
    (one,) = found(tmp_path, sales=checked_by(evaluator, config))
    assert (one.file, one.line, one.rule) == ("pipelines/sales.yaml", 5, "aws")


def test_a_loopback_that_the_operator_spelt_out_is_meant(tmp_path: Path) -> None:
    """A side-car, or a stand-in of AWS on a developer's machine."""
    allowed = f"{PROJECT}network: {{allow: [127.0.0.0/8]}}\n"
    assert found(tmp_path, project=allowed, sales=checked_by("http://127.0.0.1:9001/check")) == ()


def test_a_database_that_can_be_reached_is_taken(tmp_path: Path) -> None:
    config = "config: {database: 'postgresql://db/sales', query: SELECT 1, min: 1}"
    assert found(tmp_path, sales=checked_by("builtin:sql", config)) == ()


def test_a_check_that_may_take_longer_than_its_function_is_refused(tmp_path: Path) -> None:
    """AWS-28."""
    (one,) = found(tmp_path, orders=ORDERS.replace("timeout: 90", "timeout: 871"))
    assert (one.line, "may take 14m31s" in one.message, "at most 14m30s" in one.hint) == (6, True, True)
    assert found(tmp_path, orders=ORDERS.replace("timeout: 90", "timeout: 870")) == ()


def test_a_check_after_the_job_is_judged_by_the_same_rules(tmp_path: Path) -> None:
    (one,) = found(tmp_path, orders=f"{ORDERS}verify:\n  - evaluator: checks/made\n    timeout: 15m\n")
    assert (one.line, "may take 15m" in one.message) == (12, True)


def test_a_start_that_may_take_longer_than_its_function_is_refused(tmp_path: Path) -> None:
    (one,) = found(tmp_path, orders=f"{ORDERS}  startTimeout: 15m\n")
    assert (one.line, one.message) == (10, "startTimeout is 15m, and a function is stopped before")
    assert found(tmp_path, orders=f"{ORDERS}  startTimeout: 14m30s\n") == ()


def test_a_secret_that_is_used_and_kept_on_this_machine_is_refused(tmp_path: Path) -> None:
    text = ORDERS.replace("functionName: orders", "functionName: orders\n  payload: {token: '${secret:local}'}")
    (one,) = found(tmp_path, orders=text)
    assert "the secret 'local' cannot be had on AWS" in one.message
    assert "awsSecret" in one.hint
    (one,) = found(tmp_path, project=PROJECT.replace("${secret:hook}", "${secret:local}"))
    assert (one.file, one.line) == ("interlock.yaml", 10)


@pytest.mark.parametrize("more", ["aws: {profile: mine}\n", "lifecycle:\n  - {type: file, path: events.jsonl}\n"])
def test_what_only_this_machine_has_is_refused_in_the_project_file(tmp_path: Path, more: str) -> None:
    (one,) = found(tmp_path, project=PROJECT + more)
    assert (one.file, one.rule) == ("interlock.yaml", "aws")


def test_a_profile_of_a_trigger_is_refused(tmp_path: Path) -> None:
    (one,) = found(tmp_path, orders=f"{ORDERS}  profile: mine\n")
    assert (one.line, "functions have roles" in one.message) == (10, True)


def test_a_base_url_on_the_loopback_is_refused(tmp_path: Path) -> None:
    (one,) = found(tmp_path, project=PROJECT.replace("https://checks.example.org", "http://localhost:8080"))
    assert (one.line, "evaluatorBaseUrl cannot be used" in one.message) == (3, True)


def test_a_bundle_that_names_a_shell_is_refused_however_it_was_made(tmp_path: Path) -> None:
    """Whoever can write a bundle cannot run code in a function by it."""
    text = ORDERS.replace("type: lambda\n  functionName: orders", "type: command\n  command: echo hello")
    bundle = bundle_of(loaded(portable_project(tmp_path, orders=text)))
    with pytest.raises(ConfigError, match=r"bundle\.json: orders: a trigger of the type 'command'"):
        refuse_unportable(bundle, "bundle.json")


def test_a_sound_bundle_is_taken(tmp_path: Path) -> None:
    refuse_unportable(bundle_of(loaded(portable_project(tmp_path))), "bundle.json")
