from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws, states, trouble
from tests.unit.triggers.glue_runs import NAME, TIMEOUT, a_run, a_trigger, an_aws

from interlock.codec.documents import document, mapping
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.glue import GlueConfig, GlueTrigger

ENDS = {
    "STARTING": (JobState.RUNNING, None),
    "RUNNING": (JobState.RUNNING, None),
    "STOPPING": (JobState.RUNNING, None),
    "WAITING": (JobState.RUNNING, None),
    "SUCCEEDED": (JobState.SUCCEEDED, None),
    "FAILED": (JobState.FAILED, FailureCategory.TRANSIENT),
    "ERROR": (JobState.FAILED, FailureCategory.TRANSIENT),
    "TIMEOUT": (JobState.FAILED, FailureCategory.TIMEOUT),
    "EXPIRED": (JobState.FAILED, FailureCategory.TIMEOUT),
    "STOPPED": (JobState.FAILED, FailureCategory.PERMANENT),
}


# ---------------------------------------------------------------- starting


def test_a_start_asks_for_one_run_with_the_key_among_its_arguments() -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    job = a_job(attempt=2)
    handle = a_trigger(aws, arguments={"day": "2026-03-07", "--mode": "full"}).start(job, timeout=TIMEOUT)
    assert handle.id == "jr_1"
    (asked,) = aws.asked
    assert asked.parameters == {
        "JobName": NAME,
        "Arguments": {
            "--day": "2026-03-07",
            "--mode": "full",
            "--interlock-key": job.key,
            "--interlock-run-id": job.run.run_id,
            "--interlock-pipeline": "daily-sales",
            "--interlock-schedule": "daily",
            "--interlock-date": "2026-03-07",
            "--interlock-attempt": "2",
        },
    }
    assert asked.timeout == TIMEOUT


def test_every_setting_of_the_run_reaches_glue() -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    config = {
        "workerType": "G.2X",
        "numberOfWorkers": 10,
        "jobTimeout": 90,
        "executionClass": "FLEX",
        "securityConfiguration": "encrypted",
        "notifyDelayAfter": 15,
        "jobRunQueuingEnabled": False,
    }
    shaped = msgspec.convert({"jobName": NAME, **config}, GlueConfig)
    GlueTrigger(shaped, aws.context()).start(a_job(), timeout=TIMEOUT)
    sent = {key: value for key, value in aws.asked[0].parameters.items() if key not in ("JobName", "Arguments")}
    assert sent == {
        "WorkerType": "G.2X",
        "NumberOfWorkers": 10,
        "Timeout": 90,
        "ExecutionClass": "FLEX",
        "SecurityConfiguration": "encrypted",
        "NotificationProperty": {"NotifyDelayAfter": 15},
        "JobRunQueuingEnabled": False,
    }


def test_capacity_in_dpus_is_asked_for_by_itself() -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    a_trigger(aws, max_capacity=0.0625).start(a_job(), timeout=TIMEOUT)
    assert aws.asked[0].parameters["MaxCapacity"] == 0.0625


def test_a_trace_is_handed_on_to_the_job() -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    a_trigger(aws).start(msgspec.structs.replace(a_job(), traceparent="00-ab-cd-01"), timeout=TIMEOUT)
    assert aws.asked[0].parameters["Arguments"]["--interlock-traceparent"] == "00-ab-cd-01"


def test_a_handle_says_where_the_run_is_and_shows_its_page() -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    handle = a_trigger(aws, job_name="daily sales").start(a_job(), timeout=TIMEOUT)
    assert mapping(handle.details) == {
        "job": "daily sales",
        "region": "eu-central-1",
        "url": "https://eu-central-1.console.aws.amazon.com/gluestudio/home?region=eu-central-1"
        "#/job/daily%20sales/run/jr_1",
    }


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "us-iso-east-1", ""])
def test_no_page_is_shown_where_its_address_is_not_known(region: str) -> None:
    aws = FakeAws(start_job_run={"JobRunId": "jr_1"})
    handle = a_trigger(aws, region=region).start(a_job(), timeout=TIMEOUT)
    assert "url" not in mapping(handle.details)


