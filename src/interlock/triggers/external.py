"""The job of somebody else: started elsewhere, told of from there. Nothing is called."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext


class ExternalConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """There is nothing to configure: whoever runs the job knows how."""


class ExternalTrigger:
    """Gives leave, and waits for word: `interlock ping`, `interlock complete` or the job itself tells how it ended."""

    Config = ExternalConfig
    local = True
    repeatable = True
    watchable = False

    def __init__(self, config: ExternalConfig, context: TriggerContext) -> None:
        self._config = config
        self._context = context

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:  # noqa: ARG002  (the port's shape)
        """Name the job. Nothing is started from here, so that this may be repeated at will."""
        return JobHandle(id=f"external:{job.key}")

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (the port's shape)
        """Say that it cannot be known: nobody here has seen the job."""
        return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Take the job to be running until somebody says otherwise."""
        return JobReport(state=JobState.RUNNING, reason="its end is told from outside")

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Refuse: only whoever started the job can stop it.

        Raises:
            TriggerError: always.
        """
        raise TriggerError(
            "the job was started outside of Interlock, and can be stopped only there",
            category=FailureCategory.PERMANENT,
            started=True,
        )


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: ExternalTrigger) -> Trigger:
        return it
