"""A job is started when its data is ready, and not before: from a marker in the table to the start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline

from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]

TODAY = [f"{datetime.now(UTC) + timedelta(days=ahead):%A}" for ahead in (-1, 0, 1)]
"""Whatever day it is in the zone of the project, and whether or not that day ends meanwhile."""


@pytest.fixture(scope="module", autouse=True)
def _begun(deploy: Deploy, begin: Begin, outside: Outside) -> None:
    rows = [{"sensor": "landing", "field": "rows", "check": "gte", "value": 1000}]
    pushed = {"upstream": {"evaluator": "push", "ttl": 600}}
    deploy(
        pipeline(
            "progressive", "freshness", "volume", "upstream",
            checks=pushed, rules=rows, trigger=over_http(outside, "progressive"),
        ),
        pipeline("quality", trigger=over_http(outside, "quality")),
        pipeline("woken", trigger=over_http(outside, "woken")),
        pipeline("excluded", trigger=over_http(outside, "excluded"), exclusions={"days": TODAY}),
        pipeline("throttled", "left", "right", trigger=over_http(outside, "throttled")),
        pipeline("crashing", "left", "right", trigger=over_http(outside, "crashing")),
        pipeline("malformed", trigger=over_http(outside, "malformed")),
    )  # fmt: skip
    outside.tell("quality", "data", {"status": "FAIL", "value": {"rows": 800}, "reason": "800 rows of 1000"})
    outside.tell("excluded", "data", "PASS")
    outside.tell("malformed", "data", {"status": "pass?"})
    begin("progressive", "quality", "woken", "excluded", "malformed")


def test_nothing_starts_before_everything_is_ready_and_then_one_job(deployment: Deployment, outside: Outside) -> None:
    """AWS-04, AWS-12, AWS-39: what comes after the first question counts, and waiting is no attempt."""
    assert deployment.waits("WaitForReadiness", "progressive").round == 1
    outside.tell("progressive", "freshness", "PASS")
    outside.tell("progressive", "volume", "PASS")
    deployment.marker("progressive")
    deployment.until(lambda: deployment.results("progressive").get("volume") == "PASS", "the second round")
    deployment.waits("WaitForReadiness", "progressive")
    deployment.send("PushTrait", pipelineId="progressive", traitType="upstream", status="PASS")
    deployment.until(lambda: deployment.results("progressive").get("upstream") == "PASS", "the third round")
    waiting = deployment.waits("WaitForReadiness", "progressive")
    assert outside.begun("progressive") == []
    assert waiting.attempt == 0
    assert waiting.readiness is not None
    assert waiting.readiness.blocking == ("rule-landing.rows.gte",)
    deployment.send("PutSensor", pipelineId="progressive", key="landing", data={"rows": 1500})
    deployment.waits("WaitForJob", "progressive")
    deployment.report("progressive")
    assert deployment.becomes(RunStatus.COMPLETED, "progressive").attempt == 1
    (job,) = outside.begun("progressive")
    assert job.body["day"] == str(deployment.day)
    assert len(deployment.executions("progressive")) == 1


def test_a_drop_in_quality_holds_the_job_back_until_it_is_mended(deployment: Deployment, outside: Outside) -> None:
    waiting = deployment.waits("WaitForReadiness", "quality")
    assert "800 rows of 1000" in waiting.results[0].reason
    assert outside.begun("quality") == []
    outside.tell("quality", "data", {"status": "PASS", "value": {"rows": 1200}})
    deployment.marker("quality")
    deployment.waits("WaitForJob", "quality")
    assert len(outside.begun("quality")) == 1


def test_what_arrives_wakes_a_waiting_run_at_once(deployment: Deployment, outside: Outside) -> None:
    """AWS-04: it would have looked again in three hours."""
    run = deployment.waits("WaitForReadiness", "woken")
    assert run.wake_at is not None
    assert (run.wake_at - run.updated_at).total_seconds() > 10_000
    outside.tell("woken", "data", "PASS")
    began = monotonic()
    deployment.marker("woken")
    deployment.until(lambda: outside.begun("woken"), "the job is begun")
    assert monotonic() - began < 10
    assert len(deployment.executions("woken")) == 1


def test_nothing_begins_on_an_excluded_day(deployment: Deployment, outside: Outside) -> None:
    deployment.until(lambda: deployment.taken("excluded"), "the marker is recorded")
    deployment.settle()
    assert deployment.runs("excluded") == ()
    assert deployment.executions("excluded") == []
    assert outside.questions("excluded") == []


def test_a_throttled_evaluator_is_asked_again_and_ends_nothing(deployment: Deployment, outside: Outside) -> None:
    """AWS-18, AWS-44."""
    outside.tell("throttled", "left", "PASS")
    outside.tell("throttled", "right", "PASS")
    deployment.lab.functions.throttle(deployment.site.functions["evaluator"], 1)
    deployment.marker("throttled")
    assert deployment.waits("WaitForJob", "throttled").round == 1
    assert len(outside.begun("throttled")) == 1
    assert len(outside.questions("throttled")) == 2


def test_an_evaluator_that_dies_says_nothing_and_takes_no_other_answer_with_it(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-17, AWS-28: nobody answered, so the gate stays shut, and people are told why."""
    outside.tell("crashing", "left", "PASS")
    outside.tell("crashing", "right", lambda: deployment.crash("evaluator", after="crashing"))
    deployment.marker("crashing")
    alert = deployment.alerted("crashing", "evaluation_failed")
    run = deployment.waits("WaitForPeople", "crashing")
    assert deployment.results("crashing") == {"left": "PASS", "right": "ERROR"}
    assert deployment.failed("evaluator") == ["Runtime.ExitError"]
    assert "right" in alert["message"]
    assert outside.begun("crashing") == []
    assert run.attempt == 0


def test_an_answer_that_is_none_opens_nothing(deployment: Deployment, outside: Outside) -> None:
    """AWS-17."""
    deployment.waits("WaitForPeople", "malformed")
    assert outside.begun("malformed") == []
