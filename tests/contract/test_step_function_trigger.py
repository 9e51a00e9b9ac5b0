"""The Step Functions trigger keeps the laws of the port: against the scripted AWS, and against MiniStack."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from tests.contract.aws_bench import AwsBench, on_ministack, word
from tests.servers.aws_errors import AwsError
from tests.servers.aws_faults import Fault as Scripted
from tests.servers.aws_states import EXPRESS, MACHINE
from tests.servers.aws_stub import AwsStub
from tests.servers.dynamodb import MiniStackServer

from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import RemoteBench, RemoteTriggerContract
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job, the_end
from interlock.triggers.step_function import StepFunctionConfig, StepFunctionTrigger

pytestmark = pytest.mark.enable_socket


class StepFunctionBench(AwsBench):
    type = "step-function"
    service = "stepfunctions"
    start = "StartExecution"
    looks = ("DescribeExecution",)
    stops = ("StopExecution",)
    trigger_type = StepFunctionTrigger

    def config(self, kind: Kind) -> StepFunctionConfig:
        return StepFunctionConfig(state_machine_arn=MACHINE, arguments={"what": word(kind)})


@pytest.fixture
def scripted(aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[StepFunctionBench]:
    bench = StepFunctionBench(aws_stub, monkeypatch)
    yield bench
    bench.close()


class TestStepFunctionTrigger(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, scripted: StepFunctionBench) -> RemoteBench:
        return scripted


def refused(bench: StepFunctionBench, config: StepFunctionConfig) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        StepFunctionTrigger(config, bench.context).start(a_job(), timeout=TIMEOUT)
    return caught.value


def test_an_express_machine_is_not_started(scripted: StepFunctionBench) -> None:
    """LAT-07: nobody could look at its executions, and it would start one for every repetition."""
    error = refused(scripted, StepFunctionConfig(state_machine_arn=EXPRESS))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "EXPRESS" in str(error)
    assert "type: lambda" in str(error)
    assert scripted.starts() == 0


def test_nothing_is_started_while_the_type_of_the_machine_is_not_known(scripted: StepFunctionBench) -> None:
    with scripted.stub.fault("DescribeStateMachine", Scripted.FORBIDDEN):
        error = refused(scripted, scripted.config(Kind.SUCCEEDS))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "Allow states:DescribeStateMachine" in str(error)
    with scripted.stub.fault("DescribeStateMachine", Scripted.LOST_ANSWER):
        error = refused(scripted, scripted.config(Kind.SUCCEEDS))
    assert (error.started, error.category) == (False, "TRANSIENT")
    assert scripted.starts() == 0


@pytest.mark.parametrize("qualifier", ["PROD", "7"])
def test_a_version_or_an_alias_is_started_as_it_is_named_and_found_again(
    scripted: StepFunctionBench, qualifier: str
) -> None:
    config = StepFunctionConfig(state_machine_arn=f"{MACHINE}:{qualifier}", arguments={"what": word(Kind.SUCCEEDS)})
    trigger = StepFunctionTrigger(config, scripted.context)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.find(a_job(), timeout=TIMEOUT) == handle
    (start,) = scripted.stub.called("StartExecution")
    assert start.params["stateMachineArn"] == f"{MACHINE}:{qualifier}"
    # The permission to look is asked for the machine alone.
    (look,) = scripted.stub.called("DescribeStateMachine")
    assert look.params["stateMachineArn"] == MACHINE


def test_a_name_that_an_execution_with_another_input_has_is_not_joined(scripted: StepFunctionBench) -> None:
    """Another project may have a pipeline of the same name: its success is not ours."""
    scripted.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
    other = StepFunctionConfig(state_machine_arn=MACHINE, arguments={"what": "something else"})
    error = refused(scripted, other)
    assert error.started is None
    assert "another project" in str(error)
    assert StepFunctionTrigger(other, scripted.context).find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_a_name_that_is_taken_and_cannot_be_looked_at_is_in_doubt(scripted: StepFunctionBench) -> None:
    scripted.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
    with scripted.stub.fault("DescribeExecution", Scripted.BROKEN):
        error = refused(scripted, scripted.config(Kind.SUCCEEDS))
    assert (error.started, error.category) == (None, "TRANSIENT")
    scripted.forget()
    with scripted.stub.fault("StartExecution", AwsError("ExecutionAlreadyExists", "taken", 400)):
        error = refused(scripted, scripted.config(Kind.SUCCEEDS))
    assert error.started is None
    assert "there is none" in str(error)


def test_an_execution_of_another_region_is_still_looked_at_and_stopped(scripted: StepFunctionBench) -> None:
    """T-23: what was started under an earlier configuration goes on where it was started."""
    handle = scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    moved = MACHINE.replace("eu-central-1", "us-west-2")
    trigger = StepFunctionTrigger(StepFunctionConfig(state_machine_arn=moved), scripted.context)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    trigger.cancel(a_job(), handle, timeout=TIMEOUT)
    assert the_end(trigger, a_job(), handle).state is JobState.FAILED
    assert {call.region for call in scripted.stub.calls} == {"eu-central-1"}


@pytest.mark.service
class TestOnMiniStack:
    """A server that runs state machines takes what is sent, and runs it."""

    @pytest.fixture
    def trigger(
        self, ministack_server: MiniStackServer, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[StepFunctionTrigger]:
        client = boto3.client("stepfunctions", **ministack_server.client_options)
        machine = client.create_state_machine(
            name=ministack_server.fresh_table(),
            definition=json.dumps(
                {
                    "StartAt": "Which",
                    "States": {
                        "Which": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.what", "StringEquals": "fail", "Next": "Fail"}],
                            "Default": "Wait",
                        },
                        "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "End": True},
                        "Fail": {"Type": "Fail", "Error": "Sales.NoRows", "Cause": "the table is empty"},
                    },
                }
            ),
            roleArn="arn:aws:iam::123456789012:role/states",
        )
        client.close()
        self.arn = machine["stateMachineArn"]
        with on_ministack(ministack_server, monkeypatch) as self.context:
            yield self.made("wait", 0)

    def made(self, what: str, seconds: int) -> StepFunctionTrigger:
        config = StepFunctionConfig(state_machine_arn=self.arn, arguments={"what": what, "seconds": seconds})
        return StepFunctionTrigger(config, self.context)

    def test_an_execution_is_started_joined_found_and_seen_to_succeed(self, trigger: StepFunctionTrigger) -> None:
        assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED
        assert trigger.start(a_job(), timeout=TIMEOUT) == handle
        found = trigger.find(a_job(), timeout=TIMEOUT)
        assert isinstance(found, JobHandle)
        assert found == handle

    def test_a_failed_execution_says_what_its_machine_said(self, trigger: StepFunctionTrigger) -> None:
        trigger = self.made("fail", 0)
        report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
        assert report.state is JobState.FAILED
        assert report.reason == "the execution is FAILED: Sales.NoRows: the table is empty"

    def test_a_running_execution_is_stopped(self, trigger: StepFunctionTrigger) -> None:
        trigger = self.made("wait", 600)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        report = the_end(trigger, a_job(), handle)
        assert (report.state, report.category) == (JobState.FAILED, "PERMANENT")
