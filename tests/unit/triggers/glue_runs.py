"""Runs of a Glue job, as Glue shows them, and a trigger over an AWS that has them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from tests.unit.fakeaws import NOW, FakeAws

from interlock.ports.triggers import Job
from interlock.testing.conformance.triggers import a_job
from interlock.triggers.glue import GlueConfig, GlueTrigger

TIMEOUT: Final = timedelta(seconds=20)
NAME: Final = "daily-sales"
_LONG_AGO: Final = NOW - timedelta(hours=1)


def a_trigger(aws: FakeAws, *secrets: str, **config: Any) -> GlueTrigger:
    """Return a trigger of that job; `secrets` are those of the project."""
    return GlueTrigger(GlueConfig(**{"job_name": NAME, "region": "eu-central-1", **config}), aws.context(*secrets))


def a_run(state: str, run_id: str = "jr_1", *, attempt: int = 0, job: Job | None = None, **more: Any) -> dict[str, Any]:
    """Return a run; if it has ended, then an hour before `NOW`."""
    arguments = {"--interlock-key": (job or a_job()).key}
    shown = {"Id": run_id, "JobName": NAME, "Attempt": attempt, "JobRunState": state, "Arguments": arguments}
    return {**shown, "CompletedOn": _LONG_AGO, "ErrorMessage": "disk on fire", **more}


def an_aws(*runs: dict[str, Any], retries: int = 0, **answers: Any) -> FakeAws:
    """Return an AWS in which the last of these runs was begun first, as Glue lists them."""
    by_id = {run["Id"]: run for run in runs}
    known: dict[str, Any] = {
        "get_job_run": lambda asked: {"JobRun": by_id[asked["RunId"]]},
        "get_job_runs": {"JobRuns": list(runs)},
        "get_job": {"Job": {"Name": NAME, "MaxRetries": retries}},
    }
    return FakeAws(**{**known, **answers})
