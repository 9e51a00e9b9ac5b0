"""Alerts made for tests, and whole lives of one: facts, deliverers that crash and lag, silences and causes, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from interlock.core import dispatching
from interlock.core.alerts import Alert, AlertLevel, AlertType, NoticeKind
from interlock.core.deliveries import Delivery, DeliveryState, Pace, Target, Trouble
from interlock.core.dispatching import AlertRecord
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot

PACE: Final = Pace(renotify=timedelta(hours=4), deliver_for=timedelta(days=1))
PAGER: Final = Target(name="pager")
CHAT: Final = Target(name="chat", group="sales", wait=30 * SECOND)


def an_alert(name: str = "run_failed/example", *, at: datetime = NOON, level: AlertLevel = AlertLevel.ERROR) -> Alert:
    """Make an alert of a run."""
    return Alert(
        alert_id=name,
        alert_type=AlertType.RUN_FAILED,
        level=level,
        at=at,
        message="the job failed",
        slot=a_slot(),
        run_id=a_key().run_id,
    )


def an_open(*targets: Target, at: datetime = NOON, cause: str = "", pace: Pace = PACE) -> AlertRecord:
    """Make an alert that has just been opened; for the pager unless targets are given."""
    return dispatching.opened(an_alert(at=at), targets or (PAGER,), pace, at, cause=cause)


def tell(record: AlertRecord, at: datetime, *, works: bool = True) -> AlertRecord:
    """Deliver whatever is due, and record what came of it."""
    until = at + MINUTE
    record = dispatching.begun(record, at, until)
    for each in record.deliveries:
        if each.state is DeliveryState.TRYING:
            record = came_to(record, each, at, works=works)
    return dispatching.released(record, until, at)


def came_to(record: AlertRecord, delivery: Delivery, at: datetime, *, works: bool) -> AlertRecord:
    """Record what came of one telling."""
    name, number = delivery.target.name, delivery.number
    if works:
        return dispatching.delivered(record, name, number, PACE, at)
    return dispatching.failed(record, name, number, Trouble("nobody answers"), PACE, at)


@dataclass
class Life:
    """One alert, and what every receiver has seen of it. `step` lets something happen and checks the laws.

    A deliverer may die at any time. Unless it is `punctual` it may also hang for longer than its lease, and call then.
    """

    seed: int
    punctual: bool = True
    record: AlertRecord = field(default_factory=lambda: an_open(PAGER, CHAT))
    now: datetime = NOON
    under_way: list[tuple[Delivery, datetime]] = field(default_factory=list)
    arrived: list[tuple[str, int, NoticeKind]] = field(default_factory=list)
    recorded: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)

    def live(self, steps: int) -> Life:
        """Let so many things happen."""
        for _ in range(steps):
            self.step()
        return self

    def step(self) -> None:
        """Let one thing happen."""
        before = self.record
        self.now += self.dice.choice((*3 * (SECOND, 5 * SECOND), MINUTE, timedelta(hours=1), timedelta(hours=5)))
        happening = self.dice.choice(
            (self._raised, self._resolved, *3 * (self._woke, self._begun, self._ended, self._ended), self._fold)
        )
        happening()
        self._check(before)

    def quiet(self) -> Life:
        """Let a fair world go on until nothing is wanted, or only a reminder."""
        for _ in range(40):
            wake_at = self.record.wake_at
            if wake_at is None or wake_at == self.record.remind_at:
                return self
            self.now = max(self.now, wake_at)
            self.record = dispatching.unfolded(self.record, PACE, self.now)
            self.record = dispatching.checked(self.record, self.now)
            self._begun()
            while self.under_way:
                self._came(works=True)
            self.record = dispatching.released(self.record, self.record.held_until, self.now)
        raise AssertionError(f"it never comes to rest: {self.record}")

    def _raised(self) -> None:
        cause = "another" if self.dice.random() < 0.2 else ""
        self.record = dispatching.raised(self.record, an_alert(at=self.now), (PAGER, CHAT), PACE, self.now, cause=cause)

    def _resolved(self) -> None:
        self.record = dispatching.resolved(self.record, "it ran", self.now)

    def _woke(self) -> None:
        self.record = dispatching.woke(self.record, PACE, self.now)
        if self.dice.random() < 0.2:
            self.record = dispatching.silenced(self.record, "s1", self.now + MINUTE, self.now)
        elif self.dice.random() < 0.2:
            self.record = dispatching.unsilenced(self.record, self.now)

    def _fold(self) -> None:
        change = self.dice.choice((dispatching.unfolded, None))
        self.record = change(self.record, PACE, self.now) if change else dispatching.checked(self.record, self.now)

    def _begun(self) -> None:
        only = self.dice.choice(("", "", CHAT.name))
        before = self.record
        self.record = dispatching.begun(before, self.now, self.now + MINUTE, only=only)
        fresh = self.record.held_until == self.now + MINUTE and self.record != before
        for each in self.record.deliveries if fresh else ():
            if each.state is DeliveryState.TRYING:
                self.under_way.append((each, self.now + MINUTE))

    def _ended(self) -> None:
        if self.under_way and self.dice.random() < 0.8:
            self._came(works=self.dice.random() < 0.5)
        if self.dice.random() < 0.1:
            until = self.record.held_until if self.dice.random() < 0.8 else self.now
            self.record = dispatching.released(self.record, until, self.now)

    def _came(self, *, works: bool) -> None:
        delivery, until = self.under_way.pop(self.dice.randrange(len(self.under_way)))
        if self.punctual and self.now >= until:
            return  # it died before it called
        if works:
            self.arrived.append((delivery.target.name, delivery.number, delivery.kind))
            if self.dice.random() < 0.2:
                return  # the deliverer dies before it records it
        self.record = came_to(self.record, delivery, self.now, works=works)
        if not self.under_way:
            self.record = dispatching.released(self.record, self.record.held_until, self.now)

    def _check(self, before: AlertRecord) -> None:
        after = self.record
        assert (after.version == before.version) == (after == before)
        assert after.version <= before.version + 4
        for each in after.deliveries:
            assert (each.next_at is not None) == (each.state in (DeliveryState.DUE, DeliveryState.SILENCED))
            assert each.number <= after.notices
            if each.kind is NoticeKind.RESOLVED:
                heard = {kind for name, _, kind in self.arrived if name == each.target.name}
                assert heard & {NoticeKind.OPENED, NoticeKind.REMINDED}, "an end without a beginning"
        if after.wake_at is None:
            assert not any(
                each.state in (DeliveryState.DUE, DeliveryState.SILENCED, DeliveryState.TRYING)
                for each in after.deliveries
            )
            assert after.check_at is None
            assert after.remind_at is None
        for each in after.deliveries:
            name = (each.target.name, each.number)
            if each.state is DeliveryState.DONE and before.delivery(each.target.name) != each:
                assert name not in self.recorded, "one telling was done twice"
                self.recorded.add(name)
