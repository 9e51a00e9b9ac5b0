"""What nobody can use, and what nobody deployed: it is kept, told, and stops nothing else."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.aws.e2e.assembled import assembled
from tests.aws.e2e.conftest import Begin, Deploy
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.functions import FunctionFailed

from interlock.core.runs import RunStatus

pytestmark = [pytest.mark.service, pytest.mark.enable_socket, pytest.mark.xdist_group("aws-e2e")]


@pytest.fixture(scope="module", autouse=True)
def _begun(deploy: Deploy, begin: Begin, outside: Outside) -> None:
    quick = ("behind", "dropped", "beside-it")
    outside.quick.update(quick)
    traits = tuple(f"large-{number}" for number in range(4))
    deploy(
        *(pipeline(name, trigger=over_http(outside, name)) for name in quick),
        pipeline("large", *traits, trigger=over_http(outside, "large")),
    )
    for name in quick:
        outside.tell(name, "data", "PASS")
    for each in traits:
        outside.tell("large", each, {"status": "PASS", "value": {"rows": "x" * 50_000}})
    begin("large")


def test_a_record_that_fails_as_often_as_it_is_tried_is_kept_and_its_run_is_taken_up(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-24, AWS-34, AWS-49: what stands behind it goes on, and the run waits for the scheduler only."""
    deployment.settle()
    deployment.down.add("stream-router")
    deployment.send("SendMarker", pipelineId="dropped", source="queue")
    deployment.until(lambda: deployment.run("dropped"), "the run is opened")
    kept = deployment.until(lambda: deployment.kept("RetryAttemptsExhausted"), "the record is given up")
    deployment.down.clear()
    assert {one["DDBStreamBatchInfo"]["batchSize"] for one in kept} == {1}
    assert deployment.executions("dropped") == []
    deployment.marker("behind")
    deployment.becomes(RunStatus.COMPLETED, "behind")
    deployment.round("scheduler", later=timedelta(minutes=10))
    deployment.becomes(RunStatus.COMPLETED, "dropped")
    assert [len(outside.begun(name)) for name in ("behind", "dropped")] == [1, 1]
    assert len(deployment.executions("dropped")) == 1


def test_a_row_that_nobody_can_read_is_kept_with_the_reason_and_stops_nothing(
    deployment: Deployment, outside: Outside
) -> None:
    """AWS-24."""
    row = f"SLOT#poison:daily:{deployment.day}"
    deployment.raw({"PK": {"S": row}, "SK": {"S": "RUN#000001"}, "version": {"N": "1"}, "body": {"S": "{"}})
    deployment.marker("beside-it")
    (kept,) = deployment.until(lambda: deployment.kept("poison"), "the row is kept")
    assert "cannot be read" in kept["reason"]
    deployment.becomes(RunStatus.COMPLETED, "beside-it")
    assert len(outside.begun("beside-it")) == 1


def test_a_marker_that_nobody_can_read_is_kept_with_the_reason(deployment: Deployment) -> None:
    """AWS-08, AWS-24: at once, and not after all its tries."""
    deployment.raw({"PK": {"S": "PIPELINE#behind"}, "SK": {"S": "MARKER#mangled#1"}, "date": {"N": "7"}})
    deployment.marker("behind", "stale", date=deployment.days_ago(30))
    for word, reason in {"mangled": "expected text", "stale": "more than 7 days"}.items():
        (kept,) = deployment.until(partial(deployment.kept, word), f"{word} is kept")
        assert reason in kept["reason"]
    assert deployment.run("behind", date=deployment.days_ago(30)) is None


def test_a_marker_for_a_pipeline_that_nobody_knows_is_kept_and_told(deployment: Deployment) -> None:
    """AWS-22."""
    deployment.marker("nobody")
    assert deployment.until(lambda: deployment.kept("nobody"), "the marker is kept")
    told = deployment.until(lambda: [one for one in deployment.alerts("") if "nobody" in one["message"]], "it is told")
    assert "no pipeline is named" in told[0]["message"]
    assert deployment.executions("nobody") == []


def test_an_execution_for_a_run_that_there_is_not_fails_and_is_told(deployment: Deployment) -> None:
    """AWS-08, AWS-32."""
    execution = deployment.start(deployment.key("phantom"), "phantom")
    ended = deployment.ended(execution)
    assert (ended.status, ended.error) == ("FAILED", "UnknownRun")
    assert "phantom" in str(ended.cause)
    deployment.until(lambda: any("phantom" in one["message"] for one in deployment.alerts("")), "it is told")
    assert deployment.runs("phantom") == ()


def test_answers_that_do_not_fit_into_the_state_break_no_execution(deployment: Deployment, outside: Outside) -> None:
    """AWS-29: and open nothing."""
    deployment.alerted("large", "evaluation_failed")
    deployment.waits("WaitForPeople", "large")
    assert set(deployment.results("large").values()) == {"ERROR"}
    assert outside.begun("large") == []


def test_a_stream_that_is_delivered_again_from_its_beginning_changes_nothing(deployment: Deployment) -> None:
    """AWS-13, AWS-25, AWS-48: whatever the tests before have left in it."""
    deployment.settle()
    before = deployment.picture()
    assert before["runs"]
    deployment.deliver_again()
    deployment.settle()
    assert deployment.picture() == before
    # What nobody can use is kept once more.
    assert any("expected text" in one["reason"] for one in deployment.kept())


def test_a_deployment_is_changed_while_it_works(lab: Lab, outside: Outside, tmp_path: Path) -> None:
    """AWS-31, AWS-45: functions that could not begin begin later, and nobody has to stop for what is deployed next."""
    with Deployment(lab, assembled(lab, lab.ministack.fresh_table()), outside) as fresh:
        with pytest.raises(FunctionFailed) as failed:
            fresh.round("scheduler")
        assert failed.value.kind == "NotDeployed"
        kept, retired = (pipeline(name, schedules=[{"name": "daily"}]) for name in ("kept", "retired"))
        fresh.deploy(tmp_path / "both", kept, retired)
        assert fresh.round("scheduler")["opened"] == 2
        fresh.deploy(tmp_path / "one", kept, prune=True)
        fresh.marker("retired", "too-late", date=fresh.days_ago(1))
        fresh.until(lambda: fresh.kept("too-late"), "the marker is kept")
        assert fresh.round("scheduler")["opened"] == 0
        assert [len(fresh.runs(name)) for name in ("kept", "retired")] == [1, 1]
