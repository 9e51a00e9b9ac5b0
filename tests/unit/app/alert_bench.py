"""Hands with channels to tell alerts through, a clock, and a watcher's turn."""

from __future__ import annotations

from datetime import timedelta

from interlock.app.channels import Alerting, Channel
from interlock.app.delivering import deliver
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.dispatching import AlertRecord
from interlock.core.ids import PipelineName, RunKey
from interlock.ports.stores import DueKind
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_hand, a_slot
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink
from interlock.testing.faults import FaultyKernel


def about(
    pipeline: str = "example",
    *,
    kind: AlertType = AlertType.RUN_FAILED,
    level: AlertLevel = AlertLevel.ERROR,
    after: timedelta = timedelta(),
    tier: int = 1,
    owner: str = "data",
) -> Alert:
    """Make an alert about a pipeline's run."""
    slot = a_slot(pipeline=pipeline)
    return Alert(
        alert_id=f"{kind}/{RunKey(slot).run_id}",
        alert_type=kind,
        level=level,
        at=NOON + after,
        message=f"{pipeline}: {kind}",
        slot=slot,
        run_id=RunKey(slot).run_id,
        tier=tier,
        owner=owner,
    )


def about_nobody(*, level: AlertLevel = AlertLevel.ERROR) -> Alert:
    """Make an alert about Interlock itself."""
    return Alert(
        alert_id="watcher_stalled/host-1", alert_type=AlertType.WATCHER_STALLED, level=level, at=NOON, message="stalled"
    )


class AlertBench:
    """A store in memory and channels; by default two, `pager` and `chat`, that take everything."""

    def __init__(self, *channels: Channel, alerting: Alerting | None = None) -> None:
        self.pager, self.chat = RecordingSink(), RecordingSink()
        self.kernel = FaultyKernel(MemoryKernel())
        self.clock = FakeClock(NOON)
        self.store = Repository(self.kernel)
        chosen = alerting or Alerting(channels=channels or (Channel("pager", self.pager), Channel("chat", self.chat)))
        self.hands: Hands = a_hand(self.store, clock=self.clock)._replace(alerting=chosen)

    def later(self, span: timedelta) -> AlertBench:
        """Let time pass."""
        self.clock.advance(span)
        return self

    def record(self, alert: Alert) -> AlertRecord:
        """Return an alert as it is stored."""
        found = self.hands.dispatches.alert(alert.alert_id)
        assert found is not None
        return found

    def due(self) -> list[str]:
        """Return the dispatches that are due."""
        work = self.store.due(self.clock.now(), 1000)
        assert all(each.kind is DueKind.DISPATCH for each in work)
        return [str(each.subject) for each in work]

    def turn(self) -> int:
        """Do what a watcher does: deliver whatever is due, until nothing is; say how often that was."""
        for turns in range(100):
            if not (due := self.due()):
                return turns
            for each in due:
                deliver(each, self.hands)
        raise AssertionError(f"it is due for ever: {self.due()}")

    def told(self, alert: Alert) -> AlertBench:
        """Raise an alert, and deliver what is due."""
        raise_alert(alert, self.hands)
        self.turn()
        return self

    def lines(self, pipeline: str = "example") -> list[str]:
        """Return the kinds of a pipeline's timeline."""
        return [line.record.kind.value for line in self.store.timeline(PipelineName(pipeline), limit=999)]
