"""EMR, as far as steps of a running cluster go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.servers.aws_errors import AwsError
from tests.servers.aws_jobs import Job, Shelf, Words, digest, instant, page
from tests.servers.aws_wire import Params

CLUSTER: Final = "j-2AXXXXXXGAPLF"
_ENDED: Final = frozenset({"TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"})
_WORDS: Final = Words(
    service="emr",
    shape="StepState",
    running="RUNNING",
    succeeded="COMPLETED",
    failed="FAILED",
    cancelled="CANCELLED",
    over=frozenset({"COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"}),
)


class Emr:
    """Steps of known clusters. `clusters` has their states."""

    def __init__(self) -> None:
        self.shelf = Shelf(_WORDS)
        self.clusters = {CLUSTER: "WAITING"}
        self.page_size = 50

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {
            "AddJobFlowSteps": self._add,
            "DescribeStep": self._describe,
            "ListSteps": self._list,
            "CancelSteps": self._cancel,
            "DescribeCluster": self._cluster,
        }

    def _add(self, params: Params) -> Params:
        cluster = params["JobFlowId"]
        if cluster not in self.clusters:
            raise AwsError("ValidationException", "Specified job flow ID does not exist.")
        if self.clusters[cluster] in _ENDED:
            said = "A job flow that is shutting down, terminating, or finished may not be modified."
            raise AwsError("ValidationException", said)
        ids = []
        for step in params["Steps"]:
            id_ = f"s-{digest('emr', cluster, self.shelf.starts)[:13].upper()}"
            job = self.shelf.begin(id_, step["Name"], {**step, "ClusterId": cluster})
            ids.append(job.id)
        return {"StepIds": ids}

    def _known(self, cluster: str) -> None:
        if cluster not in self.clusters:
            raise AwsError("InvalidRequestException", f"Cluster id '{cluster}' is not valid.")

    def _step(self, cluster: str, step_id: str) -> Job | None:
        job = self.shelf.find(step_id)
        return job if job is not None and job.params["ClusterId"] == cluster else None

    def _describe(self, params: Params) -> Params:
        self._known(params["ClusterId"])
        job = self._step(params["ClusterId"], params["StepId"])
        if job is None:
            raise AwsError("InvalidRequestException", f"Step id '{params['StepId']}' is not valid.")
        shown = _shown(job)
        job.advance()
        return {"Step": shown}

    def _list(self, params: Params) -> Params:
        self._known(params["ClusterId"])
        states, ids = params.get("StepStates"), params.get("StepIds")
        if states and ids:
            raise AwsError("InvalidRequestException", "Cannot specify both StepIds and StepStates.")
        steps = self.shelf.newest(
            lambda job: (
                job.params["ClusterId"] == params["ClusterId"]
                and (not states or job.state in states)
                and (not ids or job.id in ids)
            )
        )
        part, marker = page(steps, params.get("Marker"), self.page_size)
        return {"Steps": [_shown(job) for job in part], **({"Marker": marker} if marker else {})}

    def _cancel(self, params: Params) -> Params:
        self._known(params["ClusterId"])
        answers = []
        for step_id in params["StepIds"]:
            job = self._step(params["ClusterId"], step_id)
            if job is None:
                raise AwsError("InvalidRequestException", f"Step id '{step_id}' is not valid.")
            if job.over:
                reason = f"Step is in state {job.state} and cannot be cancelled."
                answers.append({"StepId": step_id, "Status": "FAILED", "Reason": reason})
            else:
                job.cancel()
                answers.append({"StepId": step_id, "Status": "SUBMITTED"})
        return {"CancelStepsInfoList": answers}

    def _cluster(self, params: Params) -> Params:
        cluster = params["ClusterId"]
        self._known(cluster)
        status = {"State": self.clusters[cluster], "StateChangeReason": {}, "Timeline": {"CreationDateTime": instant()}}
        return {"Cluster": {"Id": cluster, "Name": "sales", "Status": status, "StepConcurrencyLevel": 1}}


def _shown(job: Job) -> dict[str, Any]:
    jar = job.params["HadoopJarStep"]
    timeline = {"CreationDateTime": job.created, "StartDateTime": job.created}
    status: dict[str, Any] = {"State": job.state, "StateChangeReason": {}, "Timeline": timeline}
    if job.over:
        timeline["EndDateTime"] = job.changed
    if job.failed:
        status["FailureDetails"] = {"Reason": job.behaviour.code, "Message": job.error}
    config = {"Jar": jar["Jar"], "Args": jar.get("Args", []), "Properties": {}}
    shown = {
        "Id": job.id,
        "Name": job.name,
        "Config": config,
        "ActionOnFailure": job.params.get("ActionOnFailure", "CONTINUE"),
        "Status": status,
    }
    return {**shown, **job.behaviour.shows}
