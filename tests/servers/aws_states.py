"""Step Functions: standard and express machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.servers.aws_errors import ACCOUNT, REGION, AwsError
from tests.servers.aws_jobs import Job, Shelf, Words, digest, instant
from tests.servers.aws_wire import Params

_ARN: Final = f"arn:aws:states:{REGION}:{ACCOUNT}"
MACHINE: Final = f"{_ARN}:stateMachine:daily-sales"
EXPRESS: Final = f"{_ARN}:stateMachine:quick-sales"
_BAD: Final = frozenset(' <>{}[]?*"#%\\^|~`$&,;:/')
_WORDS: Final = Words(
    service="stepfunctions",
    shape="ExecutionStatus",
    running="RUNNING",
    succeeded="SUCCEEDED",
    failed="FAILED",
    cancelled="ABORTED",
    over=frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"}),
)


class States:
    """Executions of known machines. `machines` has their types, `statuses` those that are not ACTIVE."""

    def __init__(self) -> None:
        self.shelf = Shelf(_WORDS)
        self.machines = {MACHINE: "STANDARD", EXPRESS: "EXPRESS"}
        self.statuses: dict[str, str] = {}

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {
            "StartExecution": self._start,
            "DescribeExecution": self._describe,
            "StopExecution": self._stop,
            "DescribeStateMachine": self._machine,
        }

    def _known(self, arn: str) -> str:
        """Return the ARN of a machine without its version or alias."""
        parts = arn.split(":")
        if len(parts) not in (7, 8) or parts[2] != "states" or parts[5] != "stateMachine":
            raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
        base = ":".join(parts[:7])
        if base not in self.machines:
            raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{base}'")
        return base

    def _start(self, params: Params) -> Params:
        base = self._known(params["stateMachineArn"])
        if self.statuses.get(base) == "DELETING":
            raise AwsError("StateMachineDeleting", f"State Machine is being deleted: '{base}'")
        name = params.get("name") or digest("execution", base, self.shelf.starts)[:36]
        if _BAD & set(name) or not name.isprintable():
            raise AwsError("InvalidName", f"Invalid Name: '{name}'")
        _is_json(params.get("input", "{}"))
        machine = base.rpartition(":")[2]
        prefix = base.rpartition(":stateMachine:")[0]
        if self.machines[base] == "EXPRESS":
            unique = digest("express", base, self.shelf.starts)
            arn = f"{prefix}:express:{machine}:{name}:{unique[:8]}-{unique[8:12]}-{unique[12:16]}"
        else:
            arn = f"{prefix}:execution:{machine}:{name}"
        job = self.shelf.find(arn)
        if job is None:
            job = self.shelf.begin(arn, name, params)
        elif job.over or job.params.get("input", "{}") != params.get("input", "{}"):
            raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        return {"executionArn": job.id, "startDate": job.created}

    def _run(self, arn: str) -> Job:
        parts = arn.split(":")
        if len(parts) != 8 or parts[2] != "states" or parts[5] != "execution":
            raise AwsError("InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {arn}'")
        job = self.shelf.find(arn)
        if job is None:
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return job

    def _describe(self, params: Params) -> Params:
        job = self._run(params["executionArn"])
        shown = _shown(job, with_data=params.get("includedData") != "METADATA_ONLY")
        job.advance()
        return shown

    def _stop(self, params: Params) -> Params:
        job = self._run(params["executionArn"])
        if not job.over:
            job.cancel()
            job.error = params.get("cause", "")
        return {"stopDate": job.changed}

    def _machine(self, params: Params) -> Params:
        base = self._known(params["stateMachineArn"])
        return {
            "stateMachineArn": params["stateMachineArn"],
            "name": base.rpartition(":")[2],
            "status": self.statuses.get(base, "ACTIVE"),
            "definition": '{"StartAt":"Load","States":{"Load":{"Type":"Pass","End":true}}}',
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/states",
            "type": self.machines[base],
            "creationDate": instant(),
        }


def _is_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise AwsError("InvalidExecutionInput", "Invalid State Machine Execution Input") from None


def _shown(job: Job, *, with_data: bool) -> dict[str, Any]:
    shown = {
        "executionArn": job.id,
        "stateMachineArn": job.params["stateMachineArn"],
        "name": job.name,
        "status": job.state,
        "startDate": job.created,
        "redriveCount": 0,
        "redriveStatus": "NOT_REDRIVABLE",
    }
    if job.over:
        shown["stopDate"] = job.changed
    if with_data:
        shown |= {"input": job.params.get("input", "{}"), "inputDetails": {"included": True}}
        if job.state == _WORDS.succeeded:
            shown |= {"output": job.behaviour.output, "outputDetails": {"included": True}}
    if job.failed:
        shown |= {"error": job.behaviour.code, "cause": job.error}
    return {**shown, **job.behaviour.shows}
