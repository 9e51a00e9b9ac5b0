"""EMR Serverless: job runs of applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.utils import parse_timestamp
from tests.servers.aws_errors import ACCOUNT, REGION, AwsError
from tests.servers.aws_jobs import Job, Shelf, Words, digest, page
from tests.servers.aws_wire import Params

APPLICATION: Final = "00f1abcdexample0"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/emr-serverless-job"
_WORDS: Final = Words(
    service="emr-serverless",
    shape="JobRunState",
    running="RUNNING",
    succeeded="SUCCESS",
    failed="FAILED",
    cancelled="CANCELLED",
    over=frozenset({"SUCCESS", "FAILED", "CANCELLED"}),
)


class EmrServerless:
    """Job runs of known applications, told apart by their client token."""

    def __init__(self) -> None:
        self.shelf = Shelf(_WORDS)
        self.applications = {APPLICATION}
        self.page_size = 50
        self._tokens: dict[tuple[str, str], tuple[Params, str]] = {}

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {
            "StartJobRun": self._start,
            "GetJobRun": self._get,
            "ListJobRuns": self._list,
            "CancelJobRun": self._cancel,
            "GetDashboardForJobRun": self._dashboard,
        }

    def _known(self, application: str) -> None:
        if application not in self.applications:
            raise AwsError("ResourceNotFoundException", f"Application {application} does not exist", 404)

    def _start(self, params: Params) -> Params:
        application, token = params["applicationId"], params["clientToken"]
        self._known(application)
        before = self._tokens.get((application, token))
        if before is not None and before[0] != params:
            said = "The client token was used before with other parameters"
            raise AwsError("ConflictException", said, 409)
        if before is None:
            id_ = f"00{digest('emr-serverless', application, self.shelf.starts)[:14]}"
            self.shelf.begin(id_, params.get("name", ""), params)
            self._tokens[application, token] = (params, id_)
        else:
            id_ = before[1]
        return {"applicationId": application, "jobRunId": id_, "arn": _arn(application, id_)}

    def _run(self, params: Params) -> Job:
        application, id_ = params["applicationId"], params["jobRunId"]
        self._known(application)
        job = self.shelf.find(id_)
        if job is None or job.params["applicationId"] != application:
            raise AwsError("ResourceNotFoundException", f"Job run {id_} does not exist", 404)
        return job

    def _get(self, params: Params) -> Params:
        job = self._run(params)
        shown = _shown(job)
        job.advance()
        return {"jobRun": shown}

    def _list(self, params: Params) -> Params:
        application = params["applicationId"]
        after, before = _at(params.get("createdAtAfter")), _at(params.get("createdAtBefore"))
        states, mode = params.get("states"), params.get("mode")
        jobs = self.shelf.newest(
            lambda job: (
                job.params["applicationId"] == application
                and (not states or job.state in states)
                and (not mode or job.params.get("mode", "BATCH") == mode)
                and (after is None or job.created >= after)
                and (before is None or job.created <= before)
            )
        )
        size = min(params.get("maxResults", self.page_size), self.page_size)
        part, token = page(jobs, params.get("nextToken"), size)
        return {"jobRuns": [_summary(job) for job in part], **({"nextToken": token} if token else {})}

    def _cancel(self, params: Params) -> Params:
        job = self._run(params)
        if job.over:
            said = f"Job run {job.id} is not in a cancellable state"
            raise AwsError("ValidationException", said, 400)
        job.cancel()
        return {"applicationId": params["applicationId"], "jobRunId": job.id}

    def _dashboard(self, params: Params) -> Params:
        job = self._run(params)
        return {"url": f"https://p-{job.id}.emrappui-prod.{REGION}.amazonaws.com/shs/history/{job.id}?token=secret"}


def _arn(application: str, id_: str) -> str:
    return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{application}/jobruns/{id_}"


def _at(given: Any) -> datetime | None:
    if given is None:
        return None
    at: datetime = parse_timestamp(given)
    return at.astimezone(UTC)


def _summary(job: Job) -> dict[str, Any]:
    application = job.params["applicationId"]
    return {
        "applicationId": application,
        "id": job.id,
        "name": job.name,
        "arn": _arn(application, job.id),
        "createdBy": f"arn:aws:iam::{ACCOUNT}:role/tests",
        "createdAt": job.created,
        "updatedAt": job.changed,
        "executionRole": job.params["executionRoleArn"],
        "state": job.state,
        "stateDetails": job.error if job.failed else "",
        "releaseLabel": "emr-7.5.0",
    }


def _shown(job: Job) -> dict[str, Any]:
    shown = _summary(job)
    shown["jobRunId"] = shown.pop("id")
    shown["jobDriver"] = job.params.get("jobDriver", {})
    shown["tags"] = job.params.get("tags", {})
    if job.over:
        shown["endedAt"] = job.changed
    return {**shown, **job.behaviour.shows}
