"""What must have happened by an instant: deadlines, limits, and what the watchdog finds missing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.aws.e2e.conftest import Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline

from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
def _deployed(deploy: Deploy, outside: Outside) -> None:
    deploy(
        pipeline("stuck", trigger=over_http(outside, "stuck"), watchdog={"stuckRunThreshold": "30m"}),
        pipeline("absent", schedules=[{"name": "daily", "deadline": "14:00"}], trigger=over_http(outside, "absent")),
    )


def test_a_slot_that_nobody_opened_is_told(deployment: Deployment, outside: Outside) -> None:
    """AWS-33, AWS-49: the watchdog needs no scheduler."""
    for rule in ("watchdog", "watchdog", "alert-delivery"):
        deployment.round(rule, later=3 * HOUR)
    assert [one["alertType"] for one in deployment.alerts("absent")] == ["schedule_missed"]
    assert outside.begun("absent") == []


def test_a_deadline_that_passes_is_told_once_and_stops_nothing(deployment: Deployment, outside: Outside) -> None:
    """AWS-05, AWS-35: by the execution that slept until then, and whatever else happens."""
    deployment.waits("WaitForReadiness", "breaching")
    deployment.alerted("breaching", "evaluation_sla_breach")
    for _ in range(2):
        deployment.marker("breaching")
        deployment.settle()
    outside.tell("breaching", "data", "PASS")
    deployment.marker("breaching")
    deployment.waits("WaitForJob", "breaching")
    deployment.until(lambda: len(deployment.alerts("breaching")) == 2, "its end is told, too")
    assert [one["notice"] for one in deployment.alerts("breaching")] == ["opened", "resolved"]
    assert deployment.taken("breaching", "SLA_BREACHED") == 1
    assert len(outside.begun("breaching")) == 1


def test_a_run_that_is_not_ready_by_its_limit_is_given_up(deployment: Deployment, outside: Outside) -> None:
    """AWS-05, AWS-39."""
    run = deployment.becomes(RunStatus.CANCELLED, "given-up")
    deployment.alerted("given-up", "validation_timeout")
    assert deployment.ended(deployment.execution(run.key)).status == "SUCCEEDED"
    outside.tell("given-up", "data", "PASS")
    deployment.marker("given-up")
    deployment.settle()
    assert outside.begun("given-up") == []
    assert len(deployment.runs("given-up")) == 1


def test_a_run_that_stands_still_is_told(deployment: Deployment, outside: Outside) -> None:
    """AWS-33."""
    outside.tell("stuck", "data", "PASS")
    deployment.marker("stuck")
    deployment.waits("WaitForJob", "stuck")
    for rule in ("scheduler", "watchdog", "alert-delivery"):
        deployment.round(rule, later=HOUR / 4)
    assert deployment.alerts("stuck") == []
    for rule in ("scheduler", "watchdog", "watchdog", "alert-delivery"):
        deployment.round(rule, later=HOUR)
    assert [one["alertType"] for one in deployment.alerts("stuck")] == ["stuck_run"]
