from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.fakeaws import NOW, FakeAws, trouble
from tests.unit.triggers.glue_runs import NAME, TIMEOUT, a_run, a_trigger, an_aws

from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import JobHandle, JobState
from interlock.testing.conformance.triggers import a_job


@pytest.mark.parametrize("state", ["FAILED", "ERROR", "TIMEOUT"])
def test_a_failed_run_that_glue_has_begun_again_goes_on(state: str) -> None:
    again = a_run("RUNNING", "jr_1_attempt_1", attempt=1)
    aws = an_aws(again, a_run(state), retries=1)
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.RUNNING


def test_the_last_attempt_s_end_is_the_end() -> None:
    again = a_run("SUCCEEDED", "jr_1_attempt_2", attempt=2)
    aws = an_aws(again, a_run("FAILED", "jr_1_attempt_1", attempt=1), a_run("FAILED"), retries=2)
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.SUCCEEDED


def test_a_run_whose_retries_are_used_up_has_failed_at_once() -> None:
    last = a_run("FAILED", "jr_1_attempt_1", attempt=1, CompletedOn=NOW)
    report = a_trigger(an_aws(last, a_run("FAILED"), retries=1)).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert (report.state, report.category) == (JobState.FAILED, FailureCategory.TRANSIENT)
    assert "(Glue's own retry 1)" in report.reason


def test_a_run_that_glue_may_begin_again_is_waited_for() -> None:
    """Were it called failed, Interlock and Glue would both start the job again."""
    aws = an_aws(a_run("FAILED", CompletedOn=NOW - timedelta(minutes=9)), retries=1)
    report = a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert report.state is JobState.RUNNING
    assert "start it again by itself" in report.reason


def test_a_run_that_glue_has_not_begun_again_in_time_has_failed() -> None:
    aws = an_aws(a_run("TIMEOUT", CompletedOn=NOW - timedelta(minutes=11)), retries=3)
    report = a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert (report.state, report.category) == (JobState.FAILED, FailureCategory.TIMEOUT)


@pytest.mark.parametrize("state", ["STOPPED", "EXPIRED"])
def test_a_run_that_glue_never_begins_again_is_not_waited_for(state: str) -> None:
    aws = an_aws(a_run(state, CompletedOn=NOW), retries=3)
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.FAILED


@pytest.mark.parametrize(("age", "state"), [(1, JobState.RUNNING), (11, JobState.FAILED)])
def test_where_the_number_of_retries_is_not_shown_there_may_be_one(age: int, state: JobState) -> None:
    run = a_run("FAILED", CompletedOn=NOW - timedelta(minutes=age))
    aws = an_aws(run, get_job=trouble("AccessDeniedException"))
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is state


def test_the_runs_of_a_deleted_job_are_not_begun_again() -> None:
    aws = an_aws(a_run("FAILED", CompletedOn=NOW), get_job=trouble("EntityNotFoundException"))
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.FAILED


@pytest.mark.parametrize("operation", ["get_job", "get_job_runs"])
def test_a_failure_is_not_told_before_it_is_known_to_be_the_last(operation: str) -> None:
    aws = an_aws(a_run("FAILED"))
    aws.answers[operation] = trouble("ThrottlingException", category="TRANSIENT")
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.UNSEEN


def test_a_failure_without_a_time_is_not_told_while_glue_may_begin_it_again() -> None:
    run = a_run("FAILED")
    del run["CompletedOn"]
    report = a_trigger(an_aws(run, retries=1)).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "cannot be known" in report.reason


def test_the_runs_before_a_failed_one_are_not_searched() -> None:
    aws = an_aws(a_run("FAILED"), get_job_runs={"JobRuns": [a_run("FAILED")], "NextToken": "older"})
    assert a_trigger(aws).poll(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT).state is JobState.FAILED
    assert aws.times("get_job_runs") == 1


# ---------------------------------------------------------------- stopping


def stopping(*errors: tuple[str, str]) -> dict[str, Any]:
    details = [{"ErrorDetail": {"ErrorCode": code, "ErrorMessage": words}} for code, words in errors]
    return {"SuccessfulSubmissions": [], "Errors": details}


def test_what_is_stopped_is_the_newest_of_glue_s_attempts() -> None:
    again = a_run("RUNNING", "jr_1_attempt_1", attempt=1)
    aws = an_aws(again, a_run("FAILED"), retries=1, batch_stop_job_run=stopping())
    a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert aws.asked[-1].parameters == {"JobName": NAME, "JobRunIds": ["jr_1_attempt_1"]}


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "STOPPING", "STOPPED"])
def test_a_run_that_has_ended_or_is_ending_is_not_stopped_again(state: str) -> None:
    aws = an_aws(a_run(state))
    a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert aws.times("batch_stop_job_run") == 0


def test_a_run_that_glue_may_begin_again_cannot_be_said_to_be_stopped() -> None:
    aws = an_aws(a_run("FAILED", CompletedOn=NOW), retries=1)
    with pytest.raises(TriggerError, match="stop it again") as caught:
        a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert caught.value.category == "TRANSIENT"


def test_an_error_of_stopping_a_run_that_ended_meanwhile_is_none() -> None:
    aws = FakeAws(
        get_job_run=[{"JobRun": a_run("RUNNING")}, {"JobRun": a_run("SUCCEEDED")}],
        batch_stop_job_run=stopping(("JobRunNotInRunningStateException", "it is over")),
    )
    a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert aws.times("get_job_run") == 2


def test_an_error_of_stopping_a_run_that_goes_on_is_told() -> None:
    """LAT-21: it comes inside of an answer that says success."""
    aws = an_aws(a_run("RUNNING"), batch_stop_job_run=stopping(("InternalServiceException", "hunter2x broke")))
    with pytest.raises(TriggerError, match=r"InternalServiceException: \*\*\* broke") as caught:
        a_trigger(aws, "hunter2x").cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == ("TRANSIENT", True)


def test_a_run_that_has_vanished_need_not_be_stopped() -> None:
    aws = FakeAws(get_job_run=trouble("EntityNotFoundException"))
    a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert aws.times("batch_stop_job_run") == 0


def test_a_role_that_may_not_stop_runs_is_told_so() -> None:
    aws = an_aws(a_run("RUNNING"), batch_stop_job_run=trouble("AccessDeniedException", "glue:BatchStopJobRun"))
    with pytest.raises(TriggerError, match=r"could not be stopped.*glue:BatchStopJobRun") as caught:
        a_trigger(aws).cancel(a_job(), JobHandle(id="jr_1"), timeout=TIMEOUT)
    assert caught.value.category == "PERMANENT"
