"""The watchdog's scan: everything that should have happened is looked at, each check apart from the others.

A scan reads the store and nothing else: no file, no evaluator, no watcher. It may be cut short anywhere, repeated, and done
by several processes at once: what it writes is compared and swapped, and what it tells goes by the name of the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

from interlock.app.advance import advance
from interlock.app.announcing import announce
from interlock.app.delivering import deliver
from interlock.app.expecting import ABANDONED, attend, write_down
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.core import watchdog
from interlock.core.alerts import Alert, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.dispatching import AlertRecord
from interlock.core.events import Woke
from interlock.core.expectations import ExpectationState
from interlock.core.ids import RunKey, Slot, parse_run_id
from interlock.core.runs import Run, RunStatus
from interlock.core.telling import alert_id
from interlock.core.watchdog import Pulse, Watchers
from interlock.errors import InterlockError, StoreUnavailable
from interlock.ports.agendas import Agenda
from interlock.ports.members import Member
from interlock.ports.stores import DueKind

WATCHER: Final = "watcher"
PAGE: Final = 500
_MANY: Final = 4
"""By how much more is asked for where a list has no cursor and its head does not move."""

_TOLD: Final = 3
_MINE: Final = (
    AlertType.SCHEDULE_MISSED,
    AlertType.STUCK_RUN,
    AlertType.RUN_ORPHANED,
    AlertType.MONITORING_OVERDUE,
    AlertType.TRIGGER_RECOVERED,
    AlertType.WATCHER_STALLED,
    AlertType.WATCHDOG_STALLED,
)
_EXCUSED: Final = (ExpectationState.WAIVED, ExpectationState.EXCLUDED, ExpectationState.SKIPPED)

T = TypeVar("T")


class Thresholds(NamedTuple):
    """What a scan goes by.

    `stuck_after` is for pipelines that say nothing of their own; a watcher that finishes no turn within `silence` is gone.
    `wanted` says that there should be a watcher at all, `patient` that it is too early to miss one. `late` is how much later
    than they want runs may be looked after.
    """

    stuck_after: timedelta = timedelta(minutes=30)
    silence: timedelta = timedelta(seconds=90)
    wanted: bool = True
    patient: bool = False
    late: timedelta = timedelta()


class Check(NamedTuple):
    """One check of a scan: how much it found that is not as it should be, and why it is not whole, if it is not."""

    name: str
    findings: int = 0
    error: str = ""


class Report(NamedTuple):
    """What came of a scan. `untold` says that not even its own trouble could be kept in the store."""

    at: datetime
    checks: tuple[Check, ...]
    untold: bool = False

    @property
    def findings(self) -> int:
        """How much was found that is not as it should be."""
        return sum(check.findings for check in self.checks)

    @property
    def troubles(self) -> tuple[tuple[str, str], ...]:
        """The checks that are not whole, each with the reason."""
        return tuple((check.name, check.error) for check in self.checks if check.error)

    @property
    def whole(self) -> bool:
        """Whether everything could be looked at."""
        return not self.troubles and not self.untold


class Trouble(Exception):
    """Some of what a check is about could not be looked at; the rest was."""

    def __init__(self, findings: int, words: str) -> None:
        self.findings = findings
        super().__init__(words)


def sweep(hands: Hands, thresholds: Thresholds = Thresholds()) -> Report:  # noqa: B008  (a value that cannot change)
    """Look at everything once. Nothing is raised: what could not be looked at is in the report, and people are told."""
    now = hands.clock.now()
    scan = _Scan(hands, thresholds, now)
    checks = tuple(_checked(name, check) for name, check in scan.checks())
    report = Report(now, checks)
    try:
        if report.troubles:
            raise_alert(watchdog.degraded(report.troubles, now), hands)
        else:
            resolve_alert(watchdog.DEGRADED, "the watchdog could check everything", now, hands)
    except InterlockError as exc:
        return Report(now, (*checks, Check("announce", 0, str(exc))), untold=True)
    return report


class _Scan:
    """One scan: its instant, and what its checks learn from one another."""

    def __init__(self, hands: Hands, thresholds: Thresholds, now: datetime) -> None:
        self._hands = hands
        self._thresholds = thresholds
        self._now = now
        self._watchers = Watchers.STARTING

    def checks(self) -> tuple[tuple[str, Callable[[], int]], ...]:
        """Return the checks by name, in their order: who is at work first, what is mended last."""
        return (
            ("watchers", self._look_for_watchers),
            ("agendas", self._write_down),
            ("expectations", self._look_at_expectations),
            ("runs", self._look_at_runs),
            ("alerts", self._look_at_alerts),
        )

    # ------------------------------------------------------------------ watchers

    def _look_for_watchers(self) -> int:
        pulses = [_pulse(member) for member in self._hands.members.members(WATCHER)]
        # Only a watcher writes agendas: where there are some, there was one.
        wanted = self._thresholds.wanted and bool(self._hands.agendas.planned(limit=1))
        found = watchdog.watchers(pulses, self._now, self._thresholds.silence, wanted=wanted)
        if found is Watchers.GONE and self._thresholds.patient:
            return 0
        self._watchers = found
        if found is not Watchers.GONE:
            return 0
        raise_alert(watchdog.stalled(pulses, self._now), self._hands)
        return 1

    # ------------------------------------------------------------------ slots

    def _write_down(self) -> int:
        # A watcher that is there is given a moment: it may be just about to.
        before = self._now if self._watchers is Watchers.GONE else self._now - ABANDONED
        agendas = _all_of(lambda limit: self._hands.agendas.overdue(before, limit))
        return _each(agendas, lambda agenda: write_down(agenda, self._hands, self._now), _name_of_agenda)

    def _look_at_expectations(self) -> int:
        watched = self._watchers is Watchers.ALIVE
        return _each(self._unsettled(), lambda slot: attend(slot, self._hands, self._now, watched=watched), str)

    def _unsettled(self) -> Iterator[Slot]:
        """Yield every slot that is to be looked at, once, although those that cannot be looked at stay in front."""
        seen: set[Slot] = set()
        while True:
            page = self._hands.agendas.unsettled(self._now, PAGE + len(seen))
            fresh = [each.slot for each in page if each.slot not in seen]
            if not fresh:
                return
            yield from fresh
            # Only those still there after their turn need to be remembered.
            seen = {each.slot for each in page}

    # ------------------------------------------------------------------ runs

    def _look_at_runs(self) -> int:
        return _each(self._active(), self._look_at_run, str)

    def _active(self) -> Iterator[RunKey]:
        after = None
        while True:
            page = self._hands.store.active_runs(limit=PAGE, after=after)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].run_id

    def _look_at_run(self, key: RunKey) -> int:
        run = self._hands.store.run(key)
        if run is None or run.ended:
            return 0
        if watchdog.monitoring_is_overdue(run, self._now):
            return self._end_monitoring(run)
        if self._watchers is Watchers.STARTING:
            return 0  # whoever has just begun is given a moment for what was left behind
        spec = self._hands.store.spec(run.spec_digest)
        alert = watchdog.stuck(run, spec, self._thresholds.stuck_after, self._now)
        if alert is not None:
            self._note_stuck(run, alert)
            announce(alert, spec, self._hands, cause=self._cause(run))
            return 1
        alert = (
            None if self._watchers is Watchers.NONE else watchdog.orphaned(run, spec, self._now, self._thresholds.late)
        )
        if alert is not None:
            announce(alert, spec, self._hands, cause=self._cause(run))
        return 0 if alert is None else 1

    def _note_stuck(self, run: Run, alert: Alert) -> None:
        known = self._hands.dispatches.alert(alert.alert_id)
        if known is None or not known.open:
            line = EventRecord(kind=EventKind.RUN_STUCK, at=self._now, status=run.status, message=alert.message)
            # Before the alert, and under a name: cut short in between, it is told once all the same.
            name = f"{alert.alert_id}@{run.since.isoformat()}"
            self._hands.store.note(run.key.slot, self._now, name, (line,))

    def _cause(self, run: Run) -> str:
        """Return what explains that a run does not move, if people know that: then they need not be told twice."""
        return watchdog.STALLED if self._watchers is Watchers.GONE else alert_id(AlertType.RUN_POISONED, run.key)

    def _end_monitoring(self, run: Run) -> int:
        why = ""
        try:
            run = advance(run.key, Woke(at=self._now), self._hands.store).run
        except StoreUnavailable:
            raise
        except InterlockError as exc:
            why = str(exc)
        if run.status is RunStatus.COMPLETED_MONITORING:
            spec = self._hands.store.spec(run.spec_digest)
            announce(watchdog.monitoring_overdue(run, spec, why, self._now), spec, self._hands)
        return 1

    # ------------------------------------------------------------------ alerts

    def _look_at_alerts(self) -> int:
        """Take back what does not hold any more: what is about runs first, so that nothing is told that is mended."""
        mine = [record for record in self._open() if record.alert.alert_type in _MINE]
        mine.sort(key=lambda record: record.alert.slot is None)
        return _each(mine, self._look_at_alert, lambda record: record.alert.alert_id)

    def _open(self) -> Iterator[AlertRecord]:
        before = None
        while True:
            page = self._hands.dispatches.alerts(limit=PAGE, open_only=True, before=before)
            yield from page
            if len(page) < PAGE:
                return
            before = page[-1].alert.alert_id

    def _look_at_alert(self, record: AlertRecord) -> int:
        words = self._mended(record)
        if words:
            resolve_alert(record.alert.alert_id, words, self._now, self._hands)
        return 0

    def _mended(self, record: AlertRecord) -> str:
        alert = record.alert
        match alert.alert_type:
            case AlertType.WATCHER_STALLED:
                return "a watcher is at work" if self._watchers is Watchers.ALIVE else ""
            case AlertType.WATCHDOG_STALLED:
                return "a watchdog looked at everything it could"
            case AlertType.SCHEDULE_MISSED:
                return "" if alert.slot is None else self._found(alert.slot)
            case AlertType.TRIGGER_RECOVERED:
                run = self._run(alert.run_id)
                return f"its run is {run.status}" if run is not None and run.ended else ""
            case _:
                run = self._run(alert.run_id)
                return "" if run is None else self._moved(alert.alert_id, run)

    def _run(self, run_id: str) -> Run | None:
        return self._hands.store.run(parse_run_id(run_id))

    def _found(self, slot: Slot) -> str:
        run = self._hands.store.latest_run(slot)
        if run is not None and (run.ended or run.readiness is not None):
            return f"{run.key} was judged, and is {run.status}"
        expectation = self._hands.agendas.expectation(slot)
        if expectation is not None and expectation.state in _EXCUSED:
            return f"nothing is expected of it: {expectation.reason}"
        return ""

    def _moved(self, name: str, run: Run) -> str:
        """Say how a run stands, if it is not as an alert about it says."""
        now, spec = self._now, self._hands.store.spec(run.spec_digest)
        stuck = watchdog.stuck(run, spec, self._thresholds.stuck_after, now)
        if name == watchdog.monitoring_id(run):
            return "" if watchdog.monitoring_is_overdue(run, now) else f"it is {run.status}"
        if name == watchdog.orphaned_id(run):
            if stuck is not None:
                return "it is stuck, which is told by itself"
            return (
                ""
                if watchdog.orphaned(run, spec, now, self._thresholds.late) is not None
                else f"it is looked after again, and is {run.status}"
            )
        return "" if stuck is not None and stuck.alert_id == name else f"it has moved, and is {run.status}"


def _pulse(member: Member) -> Pulse:
    return Pulse(member.joined_at, member.until, member.progress_at)


def _name_of_agenda(agenda: Agenda) -> str:
    return f"{agenda.pipeline}, schedule {agenda.schedule}"


# ---------------------------------------------------------------------- delivery


def deliver_due(hands: Hands, until: datetime, width: int = 8) -> Check:
    """Tell what is due to be told, whoever found it: those who usually do may be dead. Nothing is raised.

    What is not begun by `until` waits for the next scan.
    """
    now, errors = hands.clock.now(), list[str]()
    try:
        work = _all_of(lambda limit: hands.store.due(now, limit))
        names = list(dict.fromkeys(str(each.subject) for each in work if each.kind is DueKind.DISPATCH))
        for start in range(0, len(names), width):
            if hands.clock.now() >= until:
                break
            errors += filter(
                None, hands.together([partial(_delivered, name, hands) for name in names[start : start + width]])
            )
    except Exception as exc:  # noqa: BLE001  (the scan that follows must come all the same)
        errors.append(_worded(exc))
    return Check("delivery", 0, _summed(errors))


def _delivered(name: str, hands: Hands) -> str:
    try:
        deliver(name, hands)
    except Exception as exc:  # noqa: BLE001  (one that cannot be told keeps no other from it)
        return f"{name}: {_worded(exc)}"
    return ""


# ---------------------------------------------------------------------- one by one


def _all_of(listed: Callable[[int], Sequence[T]]) -> Sequence[T]:
    """Return the whole of a list that has no cursor, by asking for more until there is no more."""
    limit = PAGE
    while len(found := listed(limit)) >= limit:
        limit *= _MANY
    return found


def _each(things: Iterable[T], do: Callable[[T], int], name: Callable[[T], str]) -> int:
    """Do something with each thing, and go on after those with which it cannot be done.

    Raises:
        Trouble: some of them could not be looked at.
        StoreUnavailable: none of those that are left can be.
    """
    findings, errors = 0, list[str]()
    for thing in things:
        try:
            findings += do(thing)
        except StoreUnavailable as exc:
            errors.append(f"{name(thing)}: {_worded(exc)}, and nothing after it was looked at")
            break
        except Exception as exc:  # noqa: BLE001  (one that breaks must not hide the others)
            errors.append(f"{name(thing)}: {_worded(exc)}")
    if errors:
        raise Trouble(findings, _summed(errors))
    return findings


def _summed(errors: Sequence[str]) -> str:
    more = f" (and {len(errors) - _TOLD} more)" if len(errors) > _TOLD else ""
    return "; ".join(errors[:_TOLD]) + more


def _checked(name: str, check: Callable[[], int]) -> Check:
    try:
        return Check(name, check())
    except Trouble as exc:
        return Check(name, exc.findings, str(exc))
    except Exception as exc:  # noqa: BLE001  (each check is apart from the others, whatever breaks in it)
        return Check(name, 0, _worded(exc))


def _worded(exc: Exception) -> str:
    return str(exc) if isinstance(exc, InterlockError) else f"{type(exc).__name__}: {exc}"
