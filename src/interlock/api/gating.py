"""Jobs that are not Interlock's to start: leave to run one, word that it lives, and word of one that runs anyway."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from interlock.api.contract import Date, Endpoint, PipelineId, Reason, Request, Role, RunId, ScheduleId
from interlock.app.gate_views import GateView, PingView
from interlock.app.views import RunView


class OpenGate(Request[GateView], frozen=True, kw_only=True):
    """Ask for leave to run the slot's job oneself. It is given once for a slot, and only when the traits say yes.

    Whoever has it starts its job before `validSeconds` are over, and tells how it ended with `CompleteRun` and the answer's
    `attempt`. In shadow mode leave is always given, and there is no run to complete: tell of the end with `Ping`.

    `claim` is a word of the caller's own, new for each job: asked again with the same one and the same `holder`, after an
    answer was lost, the same leave is given again. With `heartbeat` the caller promises to send `KeepGate` every
    `heartbeatSeconds`; people are told when it falls silent. `again` runs a slot again that has ended, and needs a reason.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/gate", Role.OPERATE, slow=True)

    pipeline_id: PipelineId
    schedule: ScheduleId | None = None
    date: Date | None = None
    holder: Annotated[str, Meta(max_length=255, description="Who runs the job, and where, for people.")] = ""
    claim: Annotated[str, Meta(max_length=255)] = ""
    heartbeat: bool = False
    again: bool = False
    reason: Reason = ""

    @property
    def harmless_twice(self) -> bool:
        """With a claim it is known again."""
        return bool(self.claim)


class KeepGate(Request[RunView], frozen=True, kw_only=True):
    """Tell that the job one was given leave for still runs. A conflict says that it should not: it was cancelled."""

    endpoint: ClassVar = Endpoint("POST", "/api/runs/{runId}/heartbeat", Role.PUSH, repeatable=True)

    run_id: RunId
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)]


class Ping(Request[PingView], frozen=True, kw_only=True):
    """Tell that a job which Interlock did not start has begun, succeeded or failed.

    The slot's run is opened for it, its traits are asked and what they say is recorded, but nothing is held back. The same
    word twice about the same `date` is taken once.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/pings", Role.OPERATE, slow=True)

    pipeline_id: PipelineId
    what: Literal["start", "success", "fail"]
    schedule: ScheduleId | None = None
    date: Date | None = None
    reason: Reason = ""

    @property
    def harmless_twice(self) -> bool:
        """With a date: without one, it is about another slot as soon as the next has begun."""
        return self.date is not None
