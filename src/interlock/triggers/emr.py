"""Start a step on a running EMR cluster.

EMR knows no key of ours, so the key ends the step's name, and `find` looks for it there. The one way of starting a step
twice is to repeat a start whose answer was lost, which is why it is never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from msgspec import Meta, field

from interlock.clients.aws import AwsOptions, AwsTrouble
from interlock.clients.names import short_name
from interlock.codec.documents import mapping
from interlock.core.templates import has_placeholder
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.aws import Allowance, AwsService, Meaning, console_url, handle_of, pages
from interlock.triggers.context import TriggerContext

_LONGEST_NAME: Final = 256
_LONGEST_KEY: Final = 120
_INVALID: Final = "InvalidRequestException"
_ON_FAILURE: Final = ("CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW")
_FULL: Final = "maximum number of active steps"
"""What EMR says, under the name of any other mistake, when the cluster has no room for another step."""

_WRONG: Final = Meaning(
    FailureCategory.PERMANENT,
    advice="see that the cluster `clusterId` is there and not ending, and that `region` and the step's keys are right",
)
_CROWDED: Final = Meaning(FailureCategory.TRANSIENT, advice="wait until some of the cluster's steps have ended")
_OPEN: Final = Meaning(FailureCategory.TRANSIENT, started=None)
_MEANINGS: Final = {
    "ValidationException": _WRONG,
    _INVALID: _WRONG,
    "InternalServerError": _OPEN,
    "InternalServerException": _OPEN,
    "InternalFailure": _OPEN,
}

_RUNNING: Final = frozenset({"PENDING", "RUNNING", "CANCEL_PENDING"})
_FAILED: Final = {
    "FAILED": FailureCategory.TRANSIENT,
    "INTERRUPTED": FailureCategory.TRANSIENT,
    "CANCELLED": FailureCategory.PERMANENT,
}
_STOPPED: Final = frozenset({"COMPLETED", "CANCEL_PENDING", *_FAILED})
"""The states of a step that need not be cancelled."""


class EmrConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The cluster, and the step that is added to it."""

    cluster_id: Annotated[str, Meta(min_length=1, max_length=256, description="The id of the cluster: j-…")]
    job_name: Annotated[str, Meta(max_length=256, description="The name of the step.")] = ""
    step_name: Annotated[str, Meta(max_length=256, description="The same as jobName.")] = ""
    command: Annotated[str, Meta(min_length=1, description="The JAR; command-runner.jar for Spark and other commands.")]
    args: Annotated[tuple[str, ...], Meta(description="The arguments of the JAR, as they are.")] = ()
    arguments: Annotated[
        dict[str, str], Meta(description="Arguments that become name=value, in the order of their names.")
    ] = field(default_factory=dict)
    main_class: Annotated[str, Meta(description="The class whose main is called, where the JAR does not say.")] = ""
    properties: Annotated[dict[str, str], Meta(description="Java properties set for the step.")] = field(
        default_factory=dict
    )
    action_on_failure: Annotated[
        str, Meta(description="CONTINUE, CANCEL_AND_WAIT or TERMINATE_CLUSTER: what becomes of the cluster.")
    ] = "CONTINUE"
    execution_role_arn: Annotated[str, Meta(description="The role that the step runs as.")] = ""

    def __post_init__(self) -> None:
        if bool(self.job_name) is bool(self.step_name):
            raise ValueError("the step needs one name: give it as `jobName`, or as `stepName`")
        if self.args and self.arguments:
            raise ValueError("`args` does not go with `arguments`: put everything into `args`")
        if self.action_on_failure not in _ON_FAILURE and not has_placeholder(self.action_on_failure):
            known = ", ".join(_ON_FAILURE[:-1])
            raise ValueError(f"`actionOnFailure` is {self.action_on_failure!r}, expected one of {known}")


