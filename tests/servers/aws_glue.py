"""Glue, as far as jobs go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.servers.aws_errors import AwsError
from tests.servers.aws_jobs import Behaviour, Job, Shelf, Words, digest, page
from tests.servers.aws_wire import Params

JOB: Final = "daily-sales"
_WORDS: Final = Words(
    service="glue",
    shape="JobRunState",
    running="RUNNING",
    succeeded="SUCCEEDED",
    failed="FAILED",
    cancelled="STOPPED",
    over=frozenset({"STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"}),
)


class Glue:
    """Runs of known jobs.

    `limit` is how many may run at once, `page_size` how many a listing has at most, `max_retries` what is set for a job.
    """

    def __init__(self) -> None:
        self.shelf = Shelf(_WORDS)
        self.jobs = {JOB}
        self.limit: int | None = None
        self.page_size = 200
        self.max_retries: dict[str, int] = {}

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {
            "GetJob": self._job,
            "StartJobRun": self._start,
            "GetJobRun": self._get,
            "GetJobRuns": self._list,
            "BatchStopJobRun": self._stop,
        }

    def retry(self, run_id: str, behaviour: Behaviour) -> Job:
        """Begin what Glue begins by itself after a failed run."""
        failed = self.shelf.find(run_id)
        assert failed is not None, run_id
        root = failed.id.partition("_attempt_")[0]
        job = self.shelf.put(f"{root}_attempt_{failed.attempt + 1}", failed.name, failed.params, behaviour)
        job.attempt, job.previous = failed.attempt + 1, failed.id
        return job

    def _known(self, name: str) -> None:
        if name not in self.jobs:
            raise AwsError("EntityNotFoundException", f"Failed to start job run due to missing metadata: {name}")

    def _job(self, params: Params) -> Params:
        name = params["JobName"]
        self._known(name)
        command = {"Name": "glueetl", "ScriptLocation": "s3://sales-data/job.py", "PythonVersion": "3"}
        return {"Job": {"Name": name, "Command": command, "MaxRetries": self.max_retries.get(name, 0)}}

    def _start(self, params: Params) -> Params:
        name = params["JobName"]
        self._known(name)
        running = sum(job.name == name and not job.over for job in self.shelf.jobs)
        if self.limit is not None and running >= self.limit:
            raise AwsError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
        job = self.shelf.begin(f"jr_{digest('glue', name, self.shelf.starts)}", name, params)
        self._fails(job)
        return {"JobRunId": job.id}

    def _fails(self, job: Job) -> None:
        """Let Glue begin the next of its own attempts, if this one has failed."""
        behaviour = job.behaviour
        follows = any(other.previous == job.id for other in self.shelf.jobs)
        if job.failed and behaviour.retries and not follows:
            first, *others = behaviour.retries
            after = Behaviour(**{**vars(first), "retries": others or first.retries})
            self._fails(self.retry(job.id, after))

    def _run(self, name: str, run_id: str) -> Job:
        job = self.shelf.find(run_id)
        if job is None or job.name != name:
            raise AwsError("EntityNotFoundException", f"Job Run with id {run_id} was not found")
        return job

    def _get(self, params: Params) -> Params:
        job = self._run(params["JobName"], params["RunId"])
        shown = _shown(job)
        job.advance()
        self._fails(job)
        return {"JobRun": shown}

    def _list(self, params: Params) -> Params:
        name = params["JobName"]
        self._known(name)
        size = min(params.get("MaxResults", self.page_size), self.page_size)
        jobs, token = page(self.shelf.newest(lambda job: job.name == name), params.get("NextToken"), size)
        return {"JobRuns": [_shown(job) for job in jobs], **({"NextToken": token} if token else {})}

    def _stop(self, params: Params) -> Params:
        stopped, errors = [], []
        for run_id in params["JobRunIds"]:
            of_it = {"JobName": params["JobName"], "JobRunId": run_id}
            job = self.shelf.find(run_id)
            if job is None or job.name != params["JobName"]:
                errors.append({**of_it, "ErrorDetail": _detail("EntityNotFoundException", "Job run not found")})
            elif job.over:
                said = f"Job run is in state {job.state} and cannot be stopped"
                errors.append({**of_it, "ErrorDetail": _detail("JobRunInvalidStateTransitionException", said)})
            else:
                job.cancel()
                stopped.append(of_it)
        return {"SuccessfulSubmissions": stopped, "Errors": errors}


def _detail(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _shown(job: Job) -> dict[str, Any]:
    shown = {
        "Id": job.id,
        "Attempt": job.attempt,
        "JobName": job.name,
        "StartedOn": job.created,
        "LastModifiedOn": job.changed,
        "JobRunState": job.state,
        "Arguments": dict(job.params.get("Arguments", {})),
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": job.params.get("Timeout", 2880),
        "LogGroupName": "/aws-glue/jobs",
    }
    if job.previous:
        shown["PreviousRunId"] = job.previous
    if job.over:
        shown["CompletedOn"] = job.changed
    if job.failed:
        shown["ErrorMessage"] = job.error
    return {**shown, **job.behaviour.shows}