@pytest.mark.parametrize("answer", [{}, {"JobRunId": ""}])
def test_a_run_without_an_id_is_a_started_one_that_nobody_can_follow(answer: dict[str, str]) -> None:
    """LAT-07."""
    with pytest.raises(TriggerError) as caught:
        a_trigger(FakeAws(start_job_run=answer)).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (True, "PERMANENT")
    assert "Glue's console" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "category", "started"),
    [
        ("ConcurrentRunsExceededException", "TRANSIENT", False),
        ("ResourceNumberLimitExceededException", "TRANSIENT", False),
        ("EntityNotFoundException", "PERMANENT", False),
        ("InvalidInputException", "PERMANENT", False),
        ("AccessDeniedException", "PERMANENT", False),
        ("OperationTimeoutException", "TIMEOUT", None),
        ("InternalServiceException", "TRANSIENT", None),
    ],
)
def test_what_glue_refuses_says_whether_another_try_can_help(code: str, category: str, *, started: bool | None) -> None:
    """T-20: all of these may come with the same HTTP status."""
    with pytest.raises(TriggerError) as caught:
        a_trigger(FakeAws(start_job_run=trouble(code))).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == (category, started)
    assert code in str(caught.value)


def test_a_job_that_is_not_there_says_what_to_correct() -> None:
    aws = FakeAws(start_job_run=trouble("EntityNotFoundException"))
    with pytest.raises(TriggerError, match="correct `jobName` or `region`"):
        a_trigger(aws).start(a_job(), timeout=TIMEOUT)


def test_words_of_glue_are_repeated_without_the_secrets_in_them() -> None:
    aws = FakeAws(
        start_job_run=trouble("InvalidInputException", "the argument --login hunter2x is " + "too long " * 99)
    )
    with pytest.raises(TriggerError) as caught:
        a_trigger(aws, "hunter2x").start(a_job(), timeout=TIMEOUT)
    assert "hunter2x" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_without_the_extra_it_says_what_to_install() -> None:
    context = msgspec.structs.replace(FakeAws().context(), aws=None)
    with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
        GlueTrigger(GlueConfig(job_name=NAME), context)


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"arguments": {"day": "1", "--day": "2"}}, "--day twice"),
        ({"arguments": {"interlock-key": "mine"}}, "Interlock's own"),
        ({"maxCapacity": 2, "workerType": "G.1X"}, "does not go with"),
        ({"maxCapacity": 2, "numberOfWorkers": 2}, "does not go with"),
        ({"executionClass": "CHEAP"}, "STANDARD or FLEX"),
        ({"jobTimeout": 0}, ">= 1"),
        ({"jobTimeout": 10_081}, "<= 10080"),
        ({"numberOfWorkers": 0}, ">= 1"),
        ({"jobname": "x"}, "unknown field"),
    ],
)
def test_a_contradiction_is_refused_in_words(config: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"jobName": NAME, **config}, GlueConfig)


def test_a_placeholder_may_stand_where_a_word_is_checked() -> None:
    config = msgspec.convert({"jobName": "{{pipeline}}", "executionClass": "${env:CLASS}"}, GlueConfig)
    assert config.execution_class == "${env:CLASS}"


# ---------------------------------------------------------------- looking for it


