"""Removing history that is over, a little at a time: round after round through everything that grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from interlock.app.hands import Hands
from interlock.app.needs import Needs
from interlock.clients.processes import SupervisedJobs
from interlock.core.ids import PipelineName, Slot
from interlock.errors import StoreUnavailable, UnreadableRecord
from interlock.runtime.keyed import key_in
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock, state_dir
from interlock.stores import keys
from interlock.stores.identity import name_of
from interlock.stores.kernel import Kernel
from interlock.stores.leftovers import forget_alerts, forget_evaluations, forget_lines, forget_told
from interlock.stores.marks import archive_position, everything_archived
from interlock.stores.retiring import Step, Terms, clear, clearing, retire, retired_pipelines, slots_over

BUDGET: Final = timedelta(seconds=10)
"""For how long at a time history is removed; what is left waits for the next time."""

_PAGE: Final = 100

Walk = Callable[[str | None], Step]


class Retention:
    """Removes what is over of one store. It goes on where it was; a process that comes to it anew begins at the oldest.

    `history` is for how long anything is kept after its end. `marked`: what is not archived is kept. `names` are the
    pipelines of the files, `jobs` where the output of jobs lies on this machine.
    """

    def __init__(
        self,
        kernel: Kernel,
        hands: Callable[[], Hands],
        history: timedelta,
        *,
        marked: bool,
        names: Callable[[], list[PipelineName]],
        jobs: SupervisedJobs | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._kernel = kernel
        self._hands = hands
        self._history = history
        self._marked = marked
        self._names = names
        self._jobs = jobs
        self._stopping = stopping
        self._round: Iterator[int] | None = None
        self._needs = Needs(hands())
        self.unreadable = ""

    def turn(self) -> int:
        """Go on for a while, to the end of a round at most; return how many slots were removed.

        Raises:
            StoreUnavailable: the store does not answer; the next turn begins a new round.
        """
        clock = self._hands().clock
        until, removed = clock.now() + BUDGET, 0
        self._needs = Needs(self._hands())
        if self._round is None:
            self.unreadable = ""
            self._round = self._steps()
        try:
            for found in self._round:
                removed += found
                if self._stopping() or clock.now() >= until:
                    return removed
        except BaseException:
            self._round = None
            raise
        self._round = None
        return removed

    def _terms(self) -> Terms:
        return Terms(self._hands().clock.now() - self._history, self._marked)

    def _steps(self) -> Iterator[int]:
        """Yield how many slots were removed after each bounded step of one round."""
        for slot in clearing(self._kernel, limit=_PAGE):
            self._guarded(partial(clear, self._kernel, slot, self._terms()))
            yield 0
        for listing in (keys.ENDED_KIND, keys.expectations_kind(None)):
            yield from self._slots(listing)
        yield from self._walked(lambda after: forget_alerts(self._kernel, self._terms(), limit=_PAGE, after=after))
        for name in sorted({*self._names(), *retired_pipelines(self._kernel)}):
            yield from self._leftovers(name)

    def _slots(self, listing: str) -> Iterator[int]:
        after, more = None, True
        while more:
            terms = self._terms()
            try:
                slots, after = slots_over(self._kernel, listing, terms, limit=_PAGE, after=after)
            except UnreadableRecord as exc:
                after = self._behind(exc)
                slots = []
            for slot in slots:
                yield int(self._guarded(partial(self._retired, slot, terms)))
            more = after is not None
            yield 0

    def _retired(self, slot: Slot, terms: Terms) -> bool:
        if self._needs.slot(slot):
            return False
        store = name_of(self._kernel)
        gone = retire(self._kernel, slot, terms)
        for key in gone or ():
            if self._jobs is not None:
                self._jobs.forget(key_in(store, key))
        return gone is not None

    def _leftovers(self, name: PipelineName) -> Iterator[int]:
        kernel = self._kernel
        yield from self._walked(lambda after: forget_lines(kernel, name, self._terms(), limit=_PAGE, after=after))
        yield from self._walked(lambda after: forget_evaluations(kernel, name, self._terms(), limit=_PAGE, after=after))
        yield from self._walked(
            lambda after: forget_told(
                kernel,
                name,
                self._terms(),
                lambda period: self._needs.period(name, period),
                limit=_PAGE,
                after=after,
            )
        )

    def _walked(self, walk: Walk) -> Iterator[int]:
        after, more = None, True
        while more:
            try:
                after = walk(after).after
            except UnreadableRecord as exc:
                after = self._behind(exc)
            more = after is not None
            yield 0

    def _guarded(self, do: Callable[[], bool]) -> bool:
        """Do something about one slot. What cannot be read stays as it is, and keeps nothing else from being removed."""
        try:
            return do()
        except StoreUnavailable:
            raise
        except UnreadableRecord as exc:
            self.unreadable = str(exc)
            return False

    def _behind(self, exc: UnreadableRecord) -> str | None:
        """Return where to go on behind a row that cannot be read; None when it does not say where it is."""
        self.unreadable = str(exc)
        return exc.cursor or None


class Retiring:
    """Removes history that is over, and says what was removed. What cannot be read is told of once."""

    def __init__(self, work: Interlock, station: Station, history: timedelta) -> None:
        project = work.project
        self._work = work
        self._station = station
        self._told = ""
        self._retention = Retention(
            work.kernel,
            lambda: station.hands,
            history,
            marked=project.settings.archiver.enabled,
            names=lambda: list(work.catalog.specs),
            jobs=SupervisedJobs(state_dir(project) / "jobs", root=project.root),
            stopping=lambda: station.stopping,
        )

    def do(self) -> None:
        """Go on for a while. With the archive on nothing is removed before everything that was there is archived."""
        if self._work.project.settings.archiver.enabled and not everything_archived(self._work.kernel):
            return
        removed = self._retention.turn()
        if removed:
            self._station.news(f"retired {removed} slot{'s' if removed > 1 else ''}: their history is over")
        trouble = self._retention.unreadable
        if trouble and trouble != self._told:
            self._station.news(f"trouble retire: {trouble}. It stays, and so does what belongs to it")
        self._told = trouble


def purge(work: Interlock, limit: int) -> int:
    """Remove up to `limit` rows that have expired, and with the archive on none that expired after what it has copied."""
    until = work.clock.now()
    if work.project.settings.archiver.enabled:
        until = min(until, archive_position(work.kernel) or until)
    return work.kernel.purge(until, limit)
