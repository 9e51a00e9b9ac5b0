from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import Answer, FakeAws, states, trouble

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobReport, JobState
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.step_function import StepFunctionConfig, StepFunctionTrigger

TIMEOUT = timedelta(seconds=20)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:load-sales"
NAME = "daily-sales-daily-2026-03-07-1-1"
STANDARD = {"type": "STANDARD"}
ENDS = {
    "RUNNING": (JobState.RUNNING, None),
    "PENDING_REDRIVE": (JobState.RUNNING, None),
    "SUCCEEDED": (JobState.SUCCEEDED, None),
    "FAILED": (JobState.FAILED, FailureCategory.TRANSIENT),
    "TIMED_OUT": (JobState.FAILED, FailureCategory.TIMEOUT),
    "ABORTED": (JobState.FAILED, FailureCategory.PERMANENT),
}


def a_trigger(aws: FakeAws, *secrets: str, **keys: Any) -> StepFunctionTrigger:
    config = msgspec.convert({"stateMachineArn": MACHINE, **keys}, StepFunctionConfig)
    return StepFunctionTrigger(config, aws.context(*secrets))


def an_aws(**answers: Answer | list[Answer]) -> FakeAws:
    return FakeAws(**{"describe_state_machine": STANDARD, **answers})


def started(request: dict[str, Any]) -> dict[str, Any]:
    machine = request["stateMachineArn"].split(":")
    return {"executionArn": ":".join([*machine[:5], "execution", machine[6], request["name"]])}


def start_of(aws: FakeAws) -> dict[str, Any]:
    return next(one.parameters for one in aws.asked if one.operation == "start_execution")


def looked(**seen: Any) -> JobReport:
    handle = JobHandle(id=f"{MACHINE.replace('stateMachine', 'execution')}:{NAME}")
    return a_trigger(FakeAws(describe_execution=seen)).poll(a_job(), handle, timeout=TIMEOUT)


def refused(aws: FakeAws, **keys: Any) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        a_trigger(aws, **keys).start(a_job(), timeout=TIMEOUT)
    return caught.value


# ---------------------------------------------------------------- starting


def test_an_execution_is_named_by_the_key_and_given_the_arguments_and_nothing_else() -> None:
    aws = an_aws(start_execution=started)
    handle = a_trigger(aws, arguments={"day": "2026-03-07", "rows": 7}).start(a_job(), timeout=TIMEOUT)
    request = start_of(aws)
    assert request["name"].startswith("daily-sales-daily-2026-03-07-1-1")
    assert len(request["name"]) <= 80
    assert json.loads(request.pop("input")) == {"day": "2026-03-07", "rows": 7}
    assert request == {"stateMachineArn": MACHINE, "name": request["name"]}
    assert handle.id == f"arn:aws:states:eu-west-1:123456789012:execution:load-sales:{request['name']}"
    assert mapping(handle.details)["url"] == (
        f"https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{handle.id}"
    )


def test_two_long_names_that_begin_alike_stay_apart() -> None:
    aws = an_aws(start_execution=started)
    long = "a" * 200
    for name in (f"{long}-eu", f"{long}-us"):
        a_trigger(aws).start(a_job(name), timeout=TIMEOUT)
    first, second = (one.parameters["name"] for one in aws.asked if one.operation == "start_execution")
    assert first != second
    assert max(len(first), len(second)) <= 80


@pytest.mark.parametrize("value", [[1, 2], "text", 7, None, True, {"a": {"b": None}}])
def test_any_json_value_may_be_the_input(value: Any) -> None:
    aws = an_aws(start_execution=started)
    a_trigger(aws, input=value).start(a_job(), timeout=TIMEOUT)
    assert json.loads(start_of(aws)["input"]) == value


def test_the_same_input_is_the_same_text_in_whatever_order_it_was_written() -> None:
    """T-99: a repeated start joins the first one only then."""
    texts = []
    for value in ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}):
        aws = an_aws(start_execution=started)
        a_trigger(aws, input=value).start(a_job(), timeout=TIMEOUT)
        texts.append(start_of(aws)["input"])
    assert texts[0] == texts[1]


