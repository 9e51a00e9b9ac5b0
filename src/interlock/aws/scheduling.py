"""What no execution does: slots are opened by the calendar, and runs that nobody looks after are taken up again.

Everything here goes by what is due in the store and may be done twice, by two of these at once, or be cut short anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from zlib import crc32

from msgspec.structs import replace

from interlock.app.agendas import open_due
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.app.postponing import about_run
from interlock.aws.machines import Machines
from interlock.aws.parking import Parking
from interlock.core.alerts import AlertType
from interlock.core.commands import CancelJob, CheckJob, EvaluateTrait, StartJob
from interlock.core.ids import PipelineName, RunKey, ScheduleName
from interlock.errors import InterlockError
from interlock.ports.members import Member, Members
from interlock.ports.stores import DueKind, DueWork
from interlock.runtime.deployed import FUNCTIONS
from interlock.runtime.leases import WATCHER

BEATS: Final = timedelta(minutes=5)
"""For so long the scheduler counts as alive without another tick."""

PARTS: Final = 50
"""So many schedules are opened by one call; where more are due, other calls open them at the same time."""

LEFT: Final = timedelta(minutes=2)
"""So long after it could have been woken at the latest a run counts as left alone."""

AGAIN: Final = timedelta(minutes=15)
"""A run that is left alone gets another execution once in each of these."""

LONGEST_CALL: Final = timedelta(minutes=16)
"""For so long a function may be at work on one wish of a run, and nothing of that shows in the store."""

REVIVING: Final = timedelta(minutes=2)
"""A tick begins no more executions when it has taken so long; the next one goes on."""

_NAME: Final = "scheduler"
_LIMIT: Final = 20_000
_AT_ONCE: Final = 50
_SLOW: Final = (EvaluateTrait, StartJob, CheckJob, CancelJob)

Agenda = tuple[PipelineName, ScheduleName]


class Ticked(NamedTuple):
    """What a tick did: how many runs were opened, how many executions started; what went wrong, in words."""

    opened: int = 0
    handed_on: int = 0
    revived: int = 0
    troubles: tuple[str, ...] = ()


class Clockwork(NamedTuple):
    """What ticks. `hand_on` has schedules opened by another call; `late` is how late executions may look after runs."""

    hands: Hands
    machines: Machines
    parking: Parking
    hand_on: Callable[[Sequence[Agenda]], None]
    late: timedelta

    def tick(self) -> Ticked:
        """Do what is due now. Nothing that goes wrong with one keeps the others from it."""
        now = self.hands.clock.now()
        beat(self.hands.members, now, progress_at=None)
        due = self.hands.store.due(now, _LIMIT)
        agendas = list(dict.fromkeys(each.subject for each in due if isinstance(each.subject, tuple)))
        here, elsewhere = agendas[:PARTS], agendas[PARTS:]
        handed, stayed = self._handed_on(elsewhere)
        opened = self.open(here)
        revived, lost = self._revive(due, now)
        strange = [self._strange(each) for each in due if each.kind is DueKind.UNKNOWN]
        beat(self.hands.members, self.hands.clock.now(), progress_at=now)
        return Ticked(opened.opened, handed, revived, (*stayed, *opened.troubles, *lost, *strange))

    def _handed_on(self, agendas: Sequence[Agenda]) -> tuple[int, list[str]]:
        handed, troubles = 0, list[str]()
        for start in range(0, len(agendas), PARTS):
            part = agendas[start : start + PARTS]
            try:
                self.hand_on(part)
            except Exception as exc:  # noqa: BLE001  (they stay due; what is opened here is opened all the same)
                troubles.append(f"{len(part)} schedules could not be handed on: {_words(exc)}")
            else:
                handed += len(part)
        return handed, troubles

    def open(self, agendas: Sequence[Agenda]) -> Ticked:
        """Open what is due of these schedules."""
        done = self.hands.together([partial(self._opened, *agenda) for agenda in agendas])
        return Ticked(opened=sum(found for found, _ in done), troubles=tuple(trouble for _, trouble in done if trouble))

    def _opened(self, pipeline: PipelineName, schedule: ScheduleName) -> tuple[int, str]:
        try:
            turn = open_due(pipeline, schedule, self.hands)
        except Exception as exc:  # noqa: BLE001  (its trouble is its own; it is told, and tried again in a minute)
            return 0, f"{pipeline}, schedule {schedule}: {_words(exc)}"
        return len(turn.opened), ""

    def _revive(self, due: Sequence[DueWork], now: datetime) -> tuple[int, list[str]]:
        """Start another execution for each run whose time came long ago: two of them do no more than one."""
        wanted = self._overdue(due, now)
        # Others come first in the next minute, should there be more than there is time for.
        keys = sorted(wanted, key=lambda key: crc32(f"{now:%H:%M}/{key}".encode()))
        started, troubles = 0, list[str]()
        for start in range(0, len(keys), _AT_ONCE):
            if self.hands.clock.now() - now >= REVIVING:
                troubles.append(f"{len(keys) - start} runs are left for the next minute: there was no time for more")
                break
            some = keys[start : start + _AT_ONCE]
            done = self.hands.together([partial(self._revived, key, wanted[key], now) for key in some])
            started += sum(found for found, _ in done)
            troubles += [trouble for _, trouble in done if trouble]
        return started, troubles

    def _overdue(self, due: Sequence[DueWork], now: datetime) -> dict[RunKey, str]:
        """Return the runs that may be left alone, each with the suffix of the execution to be started for it.

        A wish is never late for patience. If one is, the run's first execution may never have begun: its name is good for
        one start, so to start that one is always safe.
        """
        bucket = f"s{int(now.timestamp() // AGAIN.total_seconds())}"
        found: dict[RunKey, str] = {}
        for each in due:
            if not isinstance(each.subject, RunKey):
                continue
            if each.wake_at <= now - self.late - LEFT:
                found[each.subject] = bucket
            elif each.kind is DueKind.WISH and each.wake_at <= now - LEFT:
                found.setdefault(each.subject, "")
        return found

    def _revived(self, key: RunKey, suffix: str, now: datetime) -> tuple[bool, str]:
        try:
            if suffix and self._is_looked_after(key, now):
                return False, ""
            return self.machines.start(key, suffix), ""
        except Exception as exc:  # noqa: BLE001  (as above)
            return False, f"{key}: {_words(exc)}"

    def _is_looked_after(self, key: RunKey, now: datetime) -> bool:
        """Say whether an execution slept or was to wake just now, or may be in the middle of what takes its time."""
        if any(abs(parked.until - now) <= LEFT for parked in self.parking.find(key.run_id)):
            return True
        run = self.hands.store.run(key)
        if run is None or (run.due_at is not None and run.due_at <= now - self.late - LEFT):
            return False
        late = [wish for wish in self.hands.store.wishes(key) if wish.due_at <= now - LEFT]
        return all(isinstance(each.command, _SLOW) and each.due_at > now - LONGEST_CALL for each in late)

    def _strange(self, work: DueWork) -> str:
        message = f"what is stored at {work.subject} is due, and of no kind that is known here. It is left alone"
        alert = about_run(AlertType.RUN_POISONED, str(work.subject), message, None, self.hands)
        try:
            raise_alert(alert, self.hands)
        except InterlockError as exc:
            return f"{message}. Nobody could be told: {exc}"
        return message


def beat(members: Members, now: datetime, *, progress_at: datetime | None) -> None:
    """Show a sign of life, by which the watchdog knows that slots are opened."""
    mine = next((each for each in members.members(WATCHER) if each.name == _NAME), None)
    if mine is None:
        mine = Member(role=WATCHER, name=_NAME, host=FUNCTIONS, pid=0, started="", joined_at=now, until=now, epoch=0)
    progress = mine.progress_at if progress_at is None else progress_at
    # False: another tick was faster, which is as good.
    members.put_member(replace(mine, until=now + BEATS, progress_at=progress, epoch=mine.epoch + 1))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InterlockError) else f"{type(error).__name__}: {error}"
