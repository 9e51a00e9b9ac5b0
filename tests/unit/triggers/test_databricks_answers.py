from __future__ import annotations

import json
from typing import Any

import pytest
from tests.servers.databricks_runs import ended, going

from interlock.clients.http import HttpReply
from interlock.ports.triggers import JobReport, JobState
from interlock.triggers.databricks_answers import RESULTS, RUNNING, is_gone, report_of, start_verdict


def answer(status: int, code: Any = None, message: str = "", *headers: tuple[str, str]) -> HttpReply:
    return HttpReply(status, headers, json.dumps({"error_code": code, "message": message}).encode())


def report(run: Any, *, partial: bool = False) -> JobReport:
    return report_of(run, partial_succeeds=partial, fit=lambda text: text[:200])


def older(step: Any) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "status"}


def newer(step: Any) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "state"}


@pytest.mark.parametrize(
    ("reply", "started", "category"),
    [
        (answer(400, "INVALID_PARAMETER_VALUE", "Job 5 does not exist."), False, "PERMANENT"),
        (answer(404, "RESOURCE_DOES_NOT_EXIST", "Job 5 does not exist."), False, "PERMANENT"),
        (answer(400, "MALFORMED_REQUEST", "Could not parse"), False, "PERMANENT"),
        (answer(400, "INVALID_STATE", "The cluster is terminating"), False, "TRANSIENT"),
        (answer(400, "INVALID_STATE", "The run cannot begin: its cluster was deleted"), False, "TRANSIENT"),
        (answer(429, "REQUEST_LIMIT_EXCEEDED"), False, "TRANSIENT"),
        (answer(400, "REQUEST_LIMIT_EXCEEDED"), False, "TRANSIENT"),
        (answer(429, "RESOURCE_EXHAUSTED"), False, "TRANSIENT"),
        (answer(403, "QUOTA_EXCEEDED"), False, "TRANSIENT"),
        (answer(429), False, "TRANSIENT"),
        (answer(400, "FEATURE_DISABLED"), False, "PERMANENT"),
        (answer(404, "FEATURE_DISABLED"), False, "PERMANENT"),
        (answer(403, "PERMISSION_DENIED"), False, "PERMANENT"),
        (answer(401), False, "PERMANENT"),
        (answer(403, 403, "Invalid access token."), False, "PERMANENT"),
        (answer(409, "ABORTED"), None, "TRANSIENT"),
        (answer(409, "ALREADY_EXISTS"), None, "PERMANENT"),
        (answer(499, "CANCELLED"), None, "TRANSIENT"),
        (answer(500, "INTERNAL_ERROR"), None, "TRANSIENT"),
        (answer(500, "UNKNOWN"), None, "TRANSIENT"),
        (answer(500, "REQUEST_LIMIT_EXCEEDED"), None, "TRANSIENT"),
        (answer(501, "NOT_IMPLEMENTED"), False, "PERMANENT"),
        (answer(503, "TEMPORARILY_UNAVAILABLE"), None, "TRANSIENT"),
        (answer(503, "TEMPORARILY_UNAVAILABLE", "", ("retry-after", "5")), None, "TRANSIENT"),
        (answer(504, "DEADLINE_EXCEEDED"), None, "TIMEOUT"),
        (answer(504), None, "TIMEOUT"),
        (HttpReply(502, (), b"<html>"), None, "TRANSIENT"),
    ],
)
def test_what_an_error_says_of_the_start(reply: HttpReply, started: bool | None, category: str) -> None:
    """T-20."""
    assert (start_verdict(reply).started, start_verdict(reply).category) == (started, category)


@pytest.mark.parametrize(
    "reply",
    [
        answer(400, "INVALID_PARAMETER_VALUE", "Run 5 with this idempotency token was deleted."),
        answer(400, "INVALID_PARAMETER_VALUE", "Run 5 does not exist."),
        answer(404, "RESOURCE_DOES_NOT_EXIST", "Run: 5 in job: 7 doesn't exist"),
        answer(409, "RESOURCE_ALREADY_EXISTS", "The idempotency token was used by a run that is no more"),
    ],
)
def test_a_token_whose_run_was_deleted_is_not_taken_for_a_start_that_never_was(reply: HttpReply) -> None:
    """LAT-46: something was begun under it, and what that did, nobody knows."""
    assert start_verdict(reply) == ("PERMANENT", None)


