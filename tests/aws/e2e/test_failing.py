"""Jobs that fail, hang, vanish: what is tried again, and what people and programs hear of it."""

from __future__ import annotations

from typing import Final

import pytest
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline
from tests.servers.aws_jobs import Behaviour

from interlock.core.runs import RunStatus

GLUE: Final[dict[str, list[str]]] = {
    "polled": ["STARTING", "RUNNING", "SUCCEEDED"],
    "breaking": ["RUNNING", "FAILED"],
    "vanishing": ["RUNNING"],
}
pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]


@pytest.fixture(scope="module", autouse=True)
def _begun(deploy: Deploy, begin: Begin, outside: Outside) -> None:
    glue = {"type": "glue", "endpoint": outside.aws.url, "pollInterval": "1s"}
    twice = {"maxAttempts": 2, "backoffSeconds": 1}
    once = {"maxAttempts": 1}
    outside.aws.glue.jobs.update(GLUE)
    deploy(
        pipeline("mended", trigger=over_http(outside, "mended"), retry=twice),
        pipeline("hopeless", trigger=over_http(outside, "hopeless", pollInterval="1s"), retry=twice),
        pipeline("cancelled", trigger=over_http(outside, "cancelled")),
        *(pipeline(name, trigger={**glue, "jobName": name, "pollBudget": 1}, retry=once) for name in GLUE),
    )
    for name in ("mended", "hopeless", "cancelled", *GLUE):
        outside.tell(name, "data", "PASS")
    for name, states in GLUE.items():
        outside.aws.behave("glue", Behaviour(states=states, error="out of memory"), where=name)
    begin("mended", "cancelled", *GLUE)


def test_a_failed_job_is_tried_again_by_the_same_execution(deployment: Deployment, outside: Outside) -> None:
    """AWS-06, AWS-36: after its pause, on new answers."""
    deployment.waits("WaitForJob", "mended")
    deployment.report("mended", "failed")
    deployment.waits("WaitForRetry", "mended")
    assert len(outside.begun("mended")) == 1
    deployment.waits("WaitForJob", "mended")
    deployment.report("mended")
    run = deployment.becomes(RunStatus.COMPLETED, "mended")
    assert (run.attempt, len(outside.questions("mended"))) == (2, 2)
    assert len({job.key for job in outside.begun("mended")}) == 2
    assert len(deployment.executions("mended")) == 1
    assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"
    deployment.until(lambda: deployment.ends("mended"), "the end is told")
    assert [one["eventType"] for one in deployment.ends("mended")] == ["PIPELINE_COMPLETED"]
    assert deployment.alerts("mended") == []


def test_a_job_that_fails_for_good_fails_its_execution_and_is_told_once(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-06, AWS-13, AWS-14, AWS-32: neither green nor silent, and no third start."""
    deployment.twice |= {"stream-router", "alert-delivery"}
    outside.starting["hopeless"] = lambda job: setattr(job, "state", "FAILED")
    deployment.marker("hopeless")
    run = deployment.becomes(RunStatus.FAILED, "hopeless")
    ended = deployment.ended(deployment.execution(run.key))
    assert (ended.status, ended.error) == ("FAILED", "RunFailed")
    assert run.key.run_id in str(ended.cause)
    alert = deployment.alerted("hopeless", "run_failed")
    deployment.until(lambda: deployment.ends("hopeless"), "the end is told")
    deployment.round("alert-delivery")
    deployment.settle()
    assert [one["eventType"] for one in deployment.ends("hopeless")] == ["PIPELINE_FAILED"]
    assert [one["alertId"] for one in deployment.alerts("hopeless")] == [alert["alertId"]]
    assert len(outside.begun("hopeless")) == 2


def test_a_job_of_glue_is_looked_at_until_it_has_ended(deployment: Deployment, outside: Outside) -> None:
    """AWS-27: a look that is refused is no failed job."""
    run = deployment.becomes(RunStatus.COMPLETED, "polled")
    looks = [call for call in outside.aws.called("GetJobRun", "glue") if call.params["JobName"] == "polled"]
    assert (len(looks), run.attempt) == (3, 1)
    assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"


def test_what_glue_says_of_a_failed_job_reaches_people(deployment: Deployment, outside: Outside) -> None:
    """AWS-14."""
    run = deployment.becomes(RunStatus.FAILED, "breaking")
    assert "out of memory" in deployment.alerted("breaking", "run_failed")["message"]
    assert deployment.ended(deployment.execution(run.key)).error == "RunFailed"


def test_a_job_that_has_vanished_is_told_and_never_started_again(deployment: Deployment, outside: Outside) -> None:
    """AWS-27: nobody knows what became of it."""
    deployment.waits("WaitForJob", "vanishing")
    (job,) = (one for one in outside.aws.jobs("glue") if one.name == "vanishing")
    outside.aws.forget("glue", job.id)
    deployment.alerted("vanishing", "job_lost")
    run = deployment.run("vanishing")
    assert run is not None
    assert (run.status, run.attempt) == (RunStatus.RUNNING, 1)
    deployment.send("CompleteRun", runId=run.key.run_id, status="failed", category="PERMANENT")
    deployment.becomes(RunStatus.FAILED, "vanishing")
    starts = [call for call in outside.aws.called("StartJobRun", "glue") if call.params["JobName"] == "vanishing"]
    assert len(starts) == 1


def test_a_run_that_a_person_cancels_stops_its_job_and_starts_no_other(
    deployment: Deployment, outside: Outside
) -> None:
    run = deployment.waits("WaitForJob", "cancelled")
    said = deployment.ask("POST", f"/api/runs/{run.key.run_id}/cancel", {"reason": "wrong day"})
    assert (said.status, said.document["jobStopped"]) == (200, True)
    assert [job.state for job in outside.begun("cancelled")] == ["STOPPED"]
    deployment.becomes(RunStatus.CANCELLED, "cancelled")
    assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"
    deployment.marker("cancelled")
    deployment.settle()
    assert len(outside.begun("cancelled")) == 1
    assert len(deployment.executions("cancelled")) == 1
