from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws, states, trouble

from interlock.codec.documents import document, mapping
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobReport, JobState
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.emr_serverless import EmrServerlessConfig, EmrServerlessTrigger

TIMEOUT = timedelta(seconds=20)
APPLICATION = "00f1abcdexample0"
ROLE = "arn:aws:iam::123456789012:role/emr-job"
SPARK = {"sparkSubmit": {"entryPoint": "s3://jobs/load.py"}}
HIVE = {"hive": {"query": "s3://jobs/load.sql"}}
KEYS = {"applicationId": APPLICATION, "jobName": "load-sales", "executionRoleArn": ROLE, "jobDriver": SPARK}
ARN = f"arn:aws:emr-serverless:eu-west-1:123456789012:/applications/{APPLICATION}/jobruns/00run1"
STARTED = {"applicationId": APPLICATION, "jobRunId": "00run1", "arn": ARN}
HANDLE = JobHandle(id="00run1", details=document({"application": APPLICATION, "region": "eu-west-1"}))
BEGAN = datetime(2026, 3, 7, 6, 0, tzinfo=UTC)
ENDS = {
    "SUBMITTED": (JobState.RUNNING, None),
    "PENDING": (JobState.RUNNING, None),
    "SCHEDULED": (JobState.RUNNING, None),
    "QUEUED": (JobState.RUNNING, None),
    "RUNNING": (JobState.RUNNING, None),
    "CANCELLING": (JobState.RUNNING, None),
    "SUCCESS": (JobState.SUCCEEDED, None),
    "FAILED": (JobState.FAILED, FailureCategory.TRANSIENT),
    "CANCELLED": (JobState.FAILED, FailureCategory.PERMANENT),
}


def a_trigger(aws: FakeAws, *secrets: str, **keys: Any) -> EmrServerlessTrigger:
    return EmrServerlessTrigger(msgspec.convert({**KEYS, **keys}, EmrServerlessConfig), aws.context(*secrets))


def request_of(**keys: Any) -> dict[str, Any]:
    aws = FakeAws(start_job_run=STARTED)
    a_trigger(aws, **keys).start(a_job(), timeout=TIMEOUT)
    return aws.asked[0].parameters


def refused(aws: FakeAws) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        a_trigger(aws).start(a_job(), timeout=TIMEOUT)
    return caught.value


def looked(*secrets: str, **run: Any) -> JobReport:
    aws = FakeAws(get_job_run={"jobRun": {"jobRunId": "00run1", **run}})
    return a_trigger(aws, *secrets).poll(a_job(), HANDLE, timeout=TIMEOUT)


# ---------------------------------------------------------------- starting


def test_a_start_asks_for_one_job_run_under_the_key() -> None:
    """LAT-22, T-99: with the role and the driver that the service insists on."""
    request = request_of()
    token = request["clientToken"]
    assert token.startswith("daily-sales-daily-2026-03-07-1-1-")
    assert len(token) <= 64
    assert request == {
        "applicationId": APPLICATION,
        "clientToken": token,
        "executionRoleArn": ROLE,
        "name": f"load-sales {token}",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://jobs/load.py"}},
    }


def test_the_handle_holds_what_a_later_look_needs_and_a_page_for_people() -> None:
    """T-68."""
    handle = a_trigger(FakeAws(start_job_run=STARTED)).start(a_job(), timeout=TIMEOUT)
    assert handle.id == "00run1"
    assert mapping(handle.details) == {
        "application": APPLICATION,
        "region": "eu-west-1",
        "url": "https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/serverless",
    }


def test_two_long_names_that_begin_alike_have_tokens_and_names_of_their_own() -> None:
    aws = FakeAws(start_job_run=STARTED)
    for name in ("a" * 200 + "-eu", "a" * 200 + "-us"):
        a_trigger(aws, jobName="n" * 180).start(a_job(name), timeout=TIMEOUT)
    first, second = (one.parameters for one in aws.asked)
    assert first["clientToken"] != second["clientToken"]
    assert first["name"] != second["name"]
    assert len(first["clientToken"]) <= 64
    assert len(first["name"]) <= 256