def test_an_input_that_is_too_large_is_refused_before_anything_is_asked() -> None:
    aws = an_aws()
    error = refused(aws, input="ö" * (128 * 1024))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "262146 bytes" in str(error)
    assert aws.asked == []


def test_the_step_of_the_trace_is_handed_on_as_x_ray_writes_it() -> None:
    aws = an_aws(start_execution=started)
    job = msgspec.structs.replace(a_job(), traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    a_trigger(aws).start(job, timeout=TIMEOUT)
    expected = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"
    assert start_of(aws)["traceHeader"] == expected


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-short-00f067aa0ba902b7-01"])
def test_what_is_no_trace_is_not_handed_on(traceparent: str) -> None:
    aws = an_aws(start_execution=started)
    a_trigger(aws).start(msgspec.structs.replace(a_job(), traceparent=traceparent), timeout=TIMEOUT)
    assert "traceHeader" not in start_of(aws)


def test_calls_go_to_the_region_of_the_arn() -> None:
    aws = an_aws(start_execution=started)
    a_trigger(aws).start(a_job(), timeout=TIMEOUT)
    assert {one.options.region for one in aws.asked} == {"eu-west-1"}


def test_all_calls_of_a_start_share_its_limit_of_time() -> None:
    aws = an_aws(start_execution=started)
    a_trigger(aws).start(a_job(), timeout=TIMEOUT)
    assert [one.timeout for one in aws.asked] == [TIMEOUT, TIMEOUT / 2]


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("ExecutionLimitExceeded", "TRANSIENT"),
        ("InvalidArn", "PERMANENT"),
        ("InvalidExecutionInput", "PERMANENT"),
        ("InvalidName", "PERMANENT"),
        ("KmsAccessDeniedException", "PERMANENT"),
        ("KmsThrottlingException", "TRANSIENT"),
        ("StateMachineDeleting", "PERMANENT"),
        ("StateMachineDoesNotExist", "PERMANENT"),
    ],
)
def test_a_refused_start_says_whether_trying_again_can_help(code: str, category: str) -> None:
    error = refused(an_aws(start_execution=trouble(code)))
    assert (error.started, error.category) == (False, category)


def test_an_answer_without_an_arn_is_a_job_that_cannot_be_watched() -> None:
    """BUG-115, LAT-07."""
    error = refused(an_aws(start_execution={}))
    assert (error.started, error.category) == (True, "PERMANENT")


def test_a_machine_of_a_type_that_nobody_knows_is_not_started() -> None:
    aws = an_aws(describe_state_machine={"type": "TURBO"})
    error = refused(aws)
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "TURBO" in str(error)
    assert aws.times("start_execution") == 0


# ---------------------------------------------------------------- looking


def test_every_status_of_an_execution_has_a_meaning() -> None:
    assert set(ENDS) == states("stepfunctions", "ExecutionStatus")


@pytest.mark.parametrize("status", sorted(ENDS))
def test_a_status_means_what_it_says(status: str) -> None:
    """T-22."""
    report = looked(status=status, error="Sales.NoRows", cause="the table is empty")
    assert (report.state, report.category) == ENDS[status]
    if report.state is JobState.FAILED:
        assert report.reason == f"the execution is {status}: Sales.NoRows: the table is empty"


def test_a_status_of_tomorrow_is_neither_an_end_nor_a_run() -> None:
    report = looked(status="PAUSED")
    assert report.state is JobState.UNSEEN
    assert "PAUSED" in report.reason


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ("States.Timeout", FailureCategory.TIMEOUT),
        ("States.TaskFailed", FailureCategory.TRANSIENT),
        ("Lambda.TooManyRequestsException", FailureCategory.TRANSIENT),
        ("States.Runtime", FailureCategory.PERMANENT),
        ("States.NoChoiceMatched", FailureCategory.PERMANENT),
        ("States.DataLimitExceeded", FailureCategory.PERMANENT),
        ("States.Permissions", FailureCategory.PERMANENT),
    ],
)
def test_the_error_of_a_failed_execution_decides_its_category(error: str, category: FailureCategory) -> None:
    """T-21."""
    assert looked(status="FAILED", error=error).category is category


