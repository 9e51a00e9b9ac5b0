from __future__ import annotations

from typing import Any

import msgspec
import pytest

from interlock.testing.conformance.triggers import a_job
from interlock.triggers.databricks_config import DatabricksConfig, start_request

URL = "https://adb-1.2.azuredatabricks.net"
TASK = {"task_key": "work", "notebook_task": {"notebook_path": "/Shared/work"}}


def config(**keys: Any) -> DatabricksConfig:
    given = {"workspaceUrl": URL, "token": "dapi-1", **keys}
    return msgspec.convert({key: value for key, value in given.items() if value is not None}, DatabricksConfig)


def refused(**keys: Any) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        config(**keys)
    return str(caught.value)


def test_a_job_is_run_with_its_parameters_under_the_attempts_token() -> None:
    """LAT-22: by its number, which the seeds leave out."""
    given = config(
        jobId=17,
        arguments={"day": "2026-03-07"},
        notebookParams={"a": "b"},
        pythonParams=["--full"],
        sqlParams={"c": "d"},
        pythonNamedParams={"e": "f"},
        sparkSubmitParams=["--class", "x"],
        dbtCommands=["dbt run"],
        pipelineParams={"full_refresh": True},
        only=["load+"],
        queue={"enabled": True},
        performanceTarget="STANDARD",
    )
    path, body = start_request(given, a_job(attempt=2))
    token = body.pop("idempotency_token")
    assert path == "run-now"
    assert body == {
        "job_id": 17,
        "job_parameters": {"day": "2026-03-07"},
        "notebook_params": {"a": "b"},
        "python_params": ("--full",),
        "sql_params": {"c": "d"},
        "python_named_params": {"e": "f"},
        "spark_submit_params": ("--class", "x"),
        "dbt_commands": ("dbt run",),
        "pipeline_params": {"full_refresh": True},
        "only": ("load+",),
        "queue": {"enabled": True},
        "performance_target": "STANDARD",
    }
    assert token == start_request(given, a_job(attempt=2))[1]["idempotency_token"]
    assert token != start_request(given, a_job(attempt=1))[1]["idempotency_token"]


def test_tasks_are_a_run_of_their_own_and_pass_untouched() -> None:
    """LAT-22, T-99: the one-time endpoint wants tasks."""
    given = config(
        tasks=[{**TASK, "new_cluster": {"num_workers": 2, "spark_conf": {"a.B": "c"}}}],
        jobName="nightly",
        timeoutSeconds=600,
        environments=[{"environment_key": "default"}],
        gitSource={"git_url": "https://git.example.com/x", "git_provider": "gitLab"},
        runAs={"service_principal_name": "x"},
        accessControlList=[{"group_name": "x", "permission_level": "CAN_VIEW"}],
        emailNotifications={"on_failure": ["a@example.com"]},
        webhookNotifications={"on_failure": [{"id": "1"}]},
        notificationSettings={"no_alert_for_canceled_runs": True},
        health={"rules": []},
        budgetPolicyId="b",
        usagePolicyId="u",
    )
    path, body = start_request(given, a_job())
    assert path == "runs/submit"
    assert body.pop("idempotency_token")
    assert body == {
        "tasks": ({**TASK, "new_cluster": {"num_workers": 2, "spark_conf": {"a.B": "c"}}},),
        "run_name": "nightly",
        "timeout_seconds": 600,
        "environments": ({"environment_key": "default"},),
        "git_source": {"git_url": "https://git.example.com/x", "git_provider": "gitLab"},
        "run_as": {"service_principal_name": "x"},
        "access_control_list": ({"group_name": "x", "permission_level": "CAN_VIEW"},),
        "email_notifications": {"on_failure": ["a@example.com"]},
        "webhook_notifications": {"on_failure": [{"id": "1"}]},
        "notification_settings": {"no_alert_for_canceled_runs": True},
        "health": {"rules": []},
        "budget_policy_id": "b",
        "usage_policy_id": "u",
    }


def test_a_one_time_run_without_a_name_is_called_after_the_run_it_is_for() -> None:
    assert start_request(config(tasks=[TASK]), a_job())[1]["run_name"] == "daily-sales:daily:2026-03-07:1"


def test_a_token_is_never_longer_than_databricks_takes_and_differs_all_the_same() -> None:
    """LAT-46: cut keys would make one run of two."""
    given = config(jobId=17)
    tokens = {
        start_request(given, a_job("x" * length, attempt=attempt))[1]["idempotency_token"]
        for length in (50, 60, 120)
        for attempt in (1, 2)
    }
    assert len(tokens) == 6
    assert max(map(len, tokens)) <= 64


