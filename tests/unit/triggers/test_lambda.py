from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws, model, trouble

from interlock.clients.aws import AwsTrouble
from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import JobHandle, JobReport, JobState
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.lambda_function import LambdaConfig, LambdaTrigger

TIMEOUT = timedelta(seconds=20)
RUN_ID = "daily-sales:daily:2026-03-07:1"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:load-sales"
META = {"RequestId": "r-1", "HTTPStatusCode": 200}


def answered(payload: Any = b"null", **more: Any) -> dict[str, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"StatusCode": 200, "Payload": body, "ResponseMetadata": META, **more}


def a_trigger(aws: FakeAws, *secrets: str, callback: str = "", **keys: Any) -> LambdaTrigger:
    config = msgspec.convert({"functionName": "load-sales", **keys}, LambdaConfig)
    return LambdaTrigger(config, msgspec.structs.replace(aws.context(*secrets), public_url=callback))


def invoked(**keys: Any) -> dict[str, Any]:
    status = 202 if keys.get("invocation") == "async" else 200
    aws = FakeAws(invoke=answered(StatusCode=status))
    a_trigger(aws, **keys).start(a_job(), timeout=TIMEOUT)
    return aws.asked[0].parameters


def outcome(answer: dict[str, Any], *secrets: str, **keys: Any) -> JobReport:
    trigger = a_trigger(FakeAws(invoke=answer), *secrets, **keys)
    return trigger.poll(a_job(), trigger.start(a_job(), timeout=TIMEOUT), timeout=TIMEOUT)


def refused(answer: Any, **keys: Any) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        a_trigger(FakeAws(invoke=answer), **keys).start(a_job(), timeout=TIMEOUT)
    return caught.value


# ---------------------------------------------------------------- what is sent


def test_a_mapping_is_told_which_run_it_is_for_and_where_to_report() -> None:
    """T-98."""
    request = invoked(payload={"day": "2026-03-07"}, callback="https://me.example")
    assert json.loads(request["Payload"]) == {
        "day": "2026-03-07",
        "interlock": {
            "runId": RUN_ID,
            "key": f"{RUN_ID}/1",
            "attempt": 1,
            "callbackUrl": f"https://me.example/api/runs/{RUN_ID}/complete?attempt=1",
        },
    }
    assert (request["FunctionName"], request["InvocationType"]) == ("load-sales", "RequestResponse")
    assert not {"Qualifier", "ClientContext"} & set(request)


def test_a_step_of_a_trace_is_handed_on() -> None:
    aws = FakeAws(invoke=answered())
    job = msgspec.structs.replace(a_job(), traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    a_trigger(aws).start(job, timeout=TIMEOUT)
    assert json.loads(aws.asked[0].parameters["Payload"])["interlock"]["traceparent"] == job.traceparent


@pytest.mark.parametrize("payload", [[1, 2], "text", 7, None, True])
def test_any_other_value_is_sent_as_it_is(payload: Any) -> None:
    assert json.loads(invoked(payload=payload)["Payload"]) == payload


def test_the_key_stands_in_the_client_context_as_texts_beside_what_else_is_there() -> None:
    request = invoked(clientContext={"custom": {"team": "sales"}, "env": {"a": "b"}}, qualifier="PROD")
    assert request["Qualifier"] == "PROD"
    assert json.loads(base64.b64decode(request["ClientContext"])) == {
        "custom": {
            "team": "sales",
            "interlockRunId": RUN_ID,
            "interlockKey": f"{RUN_ID}/1",
            "interlockAttempt": "1",
        },
        "env": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"payload": {"x": "y" * 6 * 1024 * 1024}}, "Lambda takes 6291456"),
        ({"payload": {"x": "y" * 1024 * 1024}, "invocation": "async"}, "Lambda takes 1048576"),
        ({"clientContext": {"custom": {"x": "y" * 3000}}}, "Lambda takes 3583"),
        ({"clientContext": {"custom": "x"}}, "must be a mapping"),
    ],
)
def test_what_lambda_would_not_take_is_refused_before_it_is_sent(keys: dict[str, Any], words: str) -> None:
    aws = FakeAws()
    with pytest.raises(TriggerError, match=words) as caught:
        a_trigger(aws, **keys).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
    assert aws.asked == []


@pytest.mark.parametrize(
    ("name", "region", "page"),
    [
        (ARN, "eu-west-1", "load-sales"),
        (f"{ARN}:PROD", "eu-west-1", "load-sales"),
        ("123456789012:function:load-sales", "", ""),
        ("load-sales:7", "", ""),
    ],
)
def test_an_arn_says_which_region_is_asked_and_where_the_page_is(name: str, region: str, page: str) -> None:
    aws = FakeAws(invoke=answered())
    handle = a_trigger(aws, functionName=name).start(a_job(), timeout=TIMEOUT)
    assert aws.asked[0].options.region == region
    url = f"https://{region}.console.aws.amazon.com/lambda/home?region={region}#/functions/{page}?tab=monitoring"
    assert mapping(handle.details).get("url") == (url if page else None)