def test_a_long_cause_with_a_secret_in_it_is_cut_and_cleaned() -> None:
    """BUG-120."""
    handle = JobHandle(id=f"{MACHINE.replace('stateMachine', 'execution')}:{NAME}")
    cause = f"\x1b[31mpassword=hunter2 s3cr3t\n{'x' * 30_000}"
    aws = FakeAws(describe_execution={"status": "FAILED", "error": "E", "cause": cause})
    report = a_trigger(aws, "s3cr3t").poll(a_job(), handle, timeout=TIMEOUT)
    assert "hunter2" not in report.reason
    assert "s3cr3t" not in report.reason
    assert len(report.reason.encode()) <= 512
    assert "\x1b" not in report.reason


def test_an_execution_that_is_gone_has_vanished_and_other_trouble_says_nothing() -> None:
    """T-22."""
    handle = JobHandle(id=f"{MACHINE.replace('stateMachine', 'execution')}:{NAME}")
    for code, state in (("ExecutionDoesNotExist", JobState.VANISHED), ("InvalidArn", JobState.UNSEEN)):
        aws = FakeAws(describe_execution=trouble(code))
        assert a_trigger(aws).poll(a_job(), handle, timeout=TIMEOUT).state is state


# ---------------------------------------------------------------- finding and stopping


def test_an_execution_whose_input_is_not_shown_is_found_by_its_name() -> None:
    """What a key of the machine's own encrypts cannot be compared."""
    aws = FakeAws(describe_execution={"status": "RUNNING", "inputDetails": {"included": False}})
    found = a_trigger(aws, input={"a": 1}).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == aws.asked[0].parameters["executionArn"]


def test_an_execution_with_another_input_is_not_taken_for_this_one() -> None:
    aws = FakeAws(describe_execution={"status": "SUCCEEDED", "input": '{"a": 2}'})
    assert a_trigger(aws, input={"a": 1}).find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_stopping_gives_no_cause_so_that_no_key_is_needed_and_a_lost_execution_is_stopped_already() -> None:
    handle = JobHandle(id=f"{MACHINE.replace('stateMachine', 'execution')}:{NAME}")
    aws = FakeAws(stop_execution=[{}, trouble("ExecutionDoesNotExist"), trouble("ValidationException")])
    for _ in range(2):
        a_trigger(aws).cancel(a_job(), handle, timeout=TIMEOUT)
    assert aws.asked[0].parameters == {"executionArn": handle.id}
    with pytest.raises(TriggerError, match="could not be stopped"):
        a_trigger(aws).cancel(a_job(), handle, timeout=TIMEOUT)


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"arguments": {"a": 1}, "input": {}}, "keep one"),
        ({"stateMachineArn": "load-sales"}, "must look like arn:aws:states"),
        ({"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:activity:a"}, "must look like"),
        ({"stateMachineArn": "arn:aws:states::123456789012:stateMachine:a"}, "must look like"),
        ({"region": "us-east-1"}, "which is eu-west-1"),
        ({"name": "x"}, "unknown field"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"stateMachineArn": MACHINE, **keys}, StepFunctionConfig)


@pytest.mark.parametrize(
    "arn",
    [
        "${env:MACHINE}",
        "{{pipeline}}",
        f"{MACHINE}:7",
        MACHINE.replace("aws:states:eu-west-1", "aws-cn:states:cn-north-1"),
    ],
)
def test_placeholders_versions_and_other_partitions_pass(arn: str) -> None:
    assert msgspec.convert({"stateMachineArn": arn}, StepFunctionConfig).state_machine_arn == arn


def test_other_partitions_have_no_page_that_is_known() -> None:
    aws = an_aws(start_execution=started)
    machine = MACHINE.replace("aws:states:eu-west-1", "aws-cn:states:cn-north-1")
    handle = a_trigger(aws, stateMachineArn=machine).start(a_job(), timeout=TIMEOUT)
    assert mapping(handle.details) == {}


def test_without_a_door_it_says_what_to_install() -> None:
    context = msgspec.structs.replace(FakeAws().context(), aws=None)
    with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
        StepFunctionTrigger(StepFunctionConfig(state_machine_arn=MACHINE), context)
