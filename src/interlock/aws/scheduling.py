"""What no execution does: slots are opened by the calendar, and runs that nobody looks after are taken up again.

Everything here goes by what is due in the store and may be done twice, by two of these at once, or be cut short anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.app.agendas import open_due
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.app.postponing import about_run
from interlock.aws.machines import Machines
from interlock.core.alerts import AlertType
from interlock.core.ids import PipelineName, RunKey, ScheduleName
from interlock.errors import InterlockError
from interlock.ports.members import Member, Members
from interlock.ports.stores import DueKind, DueWork
from interlock.runtime.leases import WATCHER

BEATS: Final = timedelta(minutes=5)
"""For so long the scheduler counts as alive without another tick."""

PARTS: Final = 50
"""So many schedules are opened by one call; where more are due, other calls open them at the same time."""

LEFT: Final = timedelta(minutes=2)
"""So long after it could have been woken at the latest a run counts as left alone."""

AGAIN: Final = timedelta(minutes=15)
"""A run that is left alone gets another execution no more often than this."""

_NAME: Final = "scheduler"
_LIMIT: Final = 20_000

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
    hand_on: Callable[[Sequence[Agenda]], None]
    late: timedelta

    def tick(self) -> Ticked:
        """Do what is due now. Nothing that goes wrong with one keeps the others from it."""
        now = self.hands.clock.now()
        beat(self.hands.members, now, progress_at=None)
        due = self.hands.store.due(now, _LIMIT)
        agendas = list(dict.fromkeys(each.subject for each in due if isinstance(each.subject, tuple)))
        troubles = [*map(self._strange, (each for each in due if each.kind is DueKind.UNKNOWN))]
        here, elsewhere = agendas[:PARTS], agendas[PARTS:]
        for start in range(0, len(elsewhere), PARTS):
            self.hand_on(elsewhere[start : start + PARTS])
        opened = self.open(here)
        revived, lost = self._revive(due, now)
        beat(self.hands.members, self.hands.clock.now(), progress_at=now)
        return Ticked(opened.opened, len(elsewhere), revived, (*troubles, *opened.troubles, *lost))

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
        gone = now - self.late - LEFT
        keys = dict.fromkeys(each.subject for each in due if isinstance(each.subject, RunKey) and each.wake_at <= gone)
        bucket = f"s{int(now.timestamp() // AGAIN.total_seconds())}"
        started, troubles = 0, list[str]()
        for key in keys:
            try:
                started += self.machines.start(key, bucket)
            except Exception as exc:  # noqa: BLE001  (as above)
                troubles.append(f"{key}: {_words(exc)}")
        return started, troubles

    def _strange(self, work: DueWork) -> str:
        message = f"what is stored at {work.subject} is due, and of no kind that is known here. It is left alone"
        raise_alert(about_run(AlertType.RUN_POISONED, str(work.subject), message, None, self.hands), self.hands)
        return message


def beat(members: Members, now: datetime, *, progress_at: datetime | None) -> None:
    """Show a sign of life, by which the watchdog knows that slots are opened."""
    mine = next((each for each in members.members(WATCHER) if each.name == _NAME), None)
    if mine is None:
        mine = Member(role=WATCHER, name=_NAME, host="aws", pid=0, started="", joined_at=now, until=now, epoch=0)
    progress = mine.progress_at if progress_at is None else progress_at
    # False: another tick was faster, which is as good.
    members.put_member(replace(mine, until=now + BEATS, progress_at=progress, epoch=mine.epoch + 1))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InterlockError) else f"{type(error).__name__}: {error}"