def test_a_function_is_waited_for_as_long_as_the_start_may_take() -> None:
    aws = FakeAws(invoke=answered())
    a_trigger(aws).start(a_job(), timeout=timedelta(minutes=15))
    assert [one.timeout for one in aws.asked] == [timedelta(minutes=15)]


# ---------------------------------------------------------------- what is answered


def test_the_handle_is_the_invocation_and_holds_the_outcome() -> None:
    """BUG-115, T-68."""
    handle = a_trigger(FakeAws(invoke=answered())).start(a_job(), timeout=TIMEOUT)
    assert handle.id == "r-1"
    assert mapping(handle.details) == {"invocation": "sync", "requestId": "r-1", "outcome": "succeeded"}


def test_one_key_is_one_job_of_a_function_that_heeds_it() -> None:
    trigger = a_trigger(FakeAws(invoke=answered()), idempotent=True)
    assert trigger.repeatable
    assert trigger.start(a_job(), timeout=TIMEOUT).id == f"{RUN_ID}/1"


@pytest.mark.parametrize(
    ("status", "state", "category"),
    [
        (200, JobState.SUCCEEDED, None),
        (302, JobState.SUCCEEDED, None),
        (400, JobState.FAILED, FailureCategory.PERMANENT),
        (404, JobState.FAILED, FailureCategory.PERMANENT),
        (408, JobState.FAILED, FailureCategory.TRANSIENT),
        (429, JobState.FAILED, FailureCategory.TRANSIENT),
        (500, JobState.FAILED, FailureCategory.TRANSIENT),
        ("503", JobState.FAILED, FailureCategory.TRANSIENT),
        (True, JobState.SUCCEEDED, None),
        ("no number", JobState.SUCCEEDED, None),
        (None, JobState.SUCCEEDED, None),
    ],
)
def test_an_answer_made_for_an_api_is_read_as_one(status: Any, state: JobState, category: str | None) -> None:
    """LAT-21."""
    report = outcome(answered({"statusCode": status, "body": "password=hunter2 no rows"}))
    assert (report.state, report.category) == (state, category)
    assert "hunter2" not in report.reason
    assert ("no rows" in report.reason) == (state is JobState.FAILED)


def test_an_answer_that_is_no_answer_of_an_api_can_be_taken_as_it_is() -> None:
    assert outcome(answered({"statusCode": 500}), success={"statusCode": False}).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        ({"data": {"state": "done"}}, JobState.SUCCEEDED),
        ({"data": {"state": "partial"}}, JobState.FAILED),
        ({"data": None}, JobState.FAILED),
        ([], JobState.FAILED),
        ({"data": {"state": "done"}, "statusCode": 500}, JobState.FAILED),
    ],
)
def test_a_rule_decides_which_answers_are_successes(payload: Any, state: JobState) -> None:
    """LAT-21."""
    report = outcome(answered(payload), success={"path": "data.state", "equals": "done"})
    assert report.state is state
    if "partial" in str(payload):
        assert report.reason == (
            "the function answered, and at 'data.state' there is \"partial\", not what `success` wants"
        )


@pytest.mark.parametrize(
    ("kind", "said", "category"),
    [
        ("ValueError", "no rows", FailureCategory.TRANSIENT),
        ("Sandbox.Timedout", "Task timed out after 3.00 seconds", FailureCategory.TIMEOUT),
        (None, "2026-03-07T06:00:03Z r-1 Task timed out after 3.00 seconds", FailureCategory.TIMEOUT),
        ("ValueError", "the page says: Task timed out after 3", FailureCategory.TRANSIENT),
        (
            "Runtime.ExitError",
            "RequestId: r-1 Error: Runtime exited with error: signal: killed",
            FailureCategory.TRANSIENT,
        ),
        ("Runtime.OutOfMemory", "signal: killed", FailureCategory.TRANSIENT),
        ("Runtime.ImportModuleError", "No module named 'pandas'", FailureCategory.PERMANENT),
        ("Runtime.HandlerNotFound", "job.run is undefined", FailureCategory.PERMANENT),
        ("Runtime.UserCodeSyntaxError", "invalid syntax", FailureCategory.PERMANENT),
        ("Function.ResponseSizeTooLarge", "Response payload size exceeded", FailureCategory.PERMANENT),
    ],
)
@pytest.mark.parametrize("error", ["Handled", "Unhandled"])
def test_a_function_error_is_a_failed_job_with_the_functions_words(
    kind: str | None, said: str, category: FailureCategory, error: str
) -> None:
    """LAT-21."""
    payload = {"errorMessage": said} | ({"errorType": kind} if kind else {})
    report = outcome(answered(payload, FunctionError=error))
    assert (report.state, report.category) == (JobState.FAILED, category)
    assert said in report.reason
    assert (kind or "") in report.reason


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe oops", b"[]", b'"text"', b'{"errorMessage": null}'])
def test_a_function_error_in_whatever_shape_is_a_failed_job(payload: bytes) -> None:
    report = outcome(answered(payload, FunctionError="Unhandled"))
    assert (report.state, report.category) == (JobState.FAILED, FailureCategory.TRANSIENT)
    assert report.reason.startswith("the function failed: ")