def test_arguments_follow_those_of_the_driver_in_an_order_that_does_not_change() -> None:
    """LAT-22, T-99."""
    driver = {"sparkSubmit": {"entryPoint": "s3://jobs/load.py", "entryPointArguments": ["--full"]}}
    request = request_of(jobDriver=driver, arguments={"region": "eu", "day": "2026-03-07"})
    assert request["jobDriver"]["sparkSubmit"]["entryPointArguments"] == ["--full", "day=2026-03-07", "region=eu"]


def test_every_setting_of_the_job_run_reaches_the_service() -> None:
    overrides = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/"}}}
    request = request_of(
        jobDriver={
            "hive": {"query": "SELECT 1", "initQueryFile": "s3://jobs/init.sql", "parameters": "--hiveconf a=b"}
        },
        configurationOverrides=overrides,
        executionTimeoutMinutes=0,
        tags={"team": "sales"},
        mode="BATCH",
        retryPolicy={"maxAttempts": 3},
    )
    sent = {key: value for key, value in request.items() if key not in ("clientToken", "name", "applicationId")}
    assert sent == {
        "executionRoleArn": ROLE,
        "jobDriver": {
            "hive": {"query": "SELECT 1", "initQueryFile": "s3://jobs/init.sql", "parameters": "--hiveconf a=b"}
        },
        "configurationOverrides": overrides,
        "executionTimeoutMinutes": 0,
        "tags": {"team": "sales"},
        "mode": "BATCH",
        "retryPolicy": {"maxAttempts": 3},
    }


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("ValidationException", "PERMANENT"),
        ("ResourceNotFoundException", "PERMANENT"),
        ("ServiceQuotaExceededException", "TRANSIENT"),
        ("AccessDeniedException", "PERMANENT"),
    ],
)
def test_a_refused_start_says_whether_trying_again_can_help(code: str, category: str) -> None:
    error = refused(FakeAws(start_job_run=trouble(code)))
    assert (error.started, error.category) == (False, category)


def test_an_answer_without_an_id_is_a_job_that_cannot_be_watched() -> None:
    """BUG-115, LAT-07."""
    error = refused(FakeAws(start_job_run={}))
    assert (error.started, error.category) == (True, "PERMANENT")
    assert "load-sales daily-sales-daily-2026-03-07-1-1" in str(error)


@pytest.mark.parametrize(
    ("listed", "started", "words"),
    [
        ({"jobRuns": []}, False, "nothing was started"),
        (trouble("AccessDeniedException"), None, "cannot be seen"),
    ],
)
def test_a_conflict_is_a_refusal_only_where_no_job_run_has_the_key(
    listed: Any, started: bool | None, words: str
) -> None:
    error = refused(FakeAws(start_job_run=trouble("ConflictException"), list_job_runs=listed))
    assert (error.started, error.category) == (started, "TRANSIENT")
    assert words in str(error)


# ---------------------------------------------------------------- finding


def test_a_search_that_is_cut_off_is_not_certain() -> None:
    first = {"jobRuns": [{"id": "00x", "name": "other", "arn": ARN}], "nextToken": "more"}
    aws = FakeAws(list_job_runs=[first, trouble("ThrottlingException", category="TRANSIENT")])
    assert a_trigger(aws).find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_a_job_run_is_found_though_the_job_is_called_otherwise_today() -> None:
    """T-23."""
    token = request_of()["clientToken"]
    runs = [{"id": "00x", "name": f"{token}0", "arn": ARN}, {"id": "00run1", "name": f"old {token}", "arn": ARN}]
    found = a_trigger(FakeAws(list_job_runs={"jobRuns": runs})).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == "00run1"


# ---------------------------------------------------------------- looking


def test_every_state_of_a_job_run_has_a_meaning() -> None:
    assert set(ENDS) == states("emr-serverless", "JobRunState")


