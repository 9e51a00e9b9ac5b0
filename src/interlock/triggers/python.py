"""Call a Python function as the job, in a process of its own."""

from __future__ import annotations

import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from interlock.clients.environment import small_environment
from interlock.clients.processes import Launch, SupervisedJobs
from interlock.clients.texts import cleaned, redacted
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext

_DAY: Final = 86_400
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_TARGET: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*:{_NAME}(?:\.{_NAME})*", re.ASCII)
_RUNNER: Final = Path(__file__).with_name("runner.py")
_LONGEST_REASON: Final = 512


class PythonConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A function and its keyword arguments."""

    callable: Annotated[str, Meta(description="The function, as module:function; the project is importable.")]
    args: Annotated[dict[str, Any], Meta(description="Its keyword arguments.")] = {}
    timeout: Annotated[
        float, Meta(gt=0, le=30 * _DAY, description="Seconds after which it is stopped; a day by default.")
    ] = _DAY
    env: Annotated[dict[str, str], Meta(description="Variables added to the small environment of the process.")] = {}

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.callable):
            raise ValueError(f"not a function: {self.callable!r} (expected module:function)")


class PythonTrigger:
    """Runs a function under a supervisor, so that its outcome survives the death of Interlock and it can be stopped."""

    Config = PythonConfig
    local = True
    repeatable = True
    watchable = True

    def __init__(self, config: PythonConfig, context: TriggerContext) -> None:
        self._config = config
        self._context = context
        self._jobs = SupervisedJobs(context.state_dir / "jobs", root=context.root)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start the process that calls the function, or return the one already started under this key."""
        root = str(self._context.root)
        result = str(self._jobs.result_path(job.key))
        launch = Launch(
            # -P: the runner's own directory must not hide modules of the standard library.
            argv=(sys.executable, "-P", str(_RUNNER), self._config.callable, root, result),
            env=small_environment(
                os.environ, self._context.env_allow, {**self._config.env, **self._context.described(job)}
            ),
            cwd=root,
            timeout=timedelta(seconds=self._config.timeout),
            stdin=msgspec.json.encode(self._config.args).decode(),
        )
        return self._jobs.start(job.key, launch, timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for the process; the answer that there is none also ends every start still on its way."""
        return self._jobs.find(job.key, timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Look at the process; what the function returned, where small, is the reason of its success."""
        report = self._jobs.poll(handle, secrets=self._context.secrets())
        if report.state is not JobState.SUCCEEDED:
            return report
        result = self._jobs.result(handle)
        words = cleaned(redacted(f"returned {result}", self._context.secrets()), _LONGEST_REASON) if result else ""
        return JobReport(state=JobState.SUCCEEDED, reason=words)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Ask the process to end, and kill it when the grace is over."""
        self._jobs.cancel(handle)


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: PythonTrigger) -> Trigger:
        return it
