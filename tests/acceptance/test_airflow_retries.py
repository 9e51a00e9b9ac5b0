"""`onRetry: clear` of the airflow trigger, from the command line to a stub of Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cli import interlock
from tests.acceptance.dags import PASSWORD_NAME, a_dag_project
from tests.servers.airflow_stub import AirflowStub, Dag
from tests.servers.airflow_wire import Asked

pytestmark = pytest.mark.enable_socket


@pytest.fixture(params=["3", "2"])
def stub(request: pytest.FixtureRequest) -> Iterator[AirflowStub]:
    with AirflowStub(request.param) as made:
        made.dags["daily"] = Dag(ends="failed", then="success")
        yield made


def test_a_day_that_failed_is_completed_by_clearing_its_dag_run(stub: AirflowStub, tmp_path: Path) -> None:
    project = a_dag_project(tmp_path, stub.url, "daily")
    ran = interlock("run", "orders", "--json", cwd=project, env={PASSWORD_NAME: stub.password})
    assert ran.code == 0, ran.err
    assert [each["status"] for each in ran.document["attempts"]] == ["failed", "succeeded"]
    assert len({each["jobId"] for each in ran.document["attempts"]}) == 1
    assert (len(stub.runs), stub.starts()) == (1, 2)


def test_a_dag_run_that_somebody_cleared_waits_for_a_person_to_say_how_it_ended(
    stub: AirflowStub, tmp_path: Path
) -> None:
    """It is not cleared once more, and the run is not given up either: `interlock complete` takes it on."""

    def somebody_clears(asked: Asked) -> None:
        if asked.path.endswith("/dags/daily"):
            for run in stub.runs.values():
                run.become("success")

    stub.before = somebody_clears
    project = a_dag_project(tmp_path, stub.url, "daily")
    env = {PASSWORD_NAME: stub.password}
    ran = interlock("run", "orders", cwd=project, env=env)
    assert (ran.code, stub.starts()) == (3, 1), ran.out + ran.err
    alert = interlock("alerts", "list", "--json", cwd=project).document["items"][0]
    assert alert["alertType"] == "start_unknown"
    assert "has succeeded, and only one that has failed is cleared for attempt 2" in alert["message"]
    run_id = interlock("history", "orders", "--json", cwd=project).document["items"][0]["runId"]
    assert interlock("complete", run_id, "--status", "success", cwd=project, env=env).code == 0
    assert interlock("history", "orders", "--json", cwd=project).document["items"][0]["status"] == "COMPLETED"
