"""Start a job run of an EMR Serverless application, look at it, cancel it.

The run's key is the client token, under which EMR Serverless begins one job run however often it is asked. For how long it
remembers a token it does not say, so the key also ends the job run's name, by which it is found later.

| the job run                                              | the job   | category  |
|----------------------------------------------------------|-----------|-----------|
| SUBMITTED, QUEUED, PENDING, SCHEDULED, RUNNING, CANCELLING | runs      |           |
| SUCCESS                                                  | succeeded |           |
| FAILED                                                   | failed    | TRANSIENT |
| CANCELLED when its `executionTimeoutMinutes` were over   | failed    | TIMEOUT   |
| CANCELLED otherwise                                      | failed    | PERMANENT |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field

from interlock.clients.aws import AwsOptions, AwsTrouble, region_of_arn
from interlock.clients.names import short_name
from interlock.codec.documents import mapping
from interlock.core.templates import has_placeholder
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.aws import Allowance, AwsService, Meaning, console_url, handle_of, pages
from interlock.triggers.context import TriggerContext

_LONGEST_TOKEN: Final = 64
_LONGEST_NAME: Final = 180
_PAGE_SIZE: Final = 50
_CONFLICT: Final = "ConflictException"
_MISSING: Final = "ResourceNotFoundException"
_MEANINGS: Final = {
    _MISSING: Meaning(FailureCategory.PERMANENT, advice="correct `applicationId` or `region`"),
    "ValidationException": Meaning(FailureCategory.PERMANENT, advice="correct the trigger's keys"),
    "ServiceQuotaExceededException": Meaning(
        FailureCategory.TRANSIENT, advice="a quota of the account is used up: wait, or have it raised"
    ),
}
_TOO_LATE: Final = (_CONFLICT, "ValidationException")
"""What EMR Serverless may say of a wish to cancel a job run that has ended."""

_RUNNING: Final = frozenset({"SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING"})
_OVER: Final = frozenset({"SUCCESS", "FAILED", "CANCELLED", "CANCELLING"})
_MODES: Final = ("", "BATCH", "STREAMING")


class SparkSubmit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A Spark job."""

    entry_point: Annotated[str, Meta(min_length=1, max_length=4096, description="The script or JAR, mostly in S3.")]
    entry_point_arguments: Annotated[tuple[str, ...], Meta(description="Arguments, in this order.")] = ()
    spark_submit_parameters: Annotated[str, Meta(description="Parameters of spark-submit, such as --conf a=b.")] = ""


class Hive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A Hive query."""

    query: Annotated[str, Meta(min_length=1, max_length=10_280, description="The query, or the place of its file.")]
    init_query_file: Annotated[str, Meta(description="A file that is run before the query.")] = ""
    parameters: Annotated[str, Meta(description="Parameters of Hive, such as --hiveconf a=b.")] = ""


class JobDriver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is run: exactly one of these."""

    spark_submit: SparkSubmit | None = None
    hive: Hive | None = None

    def __post_init__(self) -> None:
        if (self.spark_submit is None) == (self.hive is None):
            raise ValueError("`jobDriver` needs exactly one of `sparkSubmit` and `hive`")


