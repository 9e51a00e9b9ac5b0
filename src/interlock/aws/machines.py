"""Starting and waking executions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final, Protocol

from interlock.aws.naming import execution_name
from interlock.clients.aws import AwsDoor, AwsOptions, region_of_arn
from interlock.clients.trouble import AwsTrouble
from interlock.core.ids import RunKey

CALL: Final = timedelta(seconds=10)
EXISTS: Final = "ExecutionAlreadyExists"
_LONGEST_REASON: Final = 4_000
_LONGEST_RECORD: Final = 60_000
GONE: Final = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


class Machines(Protocol):
    """The executions of a deployment."""

    def start(self, run: RunKey, suffix: str = "") -> bool:
        """Start the execution of a run; False when one of that name was started before, whatever became of it."""
        ...

    def wake(self, token: str) -> bool:
        """End the wait that a token stands for; False when nobody waits for it any more."""
        ...


class StepFunctions:
    """The executions of one state machine.

    What AWS refuses or does not answer is raised (`AwsTrouble`): whoever asked asks again, which is harmless.
    """

    def __init__(self, door: AwsDoor, arn: str) -> None:
        self._door = door
        self._arn = arn
        self._options = AwsOptions(region=region_of_arn(arn))

    def start(self, run: RunKey, suffix: str = "") -> bool:
        """Start the execution of a run."""
        try:
            self._door.call(
                "stepfunctions",
                "start_execution",
                self._options,
                timeout=CALL,
                stateMachineArn=self._arn,
                name=execution_name(run, suffix),
                input=json.dumps({"run": run.run_id}),
            )
        except AwsTrouble as trouble:
            if trouble.code == EXISTS:
                return False
            raise
        return True

    def wake(self, token: str) -> bool:
        """End the wait that a token stands for."""
        try:
            self._door.call(
                "stepfunctions", "send_task_success", self._options, timeout=CALL, taskToken=token, output="{}"
            )
        except AwsTrouble as trouble:
            if trouble.code in GONE:
                return False
            raise
        return True


class Failures(Protocol):
    """Where what nobody can use is kept for people."""

    def keep(self, reason: str, what: object) -> None:
        """Keep something, and why it cannot be used."""
        ...


class FailureQueue:
    """An SQS queue of what nobody can use. What cannot be kept there is raised: nothing is dropped."""

    def __init__(self, door: AwsDoor, url: str) -> None:
        self._door = door
        self._url = url

    def keep(self, reason: str, what: object) -> None:
        """Send it there, cut to what a message may hold."""
        kept = json.dumps(what, default=str)
        body = json.dumps({"reason": reason[:_LONGEST_REASON], "record": kept[:_LONGEST_RECORD]})
        self._door.call("sqs", "send_message", AwsOptions(), timeout=CALL, QueueUrl=self._url, MessageBody=body)
