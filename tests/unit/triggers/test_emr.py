from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws, states, trouble

from interlock.codec.documents import document, mapping
from interlock.core.ids import start_key
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobState
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.emr import EmrConfig, EmrTrigger

TIMEOUT = timedelta(seconds=20)
CLUSTER = "j-2AXXXXXXGAPLF"
STEP = "s-1"
JAR = "command-runner.jar"
ADDED = {"StepIds": [STEP]}

ENDS = {
    "PENDING": (JobState.RUNNING, None),
    "RUNNING": (JobState.RUNNING, None),
    "CANCEL_PENDING": (JobState.RUNNING, None),
    "COMPLETED": (JobState.SUCCEEDED, None),
    "FAILED": (JobState.FAILED, FailureCategory.TRANSIENT),
    "INTERRUPTED": (JobState.FAILED, FailureCategory.TRANSIENT),
    "CANCELLED": (JobState.FAILED, FailureCategory.PERMANENT),
}


def a_trigger(aws: FakeAws, *secrets: str, **config: Any) -> EmrTrigger:
    plain = {"cluster_id": CLUSTER, "job_name": "sales", "command": JAR, "region": "eu-central-1"}
    return EmrTrigger(EmrConfig(**{**plain, **config}), aws.context(*secrets))


def the_step(aws: FakeAws) -> dict[str, Any]:
    """Return the one step that was added."""
    (step,) = aws.asked[-1].parameters["Steps"]
    found: dict[str, Any] = step
    return found


def a_step(state: str, **details: str) -> dict[str, Any]:
    status = {"State": state, "StateChangeReason": {}, **({"FailureDetails": details} if details else {})}
    return {"Step": {"Id": STEP, "Name": "sales", "Status": status}}


def listed(job: Job, step_id: str = STEP, name: str = "sales") -> dict[str, Any]:
    return {"Id": step_id, "Name": f"{name} [{job.key}]", "Status": {"State": "RUNNING"}}


# ---------------------------------------------------------------- starting


def test_a_start_adds_one_step_whose_name_ends_with_the_key() -> None:
    aws = FakeAws(add_job_flow_steps=ADDED)
    handle = a_trigger(aws, args=("spark-submit", "s3://code/sales.py")).start(a_job(), timeout=TIMEOUT)
    assert handle.id == STEP
    (asked,) = aws.asked
    assert asked.timeout == TIMEOUT
    assert asked.parameters == {
        "JobFlowId": CLUSTER,
        "Steps": [
            {
                "Name": f"sales [{a_job().key}]",
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": JAR, "Args": ["spark-submit", "s3://code/sales.py"]},
            }
        ],
    }


def test_every_setting_of_the_step_reaches_emr() -> None:
    aws = FakeAws(add_job_flow_steps=ADDED)
    config = {
        "clusterId": CLUSTER,
        "stepName": "nightly",
        "command": "s3://jars/sales.jar",
        "mainClass": "com.example.Sales",
        "properties": {"b": "2", "a": "1"},
        "actionOnFailure": "TERMINATE_CLUSTER",
        "executionRoleArn": "arn:aws:iam::123456789012:role/sales",
    }
    EmrTrigger(msgspec.convert(config, EmrConfig), aws.context()).start(a_job(), timeout=TIMEOUT)
    assert aws.asked[0].parameters["ExecutionRoleArn"] == "arn:aws:iam::123456789012:role/sales"
    step = the_step(aws)
    assert step["Name"].startswith("nightly [")
    assert step["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert step["HadoopJarStep"] == {
        "Jar": "s3://jars/sales.jar",
        "MainClass": "com.example.Sales",
        "Properties": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "Args": [],
    }


def sent_by(config: dict[str, Any]) -> list[str]:
    """Return the arguments of the step that a stored configuration adds."""
    aws = FakeAws(add_job_flow_steps=ADDED)
    stored = document({"clusterId": CLUSTER, "jobName": "sales", "command": JAR, **config})
    shaped = msgspec.convert(mapping(stored), EmrConfig)
    EmrTrigger(shaped, aws.context()).start(a_job(), timeout=TIMEOUT)
    found: list[str] = the_step(aws)["HadoopJarStep"]["Args"]
    return found


def test_arguments_come_in_the_same_order_however_they_were_written_and_stored() -> None:
    """T-99, AWS-50: the order of a mapping is not kept by every store."""
    written = {"zone": "1", "day": "2", "mode": "3"}
    aws = FakeAws(add_job_flow_steps=ADDED)
    a_trigger(aws, arguments=written).start(a_job(), timeout=TIMEOUT)
    at_once = the_step(aws)["HadoopJarStep"]["Args"]
    assert at_once == sent_by({"arguments": written}) == ["day=2", "mode=3", "zone=1"]


