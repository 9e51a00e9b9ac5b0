"""What people, jobs and drift ask for: reruns, replays, reports, by the queue and by the API."""

from __future__ import annotations

import pytest
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline

from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]


@pytest.fixture(scope="module", autouse=True)
def _begun(deploy: Deploy, begin: Begin, outside: Outside) -> None:
    outside.quick.update({"rerun", "replayed", "drifting", "guarded"})
    watched = {"monitoring": {"duration": "5m"}}
    names = ("rerun", "replayed", "reported", "drifting", "guarded")
    more = {"drifting": {"watch": watched, "checks": {"data": {"evaluator": "data", "ttl": 0}}}}
    deploy(*(pipeline(name, trigger=over_http(outside, name), **more.get(name, {})) for name in names))
    for name in names:
        outside.tell(name, "data", "PASS")
    begin("rerun", "reported")


def test_a_rerun_that_is_asked_for_twice_is_one_run_with_an_execution_of_its_own(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-23: it is no duplicate of what it repeats."""
    first = deployment.becomes(RunStatus.COMPLETED, "rerun")
    deployment.twice.add("ingress")
    deployment.send("Rerun", pipelineId="rerun", originalDate=str(deployment.day), reason="the source was mended")
    second = deployment.becomes(RunStatus.COMPLETED, "rerun", 2)
    deployment.settle()
    assert [run.key for run in deployment.runs("rerun")] == [second.key, first.key]
    assert [job.body["run"] for job in outside.begun("rerun")] == [first.key.run_id, second.key.run_id]
    for run in (first, second):
        assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"
    assert deployment.run("rerun") == first


def test_a_replay_of_a_day_long_over_keeps_that_day(deployment: Deployment, outside: Outside) -> None:
    """AWS-09, AWS-41: nothing of today is touched."""
    then = deployment.days_ago(40)
    target = "/api/pipelines/replayed/replays"
    said = deployment.ask("POST", target, {"date": then, "reason": "the tariff changed"})
    assert said.status == 202
    run = deployment.becomes(RunStatus.COMPLETED, "replayed", date=then)
    assert [job.body["day"] for job in outside.begun("replayed")] == [then]
    assert [one.date for one in outside.questions("replayed")] == [then]
    assert [each.key for each in deployment.runs("replayed")] == [run.key]
    deployment.until(lambda: deployment.ends("replayed"), "the end is told")
    assert [one["date"] for one in deployment.ends("replayed")] == [then]


def test_a_report_by_the_queue_ends_a_run(deployment: Deployment, outside: Outside) -> None:
    """AWS-27."""
    run = deployment.waits("WaitForJob", "reported")
    deployment.report("reported")
    deployment.becomes(RunStatus.COMPLETED, "reported")
    assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"
    assert len(outside.begun("reported")) == 1


def test_drift_is_told_and_the_slot_runs_again_when_the_data_is_right(deployment: Deployment, outside: Outside) -> None:
    """AWS-03: what is compared with is what the job was started on."""
    deployment.marker("drifting")
    deployment.waits("WatchForDrift", "drifting")
    deployment.send("PutSensor", pipelineId="drifting", key="landing", data={"rows": 1})
    deployment.until(lambda: len(outside.questions("drifting")) > 1, "it is asked again")
    deployment.waits("WatchForDrift", "drifting")
    assert deployment.alerts("drifting") == []
    outside.tell("drifting", "data", "FAIL")
    deployment.send("PutSensor", pipelineId="drifting", key="landing", data={"rows": 2})
    assert "data passed when the job was started" in deployment.alerted("drifting", "trait_drift")["message"]
    first = deployment.becomes(RunStatus.COMPLETED, "drifting")
    assert deployment.ended(deployment.execution(first.key)).status == "SUCCEEDED"
    deployment.waits("WaitForReadiness", "drifting", 2)
    assert len(outside.begun("drifting")) == 1
    outside.tell("drifting", "data", "PASS")
    deployment.send("PutSensor", pipelineId="drifting", key="landing", data={"rows": 3})
    deployment.becomes(RunStatus.COMPLETED_MONITORING, "drifting", 2)
    assert len(outside.begun("drifting")) == 2
    assert deployment.ask("POST", "/api/pipelines/drifting/cancel", {"reason": "seen"}).status == 200


def test_the_api_answers_whom_iam_names_and_nobody_else(deployment: Deployment, outside: Outside) -> None:
    """AWS-37: by their roles."""
    target = "/api/pipelines/guarded/run"
    stranger = "arn:aws:sts::123456789012:assumed-role/others/eve"
    for arn in (None, stranger):
        assert deployment.ask("POST", target, {}, arn=arn).status == 403
    assert deployment.runs("guarded") == ()
    assert outside.questions("guarded") == []
    assert deployment.ask("POST", target, {}).status in {200, 202}
    run = deployment.becomes(RunStatus.COMPLETED, "guarded")
    shown = deployment.ask("GET", f"/api/runs/{run.key.run_id}").document
    assert shown["status"] == "COMPLETED"


def test_a_request_that_nobody_can_use_is_kept_with_the_reason(deployment: Deployment) -> None:
    """AWS-24: and what stands behind it in its batch is taken."""
    deployment.send("SendMarker", pipelineId="guarded-not", nonsense=1)
    deployment.send("PutSensor", pipelineId="guarded", key="landing", data={"rows": 1})
    (kept,) = deployment.until(lambda: deployment.kept("guarded-not"), "the request is kept")
    assert "nonsense" in kept["reason"]
    assert deployment.until(lambda: deployment.taken("guarded", "SENSOR_UPDATED"), "the sensor is written") == 1