def test_what_a_function_says_of_its_failure_is_cut_and_holds_no_secret() -> None:
    """BUG-120."""
    said = f"\x1b[31mpassword=hunter2 s3cr3t\n{'x' * 30_000}"
    report = outcome(answered({"errorMessage": said}, FunctionError="Unhandled"), "s3cr3t")
    assert "hunter2" not in report.reason
    assert "s3cr3t" not in report.reason
    assert len(report.reason.encode()) <= 512


def test_an_answer_that_nobody_can_read_is_in_doubt_where_a_rule_wants_to_read_it() -> None:
    error = refused(answered(b"done\xff"))
    assert (error.started, error.category) == (None, "PERMANENT")
    assert outcome(answered(b"done\xff"), success={"statusCode": False}).state is JobState.SUCCEEDED


def test_an_empty_answer_is_a_success() -> None:
    assert outcome(answered(b"")).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "answer",
    [{"StatusCode": 200, "Payload": b"null"}, answered(StatusCode=204), {"ResponseMetadata": META}],
)
def test_what_is_no_answer_of_lambda_says_nothing_of_the_function(answer: dict[str, Any]) -> None:
    error = refused(answer)
    assert error.started is None
    assert "not one of Lambda" in str(error)


# ---------------------------------------------------------------- what Lambda refuses

NOT_YET = {
    "CodeArtifactUserPendingException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "SnapStartNotReadyException",
    "SnapStartRegenerationFailureException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
}
NOBODY_KNOWS = {"EFSIOException", "ServiceException"}


def errors() -> list[tuple[str, int]]:
    shapes = model("lambda").operation_model("Invoke").error_shapes
    return [(shape.name, shape.metadata["error"]["httpStatusCode"]) for shape in shapes]


def of_the_door(code: str, status: int) -> AwsTrouble:
    """Return what the door makes of an error, by its status alone."""
    if code == "TooManyRequestsException":
        return trouble(code, category="TRANSIENT")
    return trouble(code, category="TRANSIENT", done=None) if status >= 500 else trouble(code)


@pytest.mark.parametrize(("code", "status"), errors())
def test_every_error_of_an_invocation_says_what_is_known_of_it(code: str, status: int) -> None:
    """All but two are about what comes before the function's own code, though many of them are called server errors."""
    error = refused(of_the_door(code, status))
    if code in NOBODY_KNOWS:
        assert (error.started, error.category) == (None, "TRANSIENT")
    else:
        assert (error.started, error.category) == (False, "TRANSIENT" if code in NOT_YET else "PERMANENT")


def test_an_error_of_tomorrow_with_a_status_of_the_server_is_in_doubt() -> None:
    assert refused(of_the_door("QuantumException", 500)).started is None


def test_a_function_that_was_waited_for_in_vain_is_in_doubt_with_words_that_help() -> None:
    """LAT-46."""
    error = refused(trouble("", "no answer within 20 s", category="TIMEOUT", done=None))
    assert (error.started, error.category) == (None, "TIMEOUT")
    assert "No answer came within 20 s: make `startTimeout` longer than the function's own timeout" in str(error)


# ---------------------------------------------------------------- looking and stopping


def test_a_handle_without_an_outcome_is_a_lost_one() -> None:
    """T-22."""
    report = a_trigger(FakeAws()).poll(a_job(), JobHandle(id="r-1"), timeout=TIMEOUT)
    assert report.state is JobState.VANISHED


def test_a_function_cannot_be_stopped_and_that_is_said() -> None:
    with pytest.raises(TriggerError, match="cannot stop") as caught:
        a_trigger(FakeAws()).cancel(a_job(), JobHandle(id="r-1"), timeout=TIMEOUT)
    assert caught.value.category == "PERMANENT"


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"payload": {"interlock": {}}}, "name yours otherwise"),
        ({"success": {"path": "state"}}, "go together"),
        ({"success": {"equals": None}}, "go together"),
        ({"invocation": "async", "clientContext": {}}, "hands it to no other"),
        ({"invocation": "async", "success": {"statusCode": False}}, "no other answer"),
        ({"invocation": "dry-run"}, "Invalid enum value"),
        ({"timeout": 3}, "unknown field"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"functionName": "load-sales", **keys}, LambdaConfig)


def test_without_a_door_it_says_what_to_install() -> None:
    context = msgspec.structs.replace(FakeAws().context(), aws=None)
    with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
        LambdaTrigger(LambdaConfig(function_name="load-sales"), context)