def test_a_list_of_arguments_keeps_the_order_in_which_it_was_written() -> None:
    assert sent_by({"args": ["z", "--a", "", "m m"]}) == ["z", "--a", "", "m m"]


def test_a_name_too_long_for_emr_gives_way_to_the_key() -> None:
    aws = FakeAws(add_job_flow_steps=ADDED)
    a_trigger(aws, job_name="n" * 256).start(a_job(), timeout=TIMEOUT)
    name = the_step(aws)["Name"]
    assert len(name) == 256
    assert name.endswith(f"n [{a_job().key}]")


def test_the_key_of_a_very_long_name_is_found_as_it_was_given() -> None:
    job = a_job("p" * 250)
    aws = FakeAws(add_job_flow_steps=ADDED)
    a_trigger(aws, job_name="n" * 256).start(job, timeout=TIMEOUT)
    name = the_step(aws)["Name"]
    assert len(name) == 256
    aws.answers["list_steps"] = {"Steps": [{"Id": STEP, "Name": name}]}
    assert isinstance(a_trigger(aws).find(job, timeout=TIMEOUT), JobHandle)
    assert a_trigger(aws).find(msgspec.structs.replace(job, key=job.key + "1"), timeout=TIMEOUT) is Absent.CERTAINLY


def test_a_handle_says_where_the_step_is_and_shows_its_cluster() -> None:
    handle = a_trigger(FakeAws(add_job_flow_steps=ADDED)).start(a_job(), timeout=TIMEOUT)
    assert mapping(handle.details) == {
        "cluster": CLUSTER,
        "region": "eu-central-1",
        "url": f"https://eu-central-1.console.aws.amazon.com/emr/home?region=eu-central-1#/clusterDetails/{CLUSTER}",
    }


@pytest.mark.parametrize("answer", [{}, {"StepIds": []}, {"StepIds": [""]}])
def test_a_step_without_an_id_is_a_started_one_that_nobody_can_follow(answer: dict[str, Any]) -> None:
    """LAT-07."""
    with pytest.raises(TriggerError) as caught:
        a_trigger(FakeAws(add_job_flow_steps=answer)).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (True, "PERMANENT")
    assert "EMR's console" in str(caught.value)


FULL = "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."


@pytest.mark.parametrize(
    ("code", "said", "category", "started"),
    [
        ("ValidationException", "Specified job flow ID does not exist.", "PERMANENT", False),
        ("ValidationException", "A job flow that is shutting down may not be modified.", "PERMANENT", False),
        ("ValidationException", "Step arguments exceed the maximum length of 10240 characters.", "PERMANENT", False),
        ("ValidationException", FULL, "TRANSIENT", False),
        ("InvalidRequestException", "Cluster id 'j-1' is not valid.", "PERMANENT", False),
        ("AccessDeniedException", "not authorized", "PERMANENT", False),
        ("InternalServerError", "oops", "TRANSIENT", None),
    ],
)
def test_what_emr_refuses_says_whether_another_try_can_help(
    code: str, said: str, category: str, *, started: bool | None
) -> None:
    """T-20: one name of an error stands for mistakes and for a cluster that is full just now."""
    with pytest.raises(TriggerError) as caught:
        a_trigger(FakeAws(add_job_flow_steps=trouble(code, said))).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == (category, started)


def test_a_cluster_that_takes_no_steps_says_what_to_look_at() -> None:
    aws = FakeAws(add_job_flow_steps=trouble("ValidationException", "Specified job flow ID does not exist."))
    with pytest.raises(TriggerError, match="see that the cluster `clusterId` is there and not ending"):
        a_trigger(aws).start(a_job(), timeout=TIMEOUT)


def test_words_of_emr_are_repeated_without_the_secrets_in_them() -> None:
    aws = FakeAws(add_job_flow_steps=trouble("ValidationException", "the argument hunter2x is wrong"))
    with pytest.raises(TriggerError) as caught:
        a_trigger(aws, "hunter2x").start(a_job(), timeout=TIMEOUT)
    assert "hunter2x" not in str(caught.value)
    assert "is wrong" in str(caught.value)


