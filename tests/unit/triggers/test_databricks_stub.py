"""The stub of Databricks against the official SDK: what the vendor's client takes for a workspace is like one.

It runs where the SDK is: in the environment that INTERLOCK_DATABRICKS_VENV names, or in `.venv-servers`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.servers.databricks_runs import FAILS, LINGERS, ended, going
from tests.servers.databricks_stub import RUN_NOW, SUBMIT, DatabricksStub

from interlock.triggers import databricks_answers as answers
from interlock.triggers import databricks_config as config

ROOT = Path(__file__).resolve().parents[3]

# What databricks-sdk 0.156.0 has in databricks.sdk.service.jobs.
LIVES = {
    *("BLOCKED", "INTERNAL_ERROR", "PENDING", "QUEUED", "RUNNING", "SKIPPED", "TERMINATED", "TERMINATING"),
    "WAITING_FOR_RETRY",
}
NEWER_LIVES = {"BLOCKED", "PENDING", "QUEUED", "RUNNING", "TERMINATED", "TERMINATING", "WAITING"}
RESULTS = {
    *("CANCELED", "DISABLED", "EXCLUDED", "FAILED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "SUCCESS"),
    *("SUCCESS_WITH_FAILURES", "TIMEDOUT", "UPSTREAM_CANCELED", "UPSTREAM_FAILED"),
}
CODES = {
    *("BREAKING_CHANGE", "BUDGET_POLICY_LIMIT_EXCEEDED", "CANCELED", "CLOUD_FAILURE", "CLUSTER_ERROR"),
    *("CLUSTER_REQUEST_LIMIT_EXCEEDED", "DISABLED", "DRIVER_ERROR", "FEATURE_DISABLED"),
    *("INTERNAL_ERROR", "INVALID_CLUSTER_REQUEST", "INVALID_RUN_CONFIGURATION", "LIBRARY_INSTALLATION_ERROR"),
    *("MAX_CONCURRENT_RUNS_EXCEEDED", "MAX_JOB_QUEUE_SIZE_EXCEEDED", "MAX_SPARK_CONTEXTS_EXCEEDED"),
    *("REPOSITORY_CHECKOUT_FAILED", "RESOURCE_NOT_FOUND", "RUN_EXECUTION_ERROR", "SKIPPED", "STORAGE_ACCESS_ERROR"),
    *("SUCCESS", "SUCCESS_WITH_FAILURES", "UNAUTHORIZED_ERROR", "USER_CANCELED", "WORKSPACE_RUN_LIMIT_EXCEEDED"),
}

SCRIPT = r"""
import inspect, json, os, sys
from datetime import timedelta

os.environ = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS")}
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import (
    InvalidParameterValue, NotFound, PermissionDenied, ResourceDoesNotExist, TooManyRequests, Unauthenticated,
)
from databricks.sdk.service import jobs
from databricks.sdk.version import __version__

url = json.loads(sys.argv[1])["url"]
quick = {"host": url, "retry_timeout_seconds": 2, "http_timeout_seconds": 5}
w = WorkspaceClient(config=Config(token="dapi-1", auth_type="pat", **quick))
done = {"version": __version__}

def refused(call, kind):
    try:
        call()
    except kind as exc:
        return str(exc)[:200]
    raise AssertionError(f"not refused: {kind}")

short = timedelta(seconds=20)
wait = w.jobs.run_now(101, idempotency_token="t-1", job_parameters={"day": "2026-03-07"}, only=["work"],
                      queue=jobs.QueueSettings(enabled=True))
again = w.jobs.run_now(101, idempotency_token="t-1")
done["run_now"] = [wait.run_id, again.run_id]
run = wait.result(timeout=short)
done["get_run"] = [run.run_id, run.run_page_url, run.state.life_cycle_state.value, run.state.result_state.value,
                   run.status.state.value, run.status.termination_details.code.value,
                   run.status.termination_details.type.value, run.tasks[0].task_key]
task = jobs.SubmitTask(task_key="work", existing_cluster_id="c-1",
                       notebook_task=jobs.NotebookTask(notebook_path="/Shared/work"))
sent = w.jobs.submit(run_name="one", tasks=[task], idempotency_token="t-2", timeout_seconds=60)
done["submit"] = sent.result(timeout=short).state.result_state.value
failed = w.jobs.run_now(102)
w.jobs.get_run(failed.run_id)
failed = w.jobs.get_run(failed.run_id)
done["failed"] = [failed.state.result_state.value, failed.state.state_message]
done["output"] = w.jobs.get_run_output(run.run_id).notebook_output.result
lingering = w.jobs.run_now(103, idempotency_token="t-3")
w.jobs.cancel_run(lingering.run_id)
states = [w.jobs.get_run(lingering.run_id).state for _ in range(3)]
done["cancel"] = [states[0].life_cycle_state.value, states[-1].life_cycle_state.value, states[-1].result_state.value]
many = w.jobs.run_now(104)
page = w.api_client.do("GET", "/api/2.2/jobs/runs/get", query={"run_id": many.run_id})
done["pages"] = [len(page["tasks"]), len(w.jobs.get_run(many.run_id).tasks)]
done["list"] = [one.run_id for one in w.jobs.list_runs(limit=2)]
done["list_of_job"] = [one.job_id for one in w.jobs.list_runs(job_id=102)]
done["no_run"] = refused(lambda: w.jobs.get_run(5), ResourceDoesNotExist)
done["no_job"] = refused(lambda: w.jobs.run_now(5), InvalidParameterValue)
done["long_token"] = refused(lambda: w.jobs.run_now(101, idempotency_token="x" * 65), InvalidParameterValue)
done["no_path"] = refused(lambda: w.api_client.do("GET", "/api/2.0/jobs/none"), NotFound)
w.jobs.delete_run(lingering.run_id)
done["deleted"] = refused(lambda: w.jobs.run_now(103, idempotency_token="t-3"), InvalidParameterValue)
older = w.api_client.do("GET", "/api/2.1/jobs/runs/get", query={"run_id": run.run_id})
done["older"] = [jobs.Run.from_dict(older).state.result_state.value, "status" in older]
bad = WorkspaceClient(config=Config(token="dapi-wrong", auth_type="pat", **quick))
done["bad_token"] = refused(lambda: bad.jobs.get_run(run.run_id), PermissionDenied)
m2m = WorkspaceClient(config=Config(client_id="principal", client_secret="dose-1", auth_type="oauth-m2m", **quick))
done["oauth"] = m2m.jobs.get_run(run.run_id).run_id
wrong = {"client_id": "principal", "client_secret": "no", "auth_type": "oauth-m2m"}
done["bad_secret"] = refused(
    lambda: WorkspaceClient(config=Config(**wrong, **quick)).jobs.get_run(run.run_id), ValueError)