def many_pages(count: int, last: list[dict[str, Any]]) -> Any:
    """Answer a listing of so many pages of 200 runs of others; the last one holds these."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        page = int(asked.get("NextToken", "0"))
        others = [a_run("SUCCEEDED", f"jr_{page}_{number}", job=a_job("other")) for number in range(200)]
        if page == count - 1:
            return {"JobRuns": [*others, *last]}
        return {"JobRuns": others, "NextToken": str(page + 1)}

    return answer


def test_a_run_is_found_among_ten_thousand() -> None:
    aws = FakeAws(get_job_runs=many_pages(50, [a_run("RUNNING", "jr_mine")]))
    found = a_trigger(aws).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == "jr_mine"
    assert all(asked.parameters["MaxResults"] == 200 for asked in aws.asked)


def test_a_search_stops_at_the_run_it_looks_for() -> None:
    aws = FakeAws(get_job_runs={"JobRuns": [a_run("RUNNING")], "NextToken": "more"})
    assert isinstance(a_trigger(aws).find(a_job(), timeout=TIMEOUT), JobHandle)
    assert aws.times("get_job_runs") == 1


def test_only_a_search_to_the_end_is_certain() -> None:
    aws = FakeAws(get_job_runs=many_pages(50, []))
    assert a_trigger(aws).find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
    assert aws.times("get_job_runs") == 50


def test_a_search_that_runs_out_of_time_knows_nothing_and_keeps_within_it() -> None:
    aws = FakeAws(get_job_runs=many_pages(50, []))
    config = GlueConfig(job_name=NAME)
    trigger = GlueTrigger(config, aws.context(), now=lambda: 1.5 * len(aws.asked))
    assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN
    assert aws.times("get_job_runs") < 15
    spent = 1.5 * (len(aws.asked) - 1)
    assert spent + aws.asked[-1].timeout.total_seconds() <= TIMEOUT.total_seconds()


def test_calls_of_one_search_have_few_different_limits() -> None:
    """Every other limit of time is another client of the door, with connections of its own."""
    aws = FakeAws(get_job_runs=many_pages(50, []))
    GlueTrigger(GlueConfig(job_name=NAME), aws.context(), now=lambda: 0.3 * len(aws.asked)).find(
        a_job(), timeout=TIMEOUT
    )
    assert len({asked.timeout for asked in aws.asked}) <= 6


def test_another_attempt_s_key_is_not_taken_for_this_one_s() -> None:
    aws = FakeAws(get_job_runs={"JobRuns": [a_run("RUNNING", job=a_job(attempt=11))]})
    assert a_trigger(aws).find(a_job(attempt=1), timeout=TIMEOUT) is Absent.CERTAINLY


def test_runs_without_arguments_are_passed_over() -> None:
    aws = FakeAws(get_job_runs={"JobRuns": [{"Id": "jr_0", "JobRunState": "RUNNING"}, a_run("RUNNING")]})
    assert isinstance(a_trigger(aws).find(a_job(), timeout=TIMEOUT), JobHandle)


@pytest.mark.parametrize("code", ["EntityNotFoundException", "AccessDeniedException", "ThrottlingException"])
def test_what_cannot_be_searched_is_not_known(code: str) -> None:
    """A job deleted meanwhile took the list of its runs with it."""
    aws = FakeAws(get_job_runs=trouble(code))
    assert a_trigger(aws).find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_the_newest_attempt_of_glue_s_own_is_what_is_found() -> None:
    runs = [a_run("RUNNING", "jr_1_attempt_1", attempt=1), a_run("FAILED", "jr_1")]
    found = a_trigger(an_aws(*reversed(runs))).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == "jr_1_attempt_1"


# ---------------------------------------------------------------- looking at it


def test_every_state_of_glue_has_a_meaning() -> None:
    assert states("glue", "JobRunState") == set(ENDS)


@pytest.mark.parametrize("state", list(ENDS))
def test_a_state_of_glue_is_told_as_what_it_means(state: str) -> None:
    """T-21."""
    report = a_trigger(an_aws(a_run(state))).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert (report.state, report.category) == ENDS[state]
    if report.state is JobState.FAILED:
        assert "disk on fire" in report.reason
        assert state in report.reason


@pytest.mark.parametrize("run", [{"Id": "jr_1", "JobRunState": "PONDERING"}, {}])
def test_a_state_of_the_future_is_neither_an_end_nor_running(run: dict[str, Any]) -> None:
    aws = FakeAws(get_job_run={"JobRun": run})
    report = a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "update Interlock" in report.reason


def test_a_run_is_looked_for_where_it_was_started() -> None:
    """T-23: an edited pipeline may have another job and region. LAT-22: and the role is the one that started it."""
    aws = an_aws(a_run("RUNNING"))
    handle = JobHandle(id="jr_1", details=document({"job": "old-name", "region": "us-west-2"}))
    a_trigger(aws, job_name="new-name", assume_role="arn:aws:iam::123456789012:role/r").poll(
        a_job(), handle, timeout=TIMEOUT
    )
    (asked,) = aws.asked
    assert asked.parameters == {"JobName": "old-name", "RunId": "jr_1"}
    assert asked.options.region == "us-west-2"
    assert asked.options.assume_role == "arn:aws:iam::123456789012:role/r"


def test_a_deleted_run_has_vanished() -> None:
    """T-22."""
    aws = FakeAws(get_job_run=trouble("EntityNotFoundException"))
    report = a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert report.state is JobState.VANISHED
    assert "cannot be known" in report.reason


def test_a_reason_of_a_failure_holds_no_secret_and_is_short() -> None:
    run = a_run("FAILED", ErrorMessage="cannot log in with hunter2x\n" + "at java.lang " * 999)
    report = a_trigger(an_aws(run), "hunter2x").poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert "hunter2x" not in report.reason
    assert "cannot log in" in report.reason
    assert len(report.reason) <= 512