def test_without_the_extra_it_says_what_to_install() -> None:
    context = msgspec.structs.replace(FakeAws().context(), aws=None)
    with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
        EmrTrigger(EmrConfig(cluster_id=CLUSTER, job_name="sales", command=JAR), context)


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "needs one name"),
        ({"jobName": "a", "stepName": "b"}, "needs one name"),
        ({"jobName": "a", "args": ["x"], "arguments": {"x": "y"}}, "does not go with"),
        ({"jobName": "a", "actionOnFailure": "EXPLODE"}, "expected one of CONTINUE"),
        ({"jobName": "a", "command": ""}, "length >= 1"),
        ({"jobName": "a", "clusterID": "j-1"}, "unknown field"),
    ],
)
def test_a_contradiction_is_refused_in_words(config: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"clusterId": CLUSTER, "command": JAR, **config}, EmrConfig)


def test_every_action_that_emr_knows_may_be_chosen() -> None:
    for action in states("emr", "ActionOnFailure"):
        assert EmrConfig(cluster_id=CLUSTER, job_name="a", command=JAR, action_on_failure=action).job_name == "a"


def test_a_placeholder_may_stand_where_a_word_is_checked() -> None:
    config = {"clusterId": "${env:CLUSTER}", "jobName": "a", "command": JAR, "actionOnFailure": "${env:ACTION}"}
    assert msgspec.convert(config, EmrConfig).action_on_failure == "${env:ACTION}"


# ---------------------------------------------------------------- looking for it