class EmrTrigger:
    """Adds steps to a cluster that others start and end."""

    Config = EmrConfig
    repeatable = False
    watchable = True

    def __init__(self, config: EmrConfig, context: TriggerContext, now: Callable[[], float] = monotonic) -> None:
        self._config = config
        self._emr = AwsService("emr", "emr", config, context)
        self._now = now

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Call AddJobFlowSteps for one step, whose name ends with the key."""
        config = self._config
        role = {"ExecutionRoleArn": config.execution_role_arn} if config.execution_role_arn else {}
        try:
            answer = self._emr.call(
                "add_job_flow_steps", timeout=timeout, JobFlowId=config.cluster_id, Steps=[self._step(job)], **role
            )
        except AwsTrouble as exc:
            crowded = exc.code == "ValidationException" and _FULL in str(exc).lower()
            raise self._emr.refused(exc, {exc.code: _CROWDED} if crowded else _MEANINGS) from exc
        ids = answer.get("StepIds") or [""]
        if not ids[0]:
            words = f"EMR added a step to {config.cluster_id} without saying its id: look for it in EMR's console"
            raise TriggerError(words, category="PERMANENT", started=True)
        return self._handle(ids[0])

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look through the cluster's steps, the newest first, for one whose name ends with this key."""
        cluster, ending = self._config.cluster_id, _ending(job)

        def ask(limit: timedelta, more: dict[str, str]) -> dict[str, Any]:
            return self._emr.call("list_steps", timeout=limit, ClusterId=cluster, **more)

        try:
            for steps in pages(ask, "Steps", "Marker", Allowance(timeout, self._now)):
                for step in steps:
                    if step.get("Id") and step.get("Name", "").endswith(ending):
                        return self._handle(step["Id"])
        except AwsTrouble:
            return Absent.UNKNOWN
        return Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (a trigger's shape)
        """Call DescribeStep."""
        try:
            return self._report(handle, self._status(handle, timeout))
        except AwsTrouble as exc:
            return self._emr.unseen(exc, gone=_INVALID, job="step")

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002
        """Call CancelSteps, which asks a running step to end. EMR before 5.28 can cancel a step only while it is pending.

        Raises:
            TriggerError: it was not cancelled.
        """
        allowance = Allowance(timeout, self._now)
        try:
            refusal = self._cancelled(handle, allowance.next())
            if refusal and self._status(handle, allowance.next()).get("State") not in _STOPPED:
                words = f"EMR did not cancel the step: {self._emr.said(refusal)}"
                raise TriggerError(words, category="TRANSIENT", started=True)
        except AwsTrouble as exc:
            if exc.code != _INVALID:
                raise self._emr.unstopped(exc) from exc

    # ------------------------------------------------------------ asking

    def _step(self, job: Job) -> dict[str, Any]:
        config = self._config
        ending = _ending(job)
        name = (config.job_name or config.step_name)[: _LONGEST_NAME - len(ending)]
        # A stored configuration does not keep the order in which a mapping was written.
        given = list(config.args) or [f"{name}={value}" for name, value in sorted(config.arguments.items())]
        properties = [{"Key": key, "Value": value} for key, value in sorted(config.properties.items())]
        jar: dict[str, Any] = {"Jar": config.command, "Args": given}
        if config.main_class:
            jar["MainClass"] = config.main_class
        if properties:
            jar["Properties"] = properties
        return {"Name": name + ending, "ActionOnFailure": config.action_on_failure, "HadoopJarStep": jar}

    def _handle(self, step_id: str) -> JobHandle:
        cluster, region = self._config.cluster_id, self._emr.region
        page = console_url(region, f"emr/home?region={region}#/clusterDetails/{quote(cluster, safe='')}")
        return handle_of(step_id, page=page, cluster=cluster, region=region)

    def _place(self, handle: JobHandle) -> tuple[str, str]:
        """Return the cluster and the region of a step, which another configuration may have started."""
        known = mapping(handle.details)
        return str(known.get("cluster") or self._config.cluster_id), str(known.get("region") or "")

    def _status(self, handle: JobHandle, limit: timedelta) -> Mapping[str, Any]:
        cluster, region = self._place(handle)
        answer = self._emr.call("describe_step", timeout=limit, region=region, ClusterId=cluster, StepId=handle.id)
        return (answer.get("Step") or {}).get("Status") or {}

    def _cancelled(self, handle: JobHandle, limit: timedelta) -> str:
        """Ask for the step to be cancelled, and return why EMR does not; nothing when it has taken the wish."""
        cluster, region = self._place(handle)
        try:
            answer = self._emr.call(
                "cancel_steps",
                timeout=limit,
                region=region,
                ClusterId=cluster,
                StepIds=[handle.id],
                StepCancellationOption="SEND_INTERRUPT",
            )
        except AwsTrouble as exc:
            if exc.code != _INVALID:
                raise
            # It may be the wish that is not valid, and not the step.
            return str(exc)
        told = {one.get("StepId"): one for one in answer.get("CancelStepsInfoList") or []}.get(handle.id, {})
        return "" if told.get("Status") == "SUBMITTED" else told.get("Reason") or "it gave no reason"

    def _report(self, handle: JobHandle, status: Mapping[str, Any]) -> JobReport:
        state, name = status.get("State", ""), f"the EMR step {handle.id}"
        if state in _RUNNING:
            return JobReport(state=JobState.RUNNING)
        if state == "COMPLETED":
            return JobReport(state=JobState.SUCCEEDED)
        if state not in _FAILED:
            return self._emr.puzzled(name, state)
        details = status.get("FailureDetails") or {}
        parts = (details.get("Reason"), details.get("Message"), (status.get("StateChangeReason") or {}).get("Message"))
        said = ": ".join(part for part in parts if part) or "no reason given"
        log = f" (log: {details['LogFile']})" if details.get("LogFile") else ""
        words = self._emr.said(f"{name} ended as {state}: {said}{log}")
        return JobReport(state=JobState.FAILED, reason=words, category=_FAILED[state])


def _ending(job: Job) -> str:
    return f" [{short_name(job.key, _LONGEST_KEY, allowed='-_.:/')}]"


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: EmrTrigger) -> Trigger:
        return it
