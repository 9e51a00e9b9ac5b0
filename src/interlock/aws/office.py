"""What a function works with, made once for each sandbox and kept for as long as the deployment stays as it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Final

from msgspec.structs import replace as changed

from interlock.aws.environment import Environment
from interlock.aws.functions import Function
from interlock.aws.machines import FailureQueue, StepFunctions
from interlock.aws.parking import Parking
from interlock.clients.aws import AwsDoor
from interlock.codec.documents import document
from interlock.config.project import Project, SinkSpec
from interlock.core.documents import Document
from interlock.errors import InterlockError
from interlock.runtime.deployed import DeployedCatalog, deployed_project
from interlock.runtime.wiring import Interlock
from interlock.stores.deployments import DeploymentRows
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions

FRESH: Final = timedelta(seconds=30)
"""For so long a function goes by the settings it has read; pipelines are read whenever they are needed."""

ALERT_CHANNEL: Final = "alert-topic"
LIFECYCLE_CHANNEL: Final = "lifecycle-topic"
_ON_LAMBDA: Final = "AWS_LAMBDA_FUNCTION_NAME"


class Office:
    """The table, the project that is deployed in it, and the ways to the rest of AWS."""

    def __init__(self, function: Function, environ: Mapping[str, str]) -> None:
        self.environment = Environment.of(function, environ)
        self._environ = environ
        self.kernel = DynamoKernel(DynamoOptions(table_name=self.environment.table), read_only=function.read_only)
        self.rows = DeploymentRows(self.kernel)
        self.door = AwsDoor()
        self.seal = ""
        self._work: Interlock | None = None
        self._digest = ""
        self._looked_at = 0.0

    @property
    def work(self) -> Interlock:
        """The deployed project at work, by the settings that were there a moment ago.

        Raises:
            NotDeployed: nothing was deployed into the table.
            StoreError: it cannot be read.
        """
        if self._work is None or time.monotonic() - self._looked_at >= FRESH.total_seconds():
            self._look()
        assert self._work is not None  # noqa: S101  (`_look` makes it, or raises)
        return self._work

    def _look(self) -> None:
        head = self.rows.head()
        digest = "" if head is None else f"{head.digest}/{head.generation}"
        self.seal = "" if head is None else head.seal
        if self._work is None or digest != self._digest:
            project = _with_topics(self._project(), self.environment)
            catalog = DeployedCatalog(project, self.rows)
            fresh = Interlock(project, env=self._environ, kernel=self.kernel, catalog=catalog)
            if self._work is not None:
                self._work.__exit__(None, None, None)
            self._work, self._digest = fresh, digest
        self._looked_at = time.monotonic()

    def _project(self) -> Project:
        mine = self.environment
        return deployed_project(self.kernel, evaluator_base_url=mine.evaluator_url, public_url=mine.public_url)

    @cached_property
    def parking(self) -> Parking:
        """Who waits."""
        return Parking(self.kernel)

    @cached_property
    def machines(self) -> StepFunctions:
        """The executions."""
        return StepFunctions(self.door, self.environment.state_machine)

    @cached_property
    def failures(self) -> FailureQueue:
        """Where what nobody can use is kept."""
        return FailureQueue(self.door, self.environment.failure_queue)

    def close(self) -> None:
        """Let go of everything."""
        if self._work is not None:
            self._work.__exit__(None, None, None)
        self.door.close()
        self.kernel.close()


def office_of(function: Function) -> Callable[[], Office]:
    """Return what gives a function its office.

    On Lambda it is made when the function is loaded, while it has a whole processor to itself. Where that fails, the next
    call makes it, or says why it cannot.
    """
    made: list[Office] = []

    def office() -> Office:
        if not made:
            made.append(Office(function, os.environ))
        return made[0]

    if _ON_LAMBDA in os.environ:
        with suppress(InterlockError):
            office()
    return office


def _with_topics(project: Project, environment: Environment) -> Project:
    """Return the project with the deployment's own topics among those who are told: the same in every function."""
    settings = project.settings
    if environment.alert_topic:
        mine = SinkSpec(name=ALERT_CHANNEL, type="sns", config=_topic(environment.alert_topic))
        settings = changed(settings, sinks=(*settings.sinks, mine))
    if environment.lifecycle_topic:
        mine = SinkSpec(name=LIFECYCLE_CHANNEL, type="sns", config=_topic(environment.lifecycle_topic))
        settings = changed(settings, lifecycle=(*settings.lifecycle, mine))
    return replace(project, settings=settings)


def _topic(arn: str) -> Document:
    return document({"topicArn": arn})