def test_a_job_name_alone_says_what_is_missing() -> None:
    """LAT-22: so the seeds have it, and Databricks starts nothing by it."""
    words = refused(jobName="nightly", arguments={"a": "b"})
    assert "`jobName` alone starts nothing" in words
    assert "`jobId`" in words
    assert "`tasks`" in words


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "nothing to start"),
        ({"jobId": 0}, "`jobId` is the number of a job"),
        ({"jobId": -4}, "`jobId` is the number of a job"),
        ({"jobId": "nightly"}, "`jobId` is the number of a job"),
        ({"jobId": "٣"}, "`jobId` is the number of a job"),
        ({"jobId": 2**63}, "`jobId` is the number of a job"),
        ({"jobId": 17, "tasks": [TASK]}, "keep one of them"),
        ({"jobId": 17, "jobName": "x"}, "`jobName` belong to a one-time run"),
        ({"jobId": 17, "gitSource": {"a": 1}, "timeoutSeconds": 5}, "`timeoutSeconds`, `gitSource` belong"),
        ({"tasks": [TASK], "arguments": {"a": "b"}}, "`arguments` need `jobId`"),
        ({"tasks": [TASK], "only": ["a"]}, "`only` need `jobId`"),
        ({"tasks": [{"notebook_task": {}}]}, "needs a `task_key`"),
        ({"tasks": [TASK, TASK]}, "two of the `tasks`"),
        ({"tasks": [{**TASK, "job_cluster_key": "shared"}]}, "new_cluster or existing_cluster_id"),
        ({"jobId": 17, "apiVersion": "2.0"}, "`apiVersion` is 2.1 or 2.2"),
        ({"jobId": 17, "partialSuccess": "maybe"}, "`partialSuccess` is failed or succeeded"),
        ({"jobId": 17, "token": None}, "no credentials"),
        ({"jobId": 17, "token": None, "clientId": "a"}, "go together"),
        ({"jobId": 17, "token": None, "clientSecret": "a"}, "go together"),
        ({"jobId": 17, "clientId": "a", "clientSecret": "b"}, "given twice"),
        ({"jobId": 17, "headers": {"Authorization": "Bearer x"}}, "given twice"),
        ({"jobId": 17, "arguments": {"a": 5}}, "Expected `str`, got `int`"),
        ({"jobId": 17, "jobClusters": []}, "unknown field `jobClusters`"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    """LAT-23, AWS-50."""
    assert words in refused(**keys)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("adb-1.azuredatabricks.net", "is an address such as"),
        ("ftp://adb-1.azuredatabricks.net", "is an address such as"),
        ("https://", "is an address such as"),
        ("https://[broken", "is an address such as"),
        ("https://host:99999", "is an address such as"),
        ("https://me:hunter2@adb-1.azuredatabricks.net", "holds credentials"),
        ("https://adb-1.azuredatabricks.net/?o=1", "something after the host"),
        ("https://adb-1.azuredatabricks.net/jobs/7", "something after the host"),
        ("http://adb-1.azuredatabricks.net", "write https://"),
        ("http://127.0.0.1.example.com", "write https://"),
    ],
)
def test_an_address_that_would_give_the_token_away_or_leads_nowhere_is_refused(url: str, words: str) -> None:
    """T-76."""
    said = refused(jobId=17, workspaceUrl=url)
    assert words in said
    assert "hunter2" not in said


@pytest.mark.parametrize("url", [URL, URL + "/", "https://ADB-1.2.azuredatabricks.net", " " + URL])
def test_one_workspace_has_one_name(url: str) -> None:
    assert config(jobId=17, workspaceUrl=url).base == URL


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80"])
def test_a_stand_in_on_this_machine_needs_no_tls(url: str) -> None:
    assert config(jobId=17, workspaceUrl=url).base == url


def test_what_is_filled_in_later_is_not_judged_before() -> None:
    given = config(
        workspaceUrl="${env:DATABRICKS_HOST}",
        token="${secret:databricks}",
        jobId="${env:JOB}",
        apiVersion="${env:API}",
        partialSuccess="${env:PARTIAL}",
    )
    assert given.job_id == "${env:JOB}"


def test_a_job_may_be_given_as_text() -> None:
    assert start_request(config(jobId="17"), a_job())[1]["job_id"] == 17


def test_the_version_may_be_written_as_a_number() -> None:
    """YAML makes one of 2.2 that has no quotes."""
    assert str(config(jobId=17, apiVersion=2.2).api_version) == "2.2"


def test_a_configuration_does_not_show_its_credentials() -> None:
    """T-76."""
    own = config(jobId=17, headers={"X-Key": "hunter2"}, token="hunter3")
    other = config(jobId=17, token=None, clientId="a", clientSecret="hunter4")
    assert "hunter" not in f"{own!r} {own} {other!r}"


def test_the_seeds_keys_are_known() -> None:
    """Whoever comes from there finds the same names."""
    keys = {"workspaceUrl", "jobId", "jobName", "headers", "arguments"}
    assert keys <= set(DatabricksConfig.__struct_encode_fields__)
