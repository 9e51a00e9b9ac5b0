"""The checks after a job, and how a start is tried again, as files say them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline

from interlock.codec.documents import mapping
from interlock.core.pipelines import PipelineSpec
from interlock.core.retries import RetrySpec
from interlock.core.traits import FailureCategory

TRIGGER = "trigger: {type: command, command: run}\n"


def _spec(at: Path, more: str) -> PipelineSpec:
    root = small_project(at)
    write_pipeline(root, "asks", TRIGGER + more)
    return loaded(root).pipelines["asks"].spec


def _words(at: Path, more: str) -> str:
    root = small_project(at)
    write_pipeline(root, "asks", more)
    return "\n".join(map(str, problems_of(root)))


def test_a_check_has_what_a_trait_has(tmp_path: Path) -> None:
    spec = _spec(
        tmp_path,
        "verify:\n  - {name: rows, evaluator: [./evaluators/check-sales-freshness, --rows], config: {least: 5}, timeout: 90s}\n",
    )
    (check,) = spec.verify
    assert (check.name, check.timeout) == ("rows", timedelta(seconds=90))
    assert check.evaluator == ("./evaluators/check-sales-freshness", "--rows")
    assert mapping(check.config) == {"least": 5}


def test_an_evaluator_alone_is_a_check_named_after_it(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "verify: [./evaluators/check-sales-freshness]\n")
    assert [check.name for check in spec.verify] == ["check-sales-freshness"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (TRIGGER + "verify: [./evaluators/nobody]", "asks.yaml:7:10: there is no evaluator './evaluators/nobody'"),
        (TRIGGER + "verify: [push]", "nobody waits for a push after a job"),
        (TRIGGER + "verify: [{name: No Name, evaluator: check-sales-freshness}]", "cannot be a name"),
        (TRIGGER + "verify: [{name: rows}]", "verify[0] has no 'evaluator'"),
        (TRIGGER + "verify: [{evaluator: check-sales-freshness, tmeout: 3}]", "did you mean 'timeout'?"),
        (TRIGGER + "verify: [{evaluator: check-sales-freshness, timeout: soon}]", "not a duration"),
        (TRIGGER + "verify: [{name: rows, evaluator: 'builtin:sql', config: {quarry: x}}]", "unknown key 'quarry'"),
        (TRIGGER + "verify: [check-sales-freshness, check-sales-freshness]", "is taken (give each check a `name`"),
        (
            TRIGGER + "verify: [{name: source-freshness, evaluator: check-sales-freshness}]",
            "the name 'source-freshness' is taken",
        ),
        ("verify: [check-sales-freshness]", "there is no trigger, so no job to verify"),
    ],
)
def test_a_check_that_cannot_be_asked_is_refused_with_its_place(tmp_path: Path, more: str, words: str) -> None:
    said = _words(tmp_path, more + "\n")
    assert words in said
    assert "pipelines/asks.yaml:" in said


def test_a_start_may_be_tried_again_by_a_policy_of_its_own(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "")
    assert spec.trigger is not None
    assert spec.trigger.start_retry is None
    more = "trigger: {type: command, command: run, startRetry: {maxAttempts: 7, backoffSeconds: 5, retryableFailures: [TIMEOUT]}}\n"
    root = small_project(tmp_path / "b")
    write_pipeline(root, "asks", more)
    own = loaded(root).pipelines["asks"].spec.trigger
    assert own is not None
    assert own.start_retry == RetrySpec(
        max_attempts=7, backoff=timedelta(seconds=5), retryable=(FailureCategory.TIMEOUT,)
    )


def test_a_policy_for_starts_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path) -> None:
    """T-18."""
    more = "trigger: {type: command, command: run, startRetry: {maxAttempts: 0, retryableFailures: [BAD]}}\n"
    said = _words(tmp_path, more)
    assert "startRetry.maxAttempts" in said


@pytest.mark.parametrize(
    "trigger",
    [
        "{type: glue, jobName: load}",
        "{type: glue, glue: {job_name: load}}",
        "{type: glue, glue: {jobName: load}}",
    ],
)
def test_the_keys_of_a_type_may_stand_flat_or_in_a_block_of_their_own(tmp_path: Path, trigger: str) -> None:
    """The flat form is the usual one; the block is how later versions of the other implementation write it."""
    root = small_project(tmp_path)
    write_pipeline(root, "asks", f"trigger: {trigger}\n")
    own = loaded(root).pipelines["asks"].spec.trigger
    assert own is not None
    assert mapping(own.config) == {"jobName": "load"}


@pytest.mark.parametrize(
    ("trigger", "key", "value"),
    [
        ("{type: airflow, url: 'https://a.example.com', dagId: sales}", "dagID", "sales"),
        ("{type: airflow, airflow: {url: 'https://a.example.com', dag_id: sales}}", "dagID", "sales"),
        ("{type: emr, clusterID: j-1, jobName: step, command: command-runner.jar}", "clusterId", "j-1"),
        (
            "{type: step-function, stepFunction: {state_machine_arn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:s'}}",
            "stateMachineArn",
            "arn:aws:states:eu-central-1:123456789012:stateMachine:s",
        ),
    ],
)
def test_the_spellings_of_an_id_are_one_key(tmp_path: Path, trigger: str, key: str, value: str) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "asks", f"trigger: {trigger}\n")
    own = loaded(root).pipelines["asks"].spec.trigger
    assert own is not None
    assert mapping(own.config)[key] == value


def test_one_key_in_two_spellings_is_refused(tmp_path: Path) -> None:
    said = _words(tmp_path, "trigger: {type: airflow, url: 'https://a.example.com', dagId: a, dagID: b}\n")
    assert "are the same key (keep one)" in said


def test_a_key_in_snake_case_is_refused_outside_of_a_block(tmp_path: Path) -> None:
    """BUG-50."""
    assert "did you mean 'jobName'?" in _words(tmp_path, "trigger: {type: glue, job_name: load}\n")


def test_what_is_wrong_in_a_block_is_told_by_the_name_that_the_file_has(tmp_path: Path) -> None:
    said = _words(tmp_path, "trigger:\n  type: airflow\n  airflow:\n    url: https://a.example.com\n    dag_id: 7\n")
    assert "asks.yaml:10:13" in said
