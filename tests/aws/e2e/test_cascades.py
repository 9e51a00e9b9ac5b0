"""Pipelines that wait for each other: who is told of an end, for which day, and how often something starts for it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline

from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]


def after(upstream: str) -> dict[str, Any]:
    """Return a trait that waits for another pipeline."""
    return {"evaluator": "builtin:upstream-check", "config": {"upstreamPipeline": upstream}}


@pytest.fixture(scope="module", autouse=True)
def _begun(deploy: Deploy, begin: Begin, the_deployment: Deployment, outside: Outside) -> None:
    outside.quick.update(("silver", "gold", "fan-a", "fan-b", "fan-in", "shifts"))

    def job(name: str) -> dict[str, Any]:
        return {"trigger": over_http(outside, name)}

    both = {"left": after("fan-a"), "right": after("fan-b")}
    every = {"schedules": [{"name": "early", "missed": "skip"}, {"name": "late", "missed": "skip"}]}
    deploy(
        pipeline("silver", **job("silver")),
        pipeline("gold", "upstream", checks={"upstream": after("silver")}, **job("gold")),
        pipeline("fan-a", **job("fan-a")),
        pipeline("fan-b", **job("fan-b")),
        pipeline("fan-in", "left", "right", checks=both, **job("fan-in")),
        pipeline("shifts", **every, **job("shifts")),
    )
    outside.tell("fan-a", "data", "PASS")
    outside.tell("shifts", "data", "PASS")
    begin("gold", date=the_deployment.days_ago(1))
    begin("fan-a")
    begin("shifts", scheduleID="late")


def test_the_end_of_one_starts_the_next_for_the_same_day_once(deployment: Deployment, outside: Outside) -> None:
    """AWS-09, AWS-20, AWS-21."""
    yesterday = deployment.days_ago(1)
    deployment.waits("WaitForReadiness", "gold", date=yesterday)
    assert outside.begun("gold") == []
    outside.tell("silver", "data", "PASS")
    deployment.marker("silver", date=yesterday)
    deployment.becomes(RunStatus.COMPLETED, "gold", date=yesterday)
    assert [job.body["day"] for job in outside.begun("gold")] == [yesterday]
    assert [job.body["day"] for job in outside.begun("silver")] == [yesterday]
    assert deployment.run("gold") is None


def test_who_waits_for_two_starts_after_the_second(deployment: Deployment, outside: Outside) -> None:
    """AWS-04: the first end finds the other missing, and that is not the end of the day."""
    deployment.becomes(RunStatus.COMPLETED, "fan-a")
    waiting = deployment.waits("WaitForReadiness", "fan-in")
    assert deployment.results("fan-in") == {"left": "PASS", "right": "FAIL"}
    assert outside.begun("fan-in") == []
    outside.tell("fan-b", "data", "PASS")
    deployment.marker("fan-b")
    done = deployment.becomes(RunStatus.COMPLETED, "fan-in")
    assert (done.key, done.attempt) == (waiting.key, 1)
    assert len(outside.begun("fan-in")) == 1
    assert len(deployment.executions("fan-in")) == 1


def test_schedules_of_one_pipeline_run_each_for_itself(deployment: Deployment, outside: Outside) -> None:
    """AWS-22: and nothing runs for a schedule that there is not."""
    deployment.becomes(RunStatus.COMPLETED, "shifts", schedule="late")
    assert deployment.run("shifts", schedule="early") is None
    deployment.marker("shifts", scheduleID="hourly")
    (kept,) = deployment.until(lambda: deployment.kept("shifts"), "the marker is kept")
    assert "hourly" in kept["reason"]
    deployment.marker("shifts", scheduleID="early")
    deployment.becomes(RunStatus.COMPLETED, "shifts", schedule="early")
    assert [job.body["schedule"] for job in outside.begun("shifts")] == ["late", "early"]
    assert len(deployment.runs("shifts")) == 2