class OwnRetries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How often EMR Serverless itself tries the job run again, as one and the same job run."""

    max_attempts: Annotated[int, Meta(ge=1, description="Attempts in all.")] | None = None
    max_failed_attempts_per_hour: Annotated[int, Meta(ge=1, description="For streaming jobs.")] | None = None


class EmrServerlessConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The application, and the job that is run in it."""

    application_id: Annotated[str, Meta(min_length=1, max_length=64, description="The id of the application.")]
    job_name: Annotated[
        str,
        Meta(min_length=1, max_length=_LONGEST_NAME, description="What the job run is called; the run's key follows."),
    ]
    execution_role_arn: Annotated[str, Meta(min_length=1, max_length=2048, description="The role that the job has.")]
    job_driver: Annotated[JobDriver, Meta(description="What is run: `sparkSubmit` or `hive`.")]
    arguments: Annotated[
        dict[str, str], Meta(description="Given to a Spark job behind `entryPointArguments`, as name=value.")
    ] = field(default_factory=dict)
    configuration_overrides: Annotated[
        dict[str, Any],
        Meta(description="As EMR Serverless has them: applicationConfiguration, monitoringConfiguration…"),
    ] = field(default_factory=dict)
    execution_timeout_minutes: (
        Annotated[int, Meta(ge=0, le=1_000_000, description="Minutes after which EMR Serverless cancels it.")] | None
    ) = None
    tags: Annotated[dict[str, str], Meta(max_length=200, description="Tags of the job run.")] = field(
        default_factory=dict
    )
    mode: Annotated[str, Meta(description="BATCH or STREAMING.")] = ""
    retry_policy: Annotated[OwnRetries, Meta(description="Retries of EMR Serverless's own.")] = OwnRetries()

    def __post_init__(self) -> None:
        if self.arguments and self.job_driver.hive is not None:
            raise ValueError("`arguments` are those of a Spark job: give a query `jobDriver.hive.parameters`")
        if self.mode not in _MODES and not has_placeholder(self.mode):
            raise ValueError(f"`mode` is {self.mode!r}, expected BATCH or STREAMING")