def many_pages(count: int, last: list[dict[str, Any]]) -> Any:
    """Answer a listing of so many pages of 50 steps of others; the last one holds these."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        page = int(asked.get("Marker", "0"))
        others = [listed(a_job("other"), f"s-{page}-{number}") for number in range(50)]
        return {"Steps": [*others, *last]} if page == count - 1 else {"Steps": others, "Marker": str(page + 1)}

    return answer


def test_a_step_is_found_among_ten_thousand() -> None:
    aws = FakeAws(list_steps=many_pages(200, [listed(a_job(), "s-mine")]))
    found = a_trigger(aws).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == "s-mine"


def test_only_a_search_to_the_end_is_certain() -> None:
    aws = FakeAws(list_steps=many_pages(20, []))
    assert a_trigger(aws).find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
    assert aws.times("list_steps") == 20


def test_a_search_that_runs_out_of_time_knows_nothing_and_keeps_within_it() -> None:
    aws = FakeAws(list_steps=many_pages(200, []))
    config = EmrConfig(cluster_id=CLUSTER, job_name="sales", command=JAR)
    trigger = EmrTrigger(config, aws.context(), now=lambda: 1.5 * len(aws.asked))
    assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN
    assert 1 < aws.times("list_steps") < 15


@pytest.mark.parametrize("other", [a_job(attempt=11), a_job("x-daily-sales")])
def test_a_step_of_another_key_is_not_taken_for_this_one(other: Job) -> None:
    aws = FakeAws(list_steps={"Steps": [listed(other), {"Id": "s-2", "Name": f"{a_job().key}"}]})
    assert a_trigger(aws).find(a_job(attempt=1), timeout=TIMEOUT) is Absent.CERTAINLY


def test_a_step_is_found_whatever_it_is_called_now() -> None:
    aws = FakeAws(list_steps={"Steps": [listed(a_job(), name="as it was called before")]})
    assert isinstance(a_trigger(aws).find(a_job(), timeout=TIMEOUT), JobHandle)


@pytest.mark.parametrize("code", ["InvalidRequestException", "AccessDeniedException", "ThrottlingException"])
def test_what_cannot_be_searched_is_not_known(code: str) -> None:
    assert a_trigger(FakeAws(list_steps=trouble(code))).find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


# ---------------------------------------------------------------- looking at it


def test_every_state_of_emr_has_a_meaning() -> None:
    assert states("emr", "StepState") == set(ENDS)


@pytest.mark.parametrize("state", list(ENDS))
def test_a_state_of_emr_is_told_as_what_it_means(state: str) -> None:
    """T-21."""
    aws = FakeAws(describe_step=a_step(state, Reason="Main Class Error", Message="disk on fire", LogFile="s3://logs/x"))
    report = a_trigger(aws).poll(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert (report.state, report.category) == ENDS[state]
    if report.state is JobState.FAILED:
        assert report.reason.endswith(f"ended as {state}: Main Class Error: disk on fire (log: s3://logs/x)")


def test_a_failure_without_details_still_has_a_reason() -> None:
    report = a_trigger(FakeAws(describe_step=a_step("CANCELLED"))).poll(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert "CANCELLED: no reason given" in report.reason


@pytest.mark.parametrize("answer", [a_step("PONDERING"), {}])
def test_a_state_of_the_future_is_neither_an_end_nor_running(answer: dict[str, Any]) -> None:
    report = a_trigger(FakeAws(describe_step=answer)).poll(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "update Interlock" in report.reason


def test_a_step_is_looked_for_where_it_was_added() -> None:
    """T-23: another process, or an edited pipeline, may have another cluster and another region."""
    aws = FakeAws(describe_step=a_step("RUNNING"))
    handle = JobHandle(id=STEP, details=document({"cluster": "j-OLD", "region": "us-west-2"}))
    a_trigger(aws).poll(a_job(), handle, timeout=TIMEOUT)
    (asked,) = aws.asked
    assert asked.parameters == {"ClusterId": "j-OLD", "StepId": STEP}
    assert asked.options.region == "us-west-2"


def test_a_step_that_emr_does_not_know_has_vanished() -> None:
    """T-22."""
    aws = FakeAws(describe_step=trouble("InvalidRequestException", "Step id 's-1' is not valid."))
    report = a_trigger(aws).poll(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert report.state is JobState.VANISHED
    assert "cannot be known" in report.reason


def test_a_reason_of_a_failure_holds_no_secret_and_is_short() -> None:
    aws = FakeAws(describe_step=a_step("FAILED", Message="cannot log in with hunter2x\n" + "at java.lang " * 999))
    report = a_trigger(aws, "hunter2x").poll(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert "hunter2x" not in report.reason
    assert "cannot log in" in report.reason
    assert len(report.reason) <= 512


# ---------------------------------------------------------------- stopping


def told(status: str, reason: str = "") -> dict[str, Any]:
    return {"CancelStepsInfoList": [{"StepId": STEP, "Status": status, "Reason": reason}]}


def test_a_running_step_is_asked_to_end() -> None:
    aws = FakeAws(cancel_steps=told("SUBMITTED"))
    handle = JobHandle(id=STEP, details=document({"cluster": "j-OLD", "region": "us-west-2"}))
    a_trigger(aws).cancel(a_job(), handle, timeout=TIMEOUT)
    (asked,) = aws.asked
    wanted = {"ClusterId": "j-OLD", "StepIds": [STEP], "StepCancellationOption": "SEND_INTERRUPT"}
    assert asked.parameters == wanted
    assert asked.options.region == "us-west-2"


@pytest.mark.parametrize("answer", [told("FAILED", "hunter2x is too old"), {}, trouble("InvalidRequestException")])
def test_a_step_that_goes_on_is_not_said_to_be_cancelled(answer: Any) -> None:
    """LAT-21: EMR says it inside of an answer that says success, or not at all."""
    aws = FakeAws(cancel_steps=answer, describe_step=a_step("RUNNING"))
    with pytest.raises(TriggerError, match="EMR did not cancel the step") as caught:
        a_trigger(aws, "hunter2x").cancel(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == ("TRANSIENT", True)
    assert "hunter2x" not in str(caught.value)


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED", "CANCEL_PENDING"])
def test_a_step_that_has_ended_or_is_ending_need_not_be_cancelled(state: str) -> None:
    aws = FakeAws(cancel_steps=told("FAILED", "it is over"), describe_step=a_step(state))
    a_trigger(aws).cancel(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert aws.times("describe_step") == 1


def test_a_step_that_has_vanished_need_not_be_cancelled() -> None:
    gone = trouble("InvalidRequestException", "Cluster id 'j-1' is not valid.")
    aws = FakeAws(cancel_steps=gone, describe_step=gone)
    a_trigger(aws).cancel(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert aws.times("describe_step") == 1


def test_a_role_that_may_not_cancel_steps_is_told_so() -> None:
    aws = FakeAws(cancel_steps=trouble("AccessDeniedException", "elasticmapreduce:CancelSteps"))
    with pytest.raises(TriggerError, match=r"could not be stopped.*elasticmapreduce:CancelSteps") as caught:
        a_trigger(aws).cancel(a_job(), JobHandle(id=STEP), timeout=TIMEOUT)
    assert caught.value.category == "PERMANENT"


def test_the_key_in_a_name_is_the_start_s_own() -> None:
    job = a_job(attempt=3)
    aws = FakeAws(add_job_flow_steps=ADDED)
    a_trigger(aws).start(job, timeout=TIMEOUT)
    assert the_step(aws)["Name"] == f"sales [{start_key(job.run.run_id, 3)}]"
