"""One run is one job, whatever is delivered twice, dies in between, or is started beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline

from interlock.aws.onward import RENEWED
from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]

LATER = timedelta(minutes=13)


@pytest.fixture(scope="module", autouse=True)
def _deployed(deploy: Deploy, outside: Outside) -> None:
    names = ("dying", "renewed", "a.b", "a_b", "callback")
    outside.aws.glue.jobs.add("once-only")
    glue = {"type": "glue", "jobName": "once-only", "endpoint": outside.aws.url, "pollInterval": "1s"}
    deploy(
        *(pipeline(name, trigger=over_http(outside, name)) for name in names),
        pipeline("twice", trigger=over_http(outside, "twice", pollInterval="1s")),
        pipeline("lost", trigger=over_http(outside, "lost"), watch={"interval": "10m"}),
        pipeline("beside", trigger=over_http(outside, "beside", pollInterval="1s"), watch={"interval": "1s"}),
        pipeline("found", trigger={**glue, "startTimeout": "2s"}),
    )


@pytest.fixture(scope="module", autouse=True)
def _begun(_deployed: None, begin: Begin, the_deployment: Deployment, outside: Outside) -> None:
    """Have the start of a Glue job cut short: it is looked for when the call that was cut short is surely over."""
    outside.tell("found", "data", "PASS")
    hold = outside.aws.hold("StartJobRun")
    the_deployment.marker("found")
    the_deployment.until(hold.arrived.is_set, "Glue has begun the job")
    the_deployment.crash("trigger")
    hold.release()
    the_deployment.until(lambda: the_deployment.failed("trigger") == ["Runtime.ExitError"], "the start is cut short")
    outside.tell("callback", "data", "PASS")
    begin("callback", "lost", "renewed", "a.b", "a_b")


def test_a_marker_that_comes_twice_in_batches_that_come_twice_starts_one_job(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-13, AWS-25, AWS-43: a stream delivers at least once."""
    deployment.twice |= {"stream-router", "alert-delivery"}
    outside.tell("twice", "data", "PASS")
    outside.starting["twice"] = lambda job: setattr(job, "state", "SUCCEEDED")
    for _ in range(2):
        deployment.marker("twice")
    deployment.becomes(RunStatus.COMPLETED, "twice")
    deployment.until(lambda: deployment.ends("twice"), "the end is told")
    deployment.marker("twice")
    deployment.settle()
    assert len(outside.begun("twice")) == 1
    assert [run.key for run in deployment.runs("twice")] == [deployment.key("twice")]
    assert len(deployment.executions("twice")) == 1
    assert [one["eventType"] for one in deployment.ends("twice")] == ["PIPELINE_COMPLETED"]


def test_two_executions_of_one_run_start_one_job(deployment: Deployment, outside: Outside) -> None:
    """AWS-11, AWS-34: nothing locks a run; what is decided on it is decided once."""
    deployment.marker("beside")
    deployment.waits("WaitForReadiness", "beside")
    key = deployment.key("beside")
    others = [deployment.start(key, f"b{number}") for number in (1, 2)]
    deployment.until(lambda: len(outside.questions("beside")) > 3, "it is asked in rounds")
    outside.tell("beside", "data", "PASS")
    deployment.becomes(RunStatus.RUNNING, "beside")
    outside.begun("beside")[0].state = "SUCCEEDED"
    for execution in (deployment.execution(key), *others):
        assert deployment.ended(execution).status == "SUCCEEDED"
    assert len(outside.begun("beside")) == 1
    assert deployment.becomes(RunStatus.COMPLETED, "beside").attempt == 1


def test_a_function_that_dies_between_call_and_answer_has_started_one_job(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-26: the start is repeated under the same key, and joins what it had begun."""
    outside.tell("dying", "data", "PASS")
    outside.starting["dying"] = lambda _job: deployment.crash("trigger")
    deployment.marker("dying")
    deployment.becomes(RunStatus.RUNNING, "dying")
    assert deployment.failed("trigger") == ["Runtime.ExitError"]
    deployment.report("dying")
    run = deployment.becomes(RunStatus.COMPLETED, "dying")
    assert len(outside.begun("dying")) == 1
    assert (run.attempt, run.doubt) == (1, "")


def test_a_run_whose_execution_was_stopped_is_taken_up_by_the_scheduler(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-34."""
    deployment.waits("WaitForReadiness", "lost")
    deployment.lab.machines.stop(deployment.execution(deployment.key("lost")))
    outside.tell("lost", "data", "PASS")
    deployment.round("scheduler")
    assert len(deployment.executions("lost")) == 1
    assert outside.begun("lost") == []
    deployment.round("scheduler", later=LATER)
    assert len(deployment.executions("lost")) == 2
    deployment.marker("lost")
    deployment.becomes(RunStatus.RUNNING, "lost")
    deployment.report("lost")
    deployment.becomes(RunStatus.COMPLETED, "lost")
    assert len(outside.begun("lost")) == 1


def test_an_execution_hands_over_before_its_history_is_full(deployment: Deployment, outside: Outside) -> None:
    """AWS-30."""
    deployment.waits("WaitForReadiness", "renewed")
    key = deployment.key("renewed")
    deployment.lab.machines.stop(deployment.execution(key))
    old = deployment.start(key, "old", spent=RENEWED - 5)
    assert deployment.ended(old).status == "SUCCEEDED"
    assert deployment.lab.machines.path(old)[-2:] == ["Renew", "Renewed"]
    (heir,) = (name for name in deployment.executions("renewed") if "-r" in name[-14:])
    deployment.waiting("WaitForReadiness", deployment.named(heir))
    outside.tell("renewed", "data", "PASS")
    deployment.marker("renewed")
    deployment.becomes(RunStatus.RUNNING, "renewed")
    deployment.report("renewed")
    assert deployment.ended(deployment.named(heir)).status == "SUCCEEDED"
    assert len(outside.begun("renewed")) == 1


def test_pipelines_that_are_called_alike_have_executions_of_their_own(deployment: Deployment, outside: Outside) -> None:
    """AWS-19: neither a full stop nor an underscore may make one of two."""
    for name in ("a.b", "a_b"):
        deployment.waits("WaitForReadiness", name)
    assert deployment.execution(deployment.key("a.b")) != deployment.execution(deployment.key("a_b"))
    assert [len(outside.questions(name)) for name in ("a.b", "a_b")] == [1, 1]


def test_the_report_of_a_job_ends_its_run_at_once_and_once(deployment: Deployment, outside: Outside) -> None:
    """AWS-27, AWS-52: whoever reports is not looked at."""
    deployment.waits("WaitForJob", "callback")
    (job,) = outside.begun("callback")
    target = job.callback.removeprefix("https://interlock.example.com")
    assert target != job.callback
    for _ in range(2):
        assert deployment.ask("POST", target, {"status": "success"}).status == 200
    assert deployment.becomes(RunStatus.COMPLETED, "callback").attempt == 1
    assert deployment.ended(deployment.execution(deployment.key("callback"))).status == "SUCCEEDED"
    assert job.looks == 0


def test_a_job_that_cannot_be_joined_is_found_and_not_started_again(deployment: Deployment, outside: Outside) -> None:
    """AWS-26, AWS-50: its start was cut short before the first of these tests."""
    assert deployment.becomes(RunStatus.COMPLETED, "found").attempt == 1
    starts = [call for call in outside.aws.called("StartJobRun", "glue") if call.params["JobName"] == "once-only"]
    assert len(starts) == 1