@pytest.mark.parametrize(
    ("reply", "gone"),
    [
        (answer(400, "INVALID_PARAMETER_VALUE", "Run 5 does not exist."), True),
        (answer(400, "INVALID_PARAMETER_VALUE", "Run: 5 in job: 7 doesn't exist"), True),
        (answer(404, "RESOURCE_DOES_NOT_EXIST", "whatever"), True),
        (answer(400, "RESOURCE_DOES_NOT_EXIST", "whatever"), True),
        (answer(400, "INVALID_PARAMETER_VALUE", "Wrong page token"), False),
        (answer(400, "MALFORMED_REQUEST", "Run 5 does not exist."), False),
        (answer(404, "ENDPOINT_NOT_FOUND", "No API found"), False),
        (answer(404, "NOT_FOUND", "Bad Target: /api/2.2/jobs/runs/get"), False),
        (HttpReply(404, (), b"<html>Not Found</html>"), False),
        (HttpReply(404, (), b"[]"), False),
        (answer(403, "RESOURCE_DOES_NOT_EXIST"), False),
        (answer(500, "INVALID_PARAMETER_VALUE", "Run 5 does not exist."), False),
    ],
)
def test_only_databricks_own_word_for_it_means_that_a_run_is_gone(reply: HttpReply, gone: bool) -> None:
    """T-22: a gateway's 404 says nothing of the run."""
    assert is_gone(reply) is gone


@pytest.mark.parametrize("life", [*RUNNING, "WAITING_FOR_RETRY"])
def test_a_run_that_waits_or_runs_or_cleans_up_goes_on(life: str) -> None:
    step = going(life)
    assert [report(one).state for one in (step, older(step), newer(step))] == [JobState.RUNNING] * 3


def test_a_run_that_cleans_up_goes_on_although_its_result_is_known() -> None:
    state = {"life_cycle_state": "TERMINATING", "result_state": "SUCCESS"}
    assert report({"state": state}).state is JobState.RUNNING


@pytest.mark.parametrize("form", [dict, older, newer])
def test_success_is_terminated_and_success(form: Any) -> None:
    assert report(form(ended("SUCCESS"))).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("step", "category"),
    [
        (ended("FAILED"), "TRANSIENT"),
        (ended("TIMEDOUT"), "TIMEOUT"),
        (ended("TIMEDOUT", code="CANCELED"), "TIMEOUT"),
        (ended("CANCELED"), "PERMANENT"),
        (ended("CANCELED", code="CANCELED", kind="INTERNAL_ERROR"), "PERMANENT"),
        (ended("UPSTREAM_FAILED", code="RUN_EXECUTION_ERROR"), "TRANSIENT"),
        (ended("UPSTREAM_CANCELED"), "PERMANENT"),
        (ended("EXCLUDED"), "PERMANENT"),
        (ended("DISABLED"), "PERMANENT"),
        (ended("MAXIMUM_CONCURRENT_RUNS_REACHED"), "TRANSIENT"),
        (ended("MAXIMUM_CONCURRENT_RUNS_REACHED", life="SKIPPED"), "TRANSIENT"),
        (ended("SUCCESS_WITH_FAILURES"), "TRANSIENT"),
        (ended("SUCCESS", code="SUCCESS_WITH_FAILURES"), "TRANSIENT"),
        (ended("", life="SKIPPED", code="SKIPPED"), "PERMANENT"),
        (ended("", life="SKIPPED", code="CLOUD_FAILURE"), "PERMANENT"),
        (ended("SUCCESS", life="SKIPPED"), "PERMANENT"),
        (ended("", life="INTERNAL_ERROR"), "TRANSIENT"),
        (ended("FAILED", life="INTERNAL_ERROR", code="CLUSTER_ERROR", kind="CLOUD_FAILURE"), "TRANSIENT"),
        (ended("FAILED", life="INTERNAL_ERROR", code="INVALID_CLUSTER_REQUEST"), "PERMANENT"),
        (ended("FAILED", code="UNAUTHORIZED_ERROR"), "PERMANENT"),
        (ended("FAILED", code="WORKSPACE_RUN_LIMIT_EXCEEDED", kind="CLIENT_ERROR"), "TRANSIENT"),
        (ended("FAILED", code="A_CODE_TO_COME", kind="CLIENT_ERROR"), "PERMANENT"),
        (ended("FAILED", code="A_CODE_TO_COME", kind="CLOUD_FAILURE"), "TRANSIENT"),
        (ended("FAILED", code="A_CODE_TO_COME", kind="A_KIND_TO_COME"), "TRANSIENT"),
    ],
)
def test_how_a_run_failed_decides_whether_another_can_help(step: Any, category: str) -> None:
    """T-21: and one that somebody stopped is not started again."""
    found = report(step)
    assert (found.state, found.category) == (JobState.FAILED, category)


