"""The jobs of the scripted AWS: what botocore sees of them is what a test has said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.servers.aws_emr import CLUSTER
from tests.servers.aws_emr_serverless import APPLICATION, ROLE
from tests.servers.aws_errors import failure
from tests.servers.aws_glue import JOB
from tests.servers.aws_jobs import Behaviour
from tests.servers.aws_states import EXPRESS, MACHINE
from tests.servers.aws_stub import AwsStub

from interlock.testing.conformance.triggers import Kind

pytestmark = pytest.mark.enable_socket


class Starter:
    """One way to begin a job, for each service that has jobs."""

    def __init__(self, stub: AwsStub, service: str) -> None:
        self.client = stub.client(service)
        self.service = service

    def start(self, name: str = "first") -> str:
        match self.service:
            case "glue":
                return str(self.client.start_job_run(JobName=JOB, Arguments={"--key": name})["JobRunId"])
            case "emr":
                step = {"Name": name, "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit"]}}
                return str(self.client.add_job_flow_steps(JobFlowId=CLUSTER, Steps=[step])["StepIds"][0])
            case "emr-serverless":
                driver = {"sparkSubmit": {"entryPoint": "s3://sales/job.py"}}
                answer = self.client.start_job_run(
                    applicationId=APPLICATION, clientToken=name, executionRoleArn=ROLE, jobDriver=driver, name=name
                )
                return str(answer["jobRunId"])
            case _:
                answer = self.client.start_execution(stateMachineArn=MACHINE, name=name, input='{"day": 7}')
                return str(answer["executionArn"])

    def look(self, job: str) -> dict[str, Any]:
        match self.service:
            case "glue":
                shown = self.client.get_job_run(JobName=JOB, RunId=job)["JobRun"]
                return {"state": shown["JobRunState"], "error": shown.get("ErrorMessage")}
            case "emr":
                status = self.client.describe_step(ClusterId=CLUSTER, StepId=job)["Step"]["Status"]
                return {"state": status["State"], "error": status.get("FailureDetails", {}).get("Message")}
            case "emr-serverless":
                shown = self.client.get_job_run(applicationId=APPLICATION, jobRunId=job)["jobRun"]
                return {"state": shown["state"], "error": shown["stateDetails"] or None}
            case _:
                shown = self.client.describe_execution(executionArn=job)
                return {"state": shown["status"], "error": shown.get("cause")}

    def cancel(self, job: str) -> None:
        match self.service:
            case "glue":
                self.client.batch_stop_job_run(JobName=JOB, JobRunIds=[job])
            case "emr":
                self.client.cancel_steps(ClusterId=CLUSTER, StepIds=[job])
            case "emr-serverless":
                self.client.cancel_job_run(applicationId=APPLICATION, jobRunId=job)
            case _:
                self.client.stop_execution(executionArn=job)


SERVICES = ("glue", "emr", "emr-serverless", "stepfunctions")
ENDS = {"glue": "SUCCEEDED", "emr": "COMPLETED", "emr-serverless": "SUCCESS", "stepfunctions": "SUCCEEDED"}
CANCELLED = {"glue": "STOPPED", "emr": "CANCELLED", "emr-serverless": "CANCELLED", "stepfunctions": "ABORTED"}
UNKNOWN = {
    "glue": "EntityNotFoundException",
    "emr": "InvalidRequestException",
    "emr-serverless": "ResourceNotFoundException",
    "stepfunctions": "ExecutionDoesNotExist",
}


@pytest.fixture(params=SERVICES)
def starter(request: pytest.FixtureRequest, aws_stub: AwsStub) -> Starter:
    return Starter(aws_stub, request.param)


class TestJobs:
    """What holds for the jobs of all four services."""

    def test_a_job_is_begun_and_succeeds(self, starter: Starter, aws_stub: AwsStub) -> None:
        assert starter.look(starter.start()) == {"state": ENDS[starter.service], "error": None}
        assert aws_stub.starts(starter.service) == 1

    def test_a_job_goes_through_its_states_one_look_after_another(self, starter: Starter, aws_stub: AwsStub) -> None:
        aws_stub.behave(starter.service, Behaviour(states=["RUNNING", "RUNNING", "FAILED"], error="no memory"))
        job = starter.start()
        assert [starter.look(job)["state"] for _ in range(4)] == ["RUNNING", "RUNNING", "FAILED", "FAILED"]
        assert starter.look(job)["error"] == "no memory"

    def test_a_lingering_job_is_cancelled(self, starter: Starter, aws_stub: AwsStub) -> None:
        aws_stub.behave(starter.service, Behaviour(kind=Kind.LINGERS))
        job = starter.start()
        assert starter.look(job)["state"] == "RUNNING"
        starter.cancel(job)
        assert starter.look(job)["state"] == CANCELLED[starter.service]
        assert aws_stub.jobs(starter.service)[0].cancelled

    def test_a_cancel_may_be_without_effect(self, starter: Starter, aws_stub: AwsStub) -> None:
        aws_stub.behave(starter.service, Behaviour(kind=Kind.LINGERS, cancels=False))
        job = starter.start()
        starter.cancel(job)
        assert starter.look(job)["state"] == "RUNNING"

    def test_behaviours_are_taken_in_turn_and_by_words(self, starter: Starter, aws_stub: AwsStub) -> None:
        aws_stub.behave(starter.service, Behaviour(kind=Kind.LINGERS), Behaviour())
        aws_stub.behave(starter.service, Behaviour(kind=Kind.FAILS), where="unlucky")
        seen = [starter.look(starter.start(name))["state"] for name in ("one", "unlucky", "two", "three")]
        assert seen == ["RUNNING", "FAILED", ENDS[starter.service], ENDS[starter.service]]

    def test_a_forgotten_job_is_unknown_but_was_begun(self, starter: Starter, aws_stub: AwsStub) -> None:
        job = starter.start()
        aws_stub.forget(starter.service, job)
        assert failure(lambda: starter.look(job))[0] == UNKNOWN[starter.service]
        assert aws_stub.starts(starter.service) == 1

    def test_a_state_that_the_service_has_not_is_a_slip_of_the_test(self, starter: Starter, aws_stub: AwsStub) -> None:
        with pytest.raises(ValueError, match="'DONE'"):
            aws_stub.behave(starter.service, Behaviour(states=["DONE"]))
        aws_stub.behave(starter.service, Behaviour(states=["DONE"], novel=True))
        assert starter.look(starter.start())["state"] == "DONE"

    def test_starts_at_once_are_all_counted(self, starter: Starter, aws_stub: AwsStub) -> None:
        with ThreadPoolExecutor(4) as pool:
            jobs = set(pool.map(starter.start, (f"job-{number}" for number in range(12))))
        assert (len(jobs), aws_stub.starts(starter.service)) == (12, 12)


class TestGlue:
    def test_runs_are_listed_the_newest_first_page_after_page(self, aws_stub: AwsStub) -> None:
        glue = Starter(aws_stub, "glue")
        ids = [glue.start(str(number)) for number in range(5)]
        first = glue.client.get_job_runs(JobName=JOB, MaxResults=2)
        glue.start("meanwhile")
        second = glue.client.get_job_runs(JobName=JOB, MaxResults=200, NextToken=first["NextToken"])
        assert [run["Id"] for run in (*first["JobRuns"], *second["JobRuns"])] == ids[::-1]
        assert "NextToken" not in second
        assert second["JobRuns"][-1]["Arguments"] == {"--key": "0"}

    def test_glue_retries_by_itself_under_a_new_id(self, aws_stub: AwsStub) -> None:
        aws_stub.behave("glue", Behaviour(states=["RUNNING", "FAILED"], retries=[Behaviour(kind=Kind.LINGERS)]))
        glue = Starter(aws_stub, "glue")
        run = glue.start()
        assert len(aws_stub.jobs("glue")) == 1
        assert [glue.look(run)["state"] for _ in range(2)] == ["RUNNING", "FAILED"]
        newest = glue.client.get_job_runs(JobName=JOB)["JobRuns"][0]
        assert (newest["Id"], newest["PreviousRunId"], newest["Attempt"]) == (f"{run}_attempt_1", run, 1)
        assert newest["Arguments"] == {"--key": "first"}
        assert (len(aws_stub.jobs("glue")), aws_stub.starts("glue")) == (2, 1)

    def test_too_many_runs_and_unknown_jobs_are_refused(self, aws_stub: AwsStub) -> None:
        aws_stub.behave("glue", Behaviour(kind=Kind.LINGERS))
        aws_stub.glue.limit = 1
        glue = Starter(aws_stub, "glue")
        glue.start()
        assert failure(glue.start)[0] == "ConcurrentRunsExceededException"
        assert failure(lambda: glue.client.start_job_run(JobName="nobody"))[0] == "EntityNotFoundException"
        assert aws_stub.starts("glue") == 1

    def test_how_often_glue_retries_is_said_of_the_job(self, aws_stub: AwsStub) -> None:
        glue = aws_stub.client("glue")
        assert glue.get_job(JobName=JOB)["Job"]["MaxRetries"] == 0
        aws_stub.glue.max_retries[JOB] = 2
        assert glue.get_job(JobName=JOB)["Job"]["MaxRetries"] == 2
        assert failure(lambda: glue.get_job(JobName="nobody"))[0] == "EntityNotFoundException"

    def test_a_run_that_is_over_cannot_be_stopped(self, aws_stub: AwsStub) -> None:
        glue = Starter(aws_stub, "glue")
        answer = glue.client.batch_stop_job_run(JobName=JOB, JobRunIds=[glue.start(), "jr_unknown"])
        codes = [error["ErrorDetail"]["ErrorCode"] for error in answer["Errors"]]
        assert codes == ["JobRunInvalidStateTransitionException", "EntityNotFoundException"]
        assert answer["SuccessfulSubmissions"] == []


class TestEmr:
    def test_steps_are_listed_the_newest_first_page_after_page(self, aws_stub: AwsStub) -> None:
        aws_stub.emr.page_size = 2
        emr = Starter(aws_stub, "emr")
        ids = [emr.start(str(number)) for number in range(3)]
        first = emr.client.list_steps(ClusterId=CLUSTER)
        second = emr.client.list_steps(ClusterId=CLUSTER, Marker=first["Marker"])
        assert [step["Id"] for step in (*first["Steps"], *second["Steps"])] == ids[::-1]
        assert emr.client.list_steps(ClusterId=CLUSTER, StepStates=["RUNNING"])["Steps"] == []

    def test_a_cluster_that_is_gone_takes_no_steps(self, aws_stub: AwsStub) -> None:
        emr = Starter(aws_stub, "emr")
        aws_stub.emr.clusters[CLUSTER] = "TERMINATED"
        assert failure(emr.start)[0] == "ValidationException"
        assert emr.client.describe_cluster(ClusterId=CLUSTER)["Cluster"]["Status"]["State"] == "TERMINATED"
        assert failure(lambda: emr.client.describe_cluster(ClusterId="j-NOBODY"))[0] == "InvalidRequestException"

    def test_a_finished_step_cannot_be_cancelled(self, aws_stub: AwsStub) -> None:
        emr = Starter(aws_stub, "emr")
        answer = emr.client.cancel_steps(ClusterId=CLUSTER, StepIds=[emr.start()])
        assert answer["CancelStepsInfoList"][0]["Status"] == "FAILED"


class TestEmrServerless:
    def test_a_token_begins_one_run(self, aws_stub: AwsStub) -> None:
        emr = Starter(aws_stub, "emr-serverless")
        assert emr.start("token") == emr.start("token")
        assert aws_stub.starts("emr-serverless") == 1

    def test_a_token_with_other_parameters_is_a_conflict(self, aws_stub: AwsStub) -> None:
        emr = Starter(aws_stub, "emr-serverless")
        emr.start("token")
        other = {"applicationId": APPLICATION, "clientToken": "token", "executionRoleArn": ROLE, "name": "other"}
        assert failure(lambda: emr.client.start_job_run(**other))[0] == "ConflictException"

    def test_runs_are_listed_by_state_and_time(self, aws_stub: AwsStub) -> None:
        aws_stub.behave("emr-serverless", Behaviour(kind=Kind.LINGERS), Behaviour())
        emr = Starter(aws_stub, "emr-serverless")
        ids = [emr.start(name) for name in ("a", "b", "c")]
        aws_stub.emr_serverless.page_size = 2
        pages = emr.client.get_paginator("list_job_runs").paginate(applicationId=APPLICATION)
        assert [run["id"] for page in pages for run in page["jobRuns"]] == ids[::-1]
        running = emr.client.list_job_runs(applicationId=APPLICATION, states=["RUNNING", "QUEUED"])["jobRuns"]
        assert [run["id"] for run in running] == ids[:1]
        late = aws_stub.jobs("emr-serverless")[2].created.replace(microsecond=0).replace(year=2099)
        assert emr.client.list_job_runs(applicationId=APPLICATION, createdAtAfter=late)["jobRuns"] == []

    def test_a_run_that_is_over_cannot_be_cancelled(self, aws_stub: AwsStub) -> None:
        emr = Starter(aws_stub, "emr-serverless")
        job = emr.start()
        assert failure(lambda: emr.cancel(job))[0] == "ValidationException"
        assert job in emr.client.get_dashboard_for_job_run(applicationId=APPLICATION, jobRunId=job)["url"]


class TestStates:
    def test_a_name_is_one_execution_while_it_runs_with_the_same_input(self, aws_stub: AwsStub) -> None:
        aws_stub.behave("stepfunctions", Behaviour(kind=Kind.LINGERS))
        states = Starter(aws_stub, "stepfunctions")
        arn = states.start()
        assert arn == states.start() == f"{MACHINE.replace('stateMachine', 'execution')}:first"
        other = {"stateMachineArn": MACHINE, "name": "first", "input": "{}"}
        assert failure(lambda: states.client.start_execution(**other))[0] == "ExecutionAlreadyExists"
        states.cancel(arn)
        assert failure(states.start)[0] == "ExecutionAlreadyExists"
        assert aws_stub.starts("stepfunctions") == 1

    def test_an_express_machine_neither_tells_names_apart_nor_can_be_looked_at(self, aws_stub: AwsStub) -> None:
        states = aws_stub.client("stepfunctions")
        arns = {states.start_execution(stateMachineArn=EXPRESS, name="same")["executionArn"] for _ in range(2)}
        assert (len(arns), aws_stub.starts("stepfunctions")) == (2, 2)
        assert failure(lambda: states.describe_execution(executionArn=arns.pop()))[0] == "InvalidArn"
        assert states.describe_state_machine(stateMachineArn=EXPRESS)["type"] == "EXPRESS"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"name": "two words"}, "InvalidName"),
            ({"input": "{"}, "InvalidExecutionInput"),
            ({"stateMachineArn": "daily-sales"}, "InvalidArn"),
            ({"stateMachineArn": f"{MACHINE}-of-nobody"}, "StateMachineDoesNotExist"),
        ],
    )
    def test_what_cannot_be_started_is_refused(self, aws_stub: AwsStub, change: dict[str, str], code: str) -> None:
        states = aws_stub.client("stepfunctions")
        assert failure(lambda: states.start_execution(**{"stateMachineArn": MACHINE, **change}))[0] == code
        assert aws_stub.starts("stepfunctions") == 0