@pytest.mark.parametrize("state", sorted(ENDS))
def test_a_state_means_what_it_says(state: str) -> None:
    """T-22."""
    report = looked(state=state, stateDetails="no space left")
    assert (report.state, report.category) == ENDS[state]
    if report.state is JobState.FAILED:
        assert report.reason == f"the job run 00run1 ended as {state}: no space left"


def test_a_state_of_tomorrow_is_neither_an_end_nor_a_run() -> None:
    report = looked(state="HIBERNATING")
    assert report.state is JobState.UNSEEN
    assert "HIBERNATING" in report.reason


@pytest.mark.parametrize(
    ("minutes", "category"),
    [(30, FailureCategory.TIMEOUT), (31, FailureCategory.PERMANENT), (None, FailureCategory.PERMANENT)],
)
def test_a_job_run_that_its_own_limit_stopped_was_not_stopped_by_somebody(
    minutes: int | None, category: FailureCategory
) -> None:
    """The service cancels what runs for too long, and calls it CANCELLED as what people have cancelled."""
    ended = BEGAN + timedelta(minutes=30)
    report = looked(state="CANCELLED", executionTimeoutMinutes=minutes, startedAt=BEGAN, endedAt=ended)
    assert report.category is category


def test_what_the_service_says_of_a_failure_holds_no_secret() -> None:
    """BUG-120."""
    report = looked("s3cr3t", state="FAILED", stateDetails="jdbc:postgres://me:hunter2@db password=abc123 s3cr3t")
    for secret in ("hunter2", "abc123", "s3cr3t"):
        assert secret not in report.reason


def test_a_job_run_that_is_gone_has_vanished_and_other_trouble_says_nothing() -> None:
    """T-22."""
    for code, state in (("ResourceNotFoundException", JobState.VANISHED), ("ValidationException", JobState.UNSEEN)):
        aws = FakeAws(get_job_run=trouble(code))
        assert a_trigger(aws).poll(a_job(), HANDLE, timeout=TIMEOUT).state is state


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("state", ["SUCCESS", "FAILED", "CANCELLED", "CANCELLING"])
def test_what_has_ended_need_not_be_cancelled(state: str) -> None:
    aws = FakeAws(cancel_job_run=trouble("ValidationException"), get_job_run={"jobRun": {"state": state}})
    a_trigger(aws).cancel(a_job(), HANDLE, timeout=TIMEOUT)
    assert aws.times("get_job_run") == 1


@pytest.mark.parametrize("seen", [{"jobRun": {"state": "RUNNING"}}, trouble("AccessDeniedException")])
def test_what_goes_on_and_is_not_cancelled_is_told(seen: Any) -> None:
    aws = FakeAws(cancel_job_run=trouble("ValidationException"), get_job_run=seen)
    with pytest.raises(TriggerError, match="could not be stopped"):
        a_trigger(aws).cancel(a_job(), HANDLE, timeout=TIMEOUT)


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"jobDriver": {}}, "exactly one"),
        ({"jobDriver": {**SPARK, **HIVE}}, "exactly one"),
        ({"jobDriver": {"sparkSubmit": {"entryPoint": "a", "args": []}}}, "unknown field"),
        ({"jobDriver": HIVE, "arguments": {"day": "x"}}, "arguments"),
        ({"mode": "batch"}, "expected BATCH or STREAMING"),
        ({"retryPolicy": {"maxAttempts": 0}}, ">= 1"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    """AWS-50."""
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({**KEYS, **keys}, EmrServerlessConfig)


def test_a_placeholder_may_stand_where_a_word_is_expected() -> None:
    assert msgspec.convert({**KEYS, "mode": "${env:MODE}"}, EmrServerlessConfig).mode == "${env:MODE}"


def test_without_a_door_it_says_what_to_install() -> None:
    context = msgspec.structs.replace(FakeAws().context(), aws=None)
    with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
        EmrServerlessTrigger(msgspec.convert(KEYS, EmrServerlessConfig), context)