@pytest.mark.parametrize("result", [*RESULTS, "FAILED", "UPSTREAM_FAILED", "SUCCESS_WITH_FAILURES"])
def test_no_result_but_success_is_one_in_the_older_form(result: str) -> None:
    found = report(older(ended(result)))
    assert found.state is JobState.FAILED
    assert result in found.reason


@pytest.mark.parametrize(
    ("code", "state", "category"),
    [
        ("SUCCESS_WITH_FAILURES", JobState.FAILED, "TRANSIENT"),
        ("USER_CANCELED", JobState.FAILED, "PERMANENT"),
        ("SKIPPED", JobState.FAILED, "PERMANENT"),
        ("DRIVER_ERROR", JobState.FAILED, "TRANSIENT"),
        ("", JobState.UNSEEN, None),
    ],
)
def test_the_newer_form_alone_is_read_by_its_code(code: str, state: JobState, category: str | None) -> None:
    details = {"code": code, "type": "CLIENT_ERROR"}
    found = report({"status": {"state": "TERMINATED", "termination_details": details}})
    assert (found.state, found.category) == (state, category)


def test_a_partial_success_is_one_only_where_the_file_says_so() -> None:
    tasks = [{"task_key": "side", "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}]
    step = ended("SUCCESS_WITH_FAILURES", tasks=tasks)
    assert report(step).state is JobState.FAILED
    wanted = report(step, partial=True)
    assert wanted.state is JobState.SUCCEEDED
    assert "side" in wanted.reason
    assert report(ended("FAILED"), partial=True).state is JobState.FAILED


@pytest.mark.parametrize(
    "run",
    [
        {},
        [],
        None,
        "TERMINATED",
        {"state": "TERMINATED"},
        {"state": {"life_cycle_state": "HIBERNATING"}},
        {"state": {"life_cycle_state": 5}},
        {"state": {"life_cycle_state": "TERMINATED"}},
        {"state": {"life_cycle_state": "TERMINATED", "result_state": "GLORIOUS"}},
        {"state": {"life_cycle_state": "TERMINATED", "result_state": ["SUCCESS"]}},
        {"status": {"state": "HIBERNATING"}},
        ended("SUCCESS", code="CLUSTER_ERROR"),
    ],
)
def test_what_is_unknown_or_contradicts_itself_is_neither_an_end_nor_running(run: Any) -> None:
    """T-22: else a state that is yet to come would run for ever, or be taken for success."""
    found = report(run)
    assert found.state is JobState.UNSEEN
    assert found.reason


def test_an_end_in_one_form_does_not_count_while_the_other_goes_on() -> None:
    mixed = {"state": ended("SUCCESS")["state"], "status": {"state": "RUNNING"}}
    assert report(mixed).state is JobState.RUNNING


def test_the_reason_says_what_databricks_says_and_which_tasks_failed() -> None:
    state = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    tasks: list[Any] = [
        {"task_key": "good", "state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}},
        {"task_key": "bad", "attempt_number": 0, "state": state},
        {"task_key": "later", "state": {"life_cycle_state": "TERMINATED", "result_state": "UPSTREAM_FAILED"}},
        {"task_key": "lost", "state": {"life_cycle_state": "INTERNAL_ERROR"}},
        "nonsense",
        {"state": state},
    ]
    found = report(older(ended("FAILED", message="Task bad failed.", tasks=tasks)))
    assert found.reason == "Databricks says TERMINATED/FAILED (failed tasks: bad, lost): Task bad failed."


def test_a_task_that_did_well_when_it_was_retried_is_not_among_the_failed() -> None:
    bad = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    good = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
    tasks = [
        {"task_key": "flaky", "attempt_number": 1, "state": good},
        {"task_key": "flaky", "attempt_number": 0, "state": bad},
        {"task_key": "hopeless", "attempt_number": 0, "state": bad},
        {"task_key": "hopeless", "attempt_number": 1, "state": bad},
    ]
    assert "(failed tasks: hopeless)" in report(ended("FAILED", tasks=tasks)).reason


def test_of_very_many_failed_tasks_a_few_are_named() -> None:
    """BUG-120."""
    state = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    tasks = [{"task_key": "x" * 500 + str(number), "state": state} for number in range(100)]
    whole = report_of(ended("FAILED", tasks=tasks), partial_succeeds=False, fit=str).reason
    assert "and 95 more" in whole
    assert len(whole) < 700