class EmrServerlessTrigger:
    """Starts job runs, and follows each to its end."""

    Config = EmrServerlessConfig
    repeatable = True
    watchable = True

    def __init__(self, config: EmrServerlessConfig, context: TriggerContext) -> None:
        self._emr = AwsService("emr-serverless", "emr-serverless", config, context)
        self._config = config

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Call StartJobRun with the run's key as its client token.

        Raises:
            TriggerError: it was not started, or nobody can know.
        """
        allowance = Allowance(timeout)
        try:
            answer = self._emr.call("start_job_run", timeout=allowance.next(), **self._request(job))
        except AwsTrouble as exc:
            if exc.code == _CONFLICT:
                return self._joined(job, exc, allowance)
            raise self._emr.refused(exc, _MEANINGS) from exc
        own = answer.get("jobRunId")
        if not own:
            words = (
                f"EMR Serverless started a job run without saying its id: look for {self._name(job)!r} in its console"
            )
            raise TriggerError(words, category="PERMANENT", started=True)
        return self._handle(str(own), str(answer.get("arn", "")))

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look through the application's job runs for one whose name ends with the key."""
        try:
            return self._named(job, Allowance(timeout))
        except AwsTrouble:
            return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Look at the job run."""
        try:
            answer = self._emr.call("get_job_run", timeout=timeout, **self._place(handle))
        except AwsTrouble as exc:
            return self._emr.unseen(exc, gone=_MISSING, job="job run")
        return self._report(answer.get("jobRun") or {})

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Cancel the job run.

        Raises:
            TriggerError: it could not be cancelled.
        """
        allowance = Allowance(timeout)
        place = self._place(handle)
        try:
            self._emr.call("cancel_job_run", timeout=allowance.next(), **place)
        except AwsTrouble as exc:
            if exc.code == _MISSING or (exc.code in _TOO_LATE and self._over(place, allowance)):
                return
            raise self._emr.unstopped(exc) from exc

    # ------------------------------------------------------------ asking

    def _request(self, job: Job) -> dict[str, Any]:
        config = self._config
        driver = msgspec.to_builtins(config.job_driver)
        wanted = {
            "configurationOverrides": config.configuration_overrides,
            "executionTimeoutMinutes": config.execution_timeout_minutes,
            "tags": config.tags,
            "mode": config.mode,
            "retryPolicy": _given(msgspec.to_builtins(config.retry_policy)),
        }
        if spark := config.job_driver.spark_submit:
            named = [f"{name}={value}" for name, value in sorted(config.arguments.items())]
            driver["sparkSubmit"]["entryPointArguments"] = [*spark.entry_point_arguments, *named]
        return {
            "applicationId": config.application_id,
            "clientToken": _token(job),
            "executionRoleArn": config.execution_role_arn,
            "name": self._name(job),
            "jobDriver": {kind: _given(inner) for kind, inner in driver.items() if inner is not None},
            **_given(wanted),
        }

    def _name(self, job: Job) -> str:
        return f"{self._config.job_name} {_token(job)}"

    def _named(self, job: Job, allowance: Allowance) -> JobHandle | Absent:
        for runs in self._runs(allowance):
            for one in runs:
                # The name before it may have been another when the job run was started.
                if str(one.get("name", "")).endswith(f" {_token(job)}"):
                    return self._handle(str(one["id"]), str(one.get("arn", "")))
        return Absent.CERTAINLY

    def _runs(self, allowance: Allowance) -> Iterator[list[Mapping[str, Any]]]:
        def ask(limit: timedelta, more: dict[str, str]) -> dict[str, Any]:
            application = self._config.application_id
            return self._emr.call(
                "list_job_runs", timeout=limit, applicationId=application, maxResults=_PAGE_SIZE, **more
            )

        return pages(ask, "jobRuns", "nextToken", allowance)

    def _joined(self, job: Job, conflict: AwsTrouble, allowance: Allowance) -> JobHandle:
        """Return the job run that a conflict is about, if there is one: this one's, from an earlier call."""
        said = self._emr.said(conflict)
        try:
            found = self._named(job, allowance)
        except AwsTrouble as exc:
            words = f"{said}; whether a job run of this key was started before cannot be seen: {self._emr.said(exc)}"
            raise TriggerError(words, category="TRANSIENT", started=None) from conflict
        if isinstance(found, JobHandle):
            return found
        raise TriggerError(f"{said} (nothing was started)", category="TRANSIENT", started=False) from conflict

    def _handle(self, own: str, arn: str) -> JobHandle:
        region = region_of_arn(arn) or self._emr.region
        # EMR Studio has the page of a job run, at an address of its own for each Studio; this one leads to it.
        url = console_url(region, f"emr/home?region={region}#/serverless")
        return handle_of(own, page=url, application=self._config.application_id, region=region)

    def _place(self, handle: JobHandle) -> dict[str, str]:
        """Return where a job run is, which another configuration may have started."""
        known = mapping(handle.details)
        application = str(known.get("application") or self._config.application_id)
        return {"applicationId": application, "jobRunId": handle.id, "region": str(known.get("region") or "")}

    # ------------------------------------------------------------ looking

    def _over(self, place: Mapping[str, str], allowance: Allowance) -> bool:
        """Say whether a job run that could not be cancelled has ended, or is being cancelled."""
        try:
            answer = self._emr.call("get_job_run", timeout=allowance.next(), **place)
        except AwsTrouble as exc:
            return exc.code == _MISSING
        return (answer.get("jobRun") or {}).get("state") in _OVER

    def _report(self, run: Mapping[str, Any]) -> JobReport:
        state = run.get("state")
        if state in _RUNNING:
            return JobReport(state=JobState.RUNNING)
        if state == "SUCCESS":
            return JobReport(state=JobState.SUCCEEDED)
        name = f"the job run {run.get('jobRunId', '')}"
        if state not in ("FAILED", "CANCELLED"):
            return self._emr.puzzled(name, state)
        category = FailureCategory.TRANSIENT
        words = f"{name} ended as {state}: {run.get('stateDetails') or 'no reason given'}"
        if state == "CANCELLED":
            late = _ran_out_of_time(run)
            category = FailureCategory.TIMEOUT if late else FailureCategory.PERMANENT
            words += f" (its time of {run['executionTimeoutMinutes']} minutes was over)" if late else ""
        return JobReport(state=JobState.FAILED, reason=self._emr.said(words), category=category)


def _token(job: Job) -> str:
    return short_name(job.key, _LONGEST_TOKEN, allowed="-_.")


def _given(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not left out: EMR Serverless minds empty values."""
    return {name: value for name, value in wanted.items() if value not in (None, "", {}, [], ())}


def _ran_out_of_time(run: Mapping[str, Any]) -> bool:
    """Say whether a cancelled job run had used its time up. Otherwise somebody has stopped it."""
    minutes, began, ended = run.get("executionTimeoutMinutes"), run.get("startedAt"), run.get("endedAt")
    if not minutes or not isinstance(began, datetime) or not isinstance(ended, datetime):
        return False
    return ended - began >= timedelta(minutes=int(minutes))


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: EmrServerlessTrigger) -> Trigger:
        return it
