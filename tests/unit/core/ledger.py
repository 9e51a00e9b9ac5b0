"""What a history proves of its deadlines and alerts: told from facts and wishes alone, in the plainest way there is."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from interlock.core.alerts import AlertType
from interlock.core.commands import AskRerun, NotifyDownstream, PublishEnd, RaiseAlert, ResolveAlert, StartJob
from interlock.core.decision import Decision
from interlock.core.events import CancelAsked, Event
from interlock.core.runs import SUCCEEDED, Cause, Run, RunStatus, Sla, SlaState

ONCE = (
    AlertType.EVALUATION_SLA_AT_RISK,
    AlertType.COMPLETION_SLA_AT_RISK,
    AlertType.EVALUATION_SLA_BREACH,
    AlertType.COMPLETION_SLA_BREACH,
    AlertType.VALIDATION_TIMEOUT,
    AlertType.WINDOW_CLOSED,
    AlertType.RUN_FAILED,
    AlertType.TRAIT_DRIFT,
)


class Moment(NamedTuple):
    """One decision that changed the run."""

    number: int
    at: datetime
    event: Event | None
    before: Run | None
    after: Run


class Ledger:
    """The books of one history."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.let_through: Moment | None = None
        self.done: Moment | None = None
        self.open: set[str] = set()
        self.raised: Counter[AlertType] = Counter()
        self.wished: Counter[type] = Counter()

    def note(self, before: Run | None, event: Event | None, decision: Decision) -> None:
        """Enter one decision, and check what must hold after each."""
        run = decision.run
        if run == before:
            return
        now = Moment(len(self.moments), run.updated_at, event, before, run)
        self.moments.append(now)
        done = run.status in SUCCEEDED
        if self.let_through is None and (done or any(isinstance(wish, StartJob) for wish in decision.commands)):
            self.let_through = now
        if self.done is None and done:
            self.done = now
        self._alerts(decision)
        self.wished.update(type(wish) for wish in decision.commands)
        assert max(self.wished[each] for each in (NotifyDownstream, PublishEnd, AskRerun)) <= 1
        for was, sla in self._pairs(before, run):
            self._verdict(was, sla)

    def _alerts(self, decision: Decision) -> None:
        for wish in decision.commands:
            if isinstance(wish, RaiseAlert):
                assert wish.alert.alert_id not in self.open, f"G6: told twice: {wish.alert.alert_id}"
                self.open.add(wish.alert.alert_id)
                self.raised[wish.alert.alert_type] += 1
            elif isinstance(wish, ResolveAlert):
                self.open.discard(wish.alert_id)
        assert decision.run.open_alerts == tuple(sorted(self.open)), "the run and the fold of its alerts differ"
        assert all(self.raised[kind] <= 1 for kind in ONCE), f"G6: a fact was told again: {self.raised}"

    @staticmethod
    def _pairs(before: Run | None, run: Run) -> tuple[tuple[Sla | None, Sla | None], ...]:
        return (
            (before.evaluation_sla if before else None, run.evaluation_sla),
            (before.completion_sla if before else None, run.completion_sla),
        )

    def _verdict(self, was: Sla | None, now: Sla | None) -> None:
        if now is None or now == was:
            return
        assert was is None or was.state is SlaState.ARMED, "a verdict was given twice"
        if now.state is SlaState.BREACHED:
            assert self.raised, "G6: a deadline was breached and nobody was told anything"

    def judge(self, run: Run) -> None:
        """Compare every verdict with the naive one, and what programs were told with how it ended."""
        by_a_person = run.status is RunStatus.CANCELLED and isinstance(self.moments[-1].event, CancelAsked)
        assert self.wished[PublishEnd] == (0 if by_a_person else 1), "programs were not told how the run ended"
        if run.evaluation_sla is not None:
            assert run.evaluation_sla.state is self._expected(run.evaluation_sla, self.let_through, run.cause)
        if run.completion_sla is not None:
            assert run.completion_sla.state is self._expected(run.completion_sla, self.done, run.cause)

    def _expected(self, sla: Sla, happened: Moment | None, cause: Cause) -> SlaState:
        due = sla.due_at
        over = next((moment for moment in self.moments if moment.at >= due or moment.after.ended), None)
        # Of what is told of one instant, the first counts: somebody who looks at that instant sees it not done.
        if happened is not None and happened.at <= due and (over is None or happened.number <= over.number):
            return SlaState.MET
        if over is None:
            return SlaState.ARMED
        again = cause not in (Cause.MANUAL, Cause.SCHEDULE)
        if again and due <= self.moments[0].at:
            return SlaState.WAIVED
        if isinstance(over.event, CancelAsked) and over.at <= due and over.after.status is RunStatus.CANCELLED:
            return SlaState.WAIVED
        state = over.after if over.at <= due or over.before is None else over.before
        shut = state.status in (RunStatus.PENDING, RunStatus.CANCELLED)
        held = shut and state.held_until is not None and due < state.held_until
        return SlaState.WAIVED if held else SlaState.BREACHED