for name, kind in {"lives": jobs.RunLifeCycleState, "newer_lives": jobs.RunLifecycleStateV2State,
                   "results": jobs.RunResultState, "codes": jobs.TerminationCodeCode}.items():
    done[name] = [one.value for one in kind]
for name, call in {"now_names": jobs.JobsAPI.run_now, "submit_names": jobs.JobsAPI.submit}.items():
    done[name] = [one for one in inspect.signature(call).parameters if one != "self"]
print(json.dumps(done))
"""


def a_python() -> Path:
    """The interpreter that has the SDK, or a skip that says what is missing."""
    place = Path(os.environ.get("INTERLOCK_DATABRICKS_VENV") or ROOT / ".venv-servers")
    python = place / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no environment with databricks-sdk: {place.name} (INTERLOCK_DATABRICKS_VENV names one)")
    found = subprocess.run([python, "-c", "import databricks.sdk"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"databricks-sdk is not installed in {place.name}: pip install databricks-sdk==0.156.0")
    return python


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the SDK found."""
    python = a_python()
    with DatabricksStub() as stub:
        many = [{"task_key": f"t{number}", "attempt_number": 0} for number in range(130)]
        brief = (going("RUNNING"), ended("SUCCESS"))  # the SDK sleeps longer before every further look
        stub.jobs = {101: brief, 102: FAILS, 103: LINGERS, 104: (ended("SUCCESS", tasks=many),)}
        stub.scripts = {"work": brief}
        place = tmp_path_factory.mktemp("sdk")
        argv = [str(python), "-c", SCRIPT, json.dumps({"url": stub.url})]
        clean = {"HOME": str(place), "PATH": os.defpath}
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=place, env=clean)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "stub_url": stub.url, "starts": stub.starts()}


@pytest.mark.enable_socket
class TestWithTheSdk:
    def test_it_starts_looks_stops_and_lists(self, told: dict[str, Any]) -> None:
        """LAT-22: a stand-in that the vendor's own client would not understand proves nothing."""
        first, again = told["run_now"]
        assert first == again
        run_id, page, *how = told["get_run"]
        assert run_id == first
        assert page.startswith(f"{told['stub_url']}/")
        assert how == ["TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS", "SUCCESS", "work"]
        assert told["submit"] == "SUCCESS"
        assert told["failed"][0] == "FAILED"
        assert "disk is on fire" in told["failed"][1]
        assert told["output"] == "done"
        assert told["cancel"] == ["TERMINATING", "TERMINATED", "CANCELED"]
        assert told["pages"] == [100, 130]
        assert len(told["list"]) == told["starts"] == 5
        assert told["list_of_job"] == [102]
        assert told["older"] == ["SUCCESS", False]
        assert told["oauth"] == first

    def test_it_knows_the_errors_for_what_they_are(self, told: dict[str, Any]) -> None:
        assert "does not exist" in told["no_run"]
        assert "does not exist" in told["no_job"]
        assert "64 characters" in told["long_token"]
        assert "No API found" in told["no_path"]
        assert "deleted" in told["deleted"]
        assert "Invalid access token" in told["bad_token"]
        assert "invalid_client" in told["bad_secret"]

    def test_its_states_are_those_of_the_table(self, told: dict[str, Any]) -> None:
        """A newer SDK may know more: then this table, and what is made of it, wants a look."""
        assert set(told["lives"]) == LIVES
        assert set(told["newer_lives"]) == NEWER_LIVES
        assert set(told["results"]) == RESULTS
        assert set(told["codes"]) == CODES

    def test_every_key_that_is_sent_is_one_of_its_own(self, told: dict[str, Any]) -> None:
        now = {config.sent_name(name) for name in (*config.RUN_NOW, *config.EITHER)}
        one_time = {config.sent_name(name) for name in (*config.SUBMIT, *config.EITHER)}
        assert now <= set(told["now_names"])
        assert one_time <= set(told["submit_names"])
        assert set(told["now_names"]) >= RUN_NOW
        assert set(told["submit_names"]) >= SUBMIT


def test_every_state_of_databricks_has_a_meaning() -> None:
    """LAT-22."""
    assert {*answers.RUNNING, *answers.ENDED} == LIVES | NEWER_LIVES
    assert {*answers.RESULTS, *answers.OPEN_RESULTS, answers.SUCCESS} == RESULTS
    # The SDK describes one code more than it lists.
    assert {*answers.CODES, answers.SUCCESS} == CODES | {"CLUSTER_TERMINATED_BY_USER"}
