"""Start a run of an AWS Glue job.

Glue knows no key of ours, so the key goes into the run's arguments, and `find` looks for it there. The one way of starting
such a run twice is to repeat a start whose answer was lost, which is why it is never repeated.

Glue itself starts a failed run again while the job's `MaxRetries` allows it: as a new run, with the same arguments and the
next `Attempt`. Its runs of one start are one job here, which has failed when the last of them has. That a failed run is the
last is known when the job allows no more; else when so much time has gone by since its end that Glue would have begun
another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from msgspec import Meta, field

from interlock.clients.aws import AwsOptions, AwsTrouble
from interlock.codec.documents import mapping
from interlock.core.templates import has_placeholder
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.aws import Allowance, AwsService, Meaning, console_url, handle_of, pages
from interlock.triggers.context import TriggerContext

_OURS: Final = "--interlock-"
_KEY: Final = f"{_OURS}key"
_PAGE_SIZE: Final = 200
_AGAIN: Final = timedelta(minutes=10)
"""How long after a failed run Glue may take to begin the next one."""

_UNKNOWN: Final = "EntityNotFoundException"
_DENIED: Final = ("AccessDeniedException", "AccessDenied")
_EXECUTION: Final = ("", "STANDARD", "FLEX")

_MEANINGS: Final = {
    "ConcurrentRunsExceededException": Meaning(
        FailureCategory.TRANSIENT, advice="as many runs as the job allows are under way: wait, or raise its limit"
    ),
    "ResourceNumberLimitExceededException": Meaning(
        FailureCategory.TRANSIENT, advice="a quota of the account is used up: wait, or have it raised"
    ),
    _UNKNOWN: Meaning(FailureCategory.PERMANENT, advice="correct `jobName` or `region`, or create the job"),
    "InvalidInputException": Meaning(FailureCategory.PERMANENT, advice="correct the trigger's keys"),
    "OperationTimeoutException": Meaning(FailureCategory.TIMEOUT, started=None),
    "InternalServiceException": Meaning(FailureCategory.TRANSIENT, started=None),
}

_RUNNING: Final = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
_FAILED: Final = {
    "FAILED": FailureCategory.TRANSIENT,
    "ERROR": FailureCategory.TRANSIENT,
    "TIMEOUT": FailureCategory.TIMEOUT,
    "EXPIRED": FailureCategory.TIMEOUT,
    "STOPPED": FailureCategory.PERMANENT,
}
_NEVER_AGAIN: Final = ("STOPPED", "EXPIRED")
_STOPPED: Final = frozenset({"SUCCEEDED", "STOPPING", *_FAILED})
"""The states of a run that need not be stopped."""

_Run: TypeAlias = Mapping[str, Any]


class GlueConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The job, and what this run of it is given in place of the job's own settings."""

    job_name: Annotated[str, Meta(min_length=1, max_length=255, description="The name of the Glue job.")]
    arguments: Annotated[
        dict[str, str], Meta(description="Arguments of the run; a name without -- in front gets it.")
    ] = field(default_factory=dict)
    worker_type: Annotated[str, Meta(description="The kind of workers, such as G.1X.")] = ""
    number_of_workers: Annotated[int, Meta(ge=1, description="How many workers.")] | None = None
    max_capacity: (
        Annotated[float, Meta(gt=0, description="Capacity in DPUs, for jobs without a worker type.")] | None
    ) = None
    job_timeout: (
        Annotated[int, Meta(ge=1, le=10_080, description="Minutes after which Glue stops the run: TIMEOUT.")] | None
    ) = None
    execution_class: Annotated[str, Meta(description="STANDARD or FLEX.")] = ""
    security_configuration: Annotated[str, Meta(description="The name of a security configuration of Glue.")] = ""
    notify_delay_after: (
        Annotated[int, Meta(ge=1, description="Minutes after which Glue tells that the run is late.")] | None
    ) = None
    job_run_queuing_enabled: (
        Annotated[bool, Meta(description="Whether Glue queues the run when there is no room for it.")] | None
    ) = None

    def __post_init__(self) -> None:
        names = [_named(name) for name in self.arguments]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`arguments` has {twice[0]} twice, once without the dashes: remove one")
        if taken := sorted(name for name in names if name.startswith(_OURS)):
            raise ValueError(f"`arguments` has {taken[0]}: names that begin so are Interlock's own, choose another")
        if self.max_capacity is not None and (self.worker_type or self.number_of_workers):
            raise ValueError(
                "`maxCapacity` does not go with `workerType` and `numberOfWorkers`: remove one or the other"
            )
        if self.execution_class not in _EXECUTION and not has_placeholder(self.execution_class):
            raise ValueError(f"`executionClass` is {self.execution_class!r}, expected STANDARD or FLEX")


