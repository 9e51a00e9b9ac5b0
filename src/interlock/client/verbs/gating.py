"""Jobs that are not Interlock's to start: leave to run one, word that it lives, and word of one that runs anyway."""

from __future__ import annotations

from typing import Literal

from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.app.gate_views import GateView, PingView
from interlock.app.views import RunView
from interlock.client.asking import Asking
from interlock.client.values import named


class Gating(Asking):
    """Verbs for those who run the job themselves. `gate` puts them together."""

    def open_gate(  # noqa: PLR0913  (each says which, how or why)
        self,
        pipeline_id: str,
        *,
        schedule: str | None = None,
        date: str | None = None,
        holder: str = "",
        claim: str | None = None,
        heartbeat: bool = False,
        again: bool = False,
        reason: str = "",
    ) -> GateView:
        """Ask for leave to run the slot's job oneself. It is given once for a slot, and only when the traits say yes.

        Whoever has it begins before `valid_seconds` of the answer are over, and tells how it ended with `complete` and the
        answer's `attempt`. `gate` does all of that.

        Args:
            pipeline_id: the pipeline.
            schedule: by default the one whose window opened last.
            date: the period; the current one by default.
            holder: who runs the job, and where, for people.
            claim: a word of one's own, new for each job; made here by default. The same one again is given the same leave.
            heartbeat: promise to call `keep_gate` every `heartbeat_seconds` of the answer.
            again: run a slot again that has ended; needs a reason.
            reason: why.

        Raises:
            NotReady: the traits say no, or could not tell (`error.details["undecided"]`).
            Conflict: the slot is running or done.
            Refused: it is before its window or after it, excluded or paused.
            NotFound: there is no such pipeline or schedule.
        """
        return self.ask(
            OpenGate(
                pipeline_id=pipeline_id,
                schedule=schedule,
                date=date,
                holder=holder,
                claim=named(claim),
                heartbeat=heartbeat,
                again=again,
                reason=reason,
            )
        )

    def keep_gate(self, run_id: str, *, attempt: int) -> RunView:
        """Tell that the job one was given leave for still runs.

        Raises:
            Conflict: it should not any more: it was cancelled, or somebody told that it ended.
            NotFound: there is no such run.
        """
        return self.ask(KeepGate(run_id=run_id, attempt=attempt))

    def ping(
        self,
        pipeline_id: str,
        what: Literal["start", "success", "fail"],
        *,
        schedule: str | None = None,
        date: str | None = None,
        reason: str = "",
    ) -> PingView:
        """Tell that a job which Interlock did not start has begun, succeeded or failed. Nothing is held back.

        Raises:
            Conflict: it was told otherwise before.
            NotFound: there is no such pipeline or schedule.
        """
        return self.ask(Ping(pipeline_id=pipeline_id, what=what, schedule=schedule, date=date, reason=reason))