class _Look(NamedTuple):
    """The newest run of a start, and whether Glue may still begin another one after it."""

    run: _Run
    awaited: bool = False


class GlueTrigger:
    """Starts runs of a Glue job, and follows each through the attempts that Glue makes of it."""

    Config = GlueConfig
    repeatable = False
    watchable = True

    def __init__(self, config: GlueConfig, context: TriggerContext, now: Callable[[], float] = monotonic) -> None:
        self._config = config
        self._glue = AwsService("glue", "glue", config, context)
        self._now = now

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Call StartJobRun, with the key among the arguments."""
        try:
            answer = self._glue.call("start_job_run", timeout=timeout, **self._request(job))
        except AwsTrouble as exc:
            raise self._glue.refused(exc, _MEANINGS) from exc
        run_id = answer.get("JobRunId")
        if not run_id:
            words = (
                f"Glue started a run of {self._config.job_name!r} without saying its id: look for it in Glue's console"
            )
            raise TriggerError(words, category="PERMANENT", started=True)
        return self._handle(run_id)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look through the job's runs, the newest first, for one with this key among its arguments."""
        try:
            for runs in self._runs(self._config.job_name, "", Allowance(timeout, self._now)):
                if mine := [run for run in runs if _key_of(run) == job.key]:
                    return self._handle(max(mine, key=_attempt_of)["Id"])
        except AwsTrouble:
            return Absent.UNKNOWN
        return Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Look at the newest of the runs that Glue has made of this start."""
        try:
            look = self._look(job, handle, Allowance(timeout, self._now))
        except AwsTrouble as exc:
            return self._glue.unseen(exc, gone=_UNKNOWN, job="run")
        return self._report(look)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Call BatchStopJobRun for the newest run of this start.

        Raises:
            TriggerError: it was not stopped, or Glue may still start it again.
        """
        allowance = Allowance(timeout, self._now)
        name, region = self._place(handle)
        try:
            look = self._look(job, handle, allowance)
            if look.awaited:
                words = "the run has failed, and Glue may start it again by itself: stop it again when it has"
                raise TriggerError(words, category="TRANSIENT", started=True)
            if look.run.get("JobRunState") in _STOPPED:
                return
            told = [look.run.get("Id") or handle.id]
            limit = allowance.next()
            answer = self._glue.call("batch_stop_job_run", timeout=limit, region=region, JobName=name, JobRunIds=told)
            if errors := answer.get("Errors"):
                self._check_stopped(job, handle, errors[0].get("ErrorDetail") or {}, allowance)
        except AwsTrouble as exc:
            if exc.code != _UNKNOWN:
                raise self._glue.unstopped(exc) from exc

    def _check_stopped(self, job: Job, handle: JobHandle, error: Mapping[str, str], allowance: Allowance) -> None:
        """Raise for an error of stopping, unless the run has ended or is being stopped: then there is nothing to stop."""
        look = self._look(job, handle, allowance)
        if look.awaited or look.run.get("JobRunState") not in _STOPPED:
            said = self._glue.said(
                f"{error.get('ErrorCode', 'no code')}: {error.get('ErrorMessage', 'no reason given')}"
            )
            raise TriggerError(f"Glue did not stop the run: {said}", category="TRANSIENT", started=True)

    # ------------------------------------------------------------ asking

    def _request(self, job: Job) -> dict[str, Any]:
        config, slot = self._config, job.run.slot
        ours = {
            "key": job.key,
            "run-id": job.run.run_id,
            "pipeline": slot.pipeline,
            "schedule": slot.schedule,
            "date": str(slot.period),
            "attempt": str(job.attempt),
        }
        if job.traceparent:
            ours["traceparent"] = job.traceparent
        late = None if config.notify_delay_after is None else {"NotifyDelayAfter": config.notify_delay_after}
        wanted = {
            "WorkerType": config.worker_type or None,
            "NumberOfWorkers": config.number_of_workers,
            "MaxCapacity": config.max_capacity,
            "Timeout": config.job_timeout,
            "ExecutionClass": config.execution_class or None,
            "SecurityConfiguration": config.security_configuration or None,
            "NotificationProperty": late,
            "JobRunQueuingEnabled": config.job_run_queuing_enabled,
        }
        return {
            "JobName": config.job_name,
            "Arguments": {
                **{_named(name): value for name, value in config.arguments.items()},
                **{f"{_OURS}{name}": value for name, value in ours.items()},
            },
            **{name: value for name, value in wanted.items() if value is not None},
        }

    def _handle(self, run_id: str) -> JobHandle:
        name, region = self._config.job_name, self._glue.region
        path = f"gluestudio/home?region={region}#/job/{quote(name, safe='')}/run/{quote(run_id, safe='')}"
        return handle_of(run_id, page=console_url(region, path), job=name, region=region)

    def _place(self, handle: JobHandle) -> tuple[str, str]:
        """Return the job and the region of a run, which another configuration may have started."""
        known = mapping(handle.details)
        return str(known.get("job") or self._config.job_name), str(known.get("region") or "")

    def _runs(self, name: str, region: str, allowance: Allowance) -> Iterator[list[_Run]]:
        def ask(limit: timedelta, more: dict[str, str]) -> dict[str, Any]:
            return self._glue.call(
                "get_job_runs", timeout=limit, region=region, JobName=name, MaxResults=_PAGE_SIZE, **more
            )

        return pages(ask, "JobRuns", "NextToken", allowance)

    # ------------------------------------------------------------ Glue's own attempts

    def _look(self, job: Job, handle: JobHandle, allowance: Allowance) -> _Look:
        name, region = self._place(handle)
        answer = self._glue.call("get_job_run", timeout=allowance.next(), region=region, JobName=name, RunId=handle.id)
        run = answer.get("JobRun") or {}
        if not _may_come_again(run):
            return _Look(run)
        newest = self._newest(job, run, name, region, allowance)
        if not _may_come_again(newest):
            return _Look(newest)
        most = self._retries(name, region, allowance)
        if most is not None and _attempt_of(newest) >= most:
            return _Look(newest)
        return _Look(newest, awaited=_since_end(newest, answer) < _AGAIN)

    def _newest(self, job: Job, run: _Run, name: str, region: str, allowance: Allowance) -> _Run:
        """Return the newest run with this key: one that Glue began after this one, or this one as it is now."""
        for runs in self._runs(name, region, allowance):
            for one in runs:
                if _key_of(one) == job.key:
                    return one
        return run

    def _retries(self, name: str, region: str, allowance: Allowance) -> int | None:
        """Return how often Glue starts a failed run of the job again; None where this role may not know."""
        try:
            answer = self._glue.call("get_job", timeout=allowance.next(), region=region, JobName=name)
        except AwsTrouble as exc:
            if exc.code == _UNKNOWN:
                return 0
            if exc.code in _DENIED:
                return None
            raise
        return int((answer.get("Job") or {}).get("MaxRetries") or 0)

    def _report(self, look: _Look) -> JobReport:
        run, state = look.run, look.run.get("JobRunState", "")
        name = f"the Glue run {run.get('Id', '')}"
        if look.awaited:
            return JobReport(
                state=JobState.RUNNING, reason=f"{name} ended as {state}; Glue may start it again by itself"
            )
        if state in _RUNNING:
            return JobReport(state=JobState.RUNNING)
        if state == "SUCCEEDED":
            return JobReport(state=JobState.SUCCEEDED)
        if state not in _FAILED:
            return self._glue.puzzled(name, state)
        said = run.get("ErrorMessage") or run.get("StateDetail") or "no reason given"
        again = f" (Glue's own retry {_attempt_of(run)})" if _attempt_of(run) else ""
        words = self._glue.said(f"{name} ended as {state}{again}: {said}")
        return JobReport(state=JobState.FAILED, reason=words, category=_FAILED[state])


def _named(name: str) -> str:
    return f"--{name.lstrip('-')}"


def _key_of(run: _Run) -> str | None:
    key: str | None = (run.get("Arguments") or {}).get(_KEY)
    return key


def _attempt_of(run: _Run) -> int:
    return int(run.get("Attempt") or 0)


def _may_come_again(run: _Run) -> bool:
    state = run.get("JobRunState")
    return state in _FAILED and state not in _NEVER_AGAIN


def _since_end(run: _Run, answer: Mapping[str, Any]) -> timedelta:
    """Return how long ago a run ended, by the clock of AWS, which has stamped both its end and the answer."""
    ended = run.get("CompletedOn") or run.get("LastModifiedOn")
    stamp = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not isinstance(ended, datetime) or not stamp:
        raise AwsTrouble(
            "Glue says that the run has failed, and not when: whether it starts it again cannot be known",
            done=None,
            category=FailureCategory.TRANSIENT,
        )
    return parsedate_to_datetime(stamp) - ended


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: GlueTrigger) -> Trigger:
        return it
