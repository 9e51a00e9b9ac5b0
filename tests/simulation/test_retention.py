"""A seeded past: runs end, are run again, watched and reported late, while what is over is removed, and cut short anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from random import Random

import pytest
from tests.lessons.living import DAY, HOUR, Living

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.app.markers import arrive
from interlock.app.notifying import resolve_alert
from interlock.app.reruns import ask_rerun
from interlock.archive.marked import marks_in
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.lifecycle import decide
from interlock.core.periods import Period
from interlock.core.pipelines import MissedPolicy, ScheduleSpec, WatchSpec
from interlock.core.runs import Cause, Run
from interlock.core.traits import TraitStatus
from interlock.errors import Contention, NotFound, StoreUnavailable
from interlock.ports.controls import Marker
from interlock.ports.evaluators import Question
from interlock.ports.triggers import JobState
from interlock.runtime.retention import Retention
from interlock.stores import keys
from interlock.stores.kernel import Change, Delete, Kernel, Page, Put
from interlock.stores.marks import MarkingKernel, is_fact, strike
from interlock.stores.repository import decoded
from interlock.stores.walking import all_rows, walkable
from interlock.testing.builders import NOON, a_slot, a_spec
from interlock.testing.faults import FaultyKernel

SPEC = a_spec(
    schedules=(ScheduleSpec(after=time(6), missed=MissedPolicy.ALL, max_catch_up=5),),
    watch=WatchSpec(interval=3 * HOUR, monitoring=30 * HOUR),
)
HISTORY = 2 * DAY


class Openings(FaultyKernel):
    """Remembers how each run was when it was opened, and that none was opened twice."""

    def __init__(self, real: Kernel) -> None:
        super().__init__(real)
        self.opened: dict[str, Run] = {}

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        done = super().commit(pk, batch)
        for change in batch if done else ():
            if isinstance(change, Put) and change.record.sk.startswith(keys.RUN_PREFIX) and change.record.version == 1:
                run = decoded(change.record, Run)
                assert run.key.run_id not in self.opened, f"{run.key} is opened a second time"
                self.opened[run.key.run_id] = run
        return done


class Copies(Openings):
    """Stands for the archive too: no fact may be removed of which it does not have the latest."""

    def __init__(self, real: Kernel) -> None:
        super().__init__(real)
        self.copied: dict[tuple[str, str], int] = {}
        self._there: dict[tuple[str, str], int] = {}

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        done = super().commit(pk, batch)
        for change in batch if done else ():
            if isinstance(change, Put) and is_fact(change.record):
                self._there[pk, change.record.sk] = change.record.version
            elif isinstance(change, Delete) and (version := self._there.pop((pk, change.sk), 0)):
                assert self.copied.get((pk, change.sk)) == version, f"{change.sk} of {pk} is gone and not archived"
        return done

    def copy(self, dice: Random, often: float) -> None:
        """Archive some of what is marked: copy what a mark names, and strike the mark."""
        for page in marks_in(self, keys.ARCHIVE_KIND, 7):
            for mark in page.marks:
                if dice.random() < often:
                    for name in mark.names:
                        found = self.get(mark.pk, name)
                        assert found is not None, f"{name} of {mark.pk} was removed before it was copied"
                        self.copied[mark.pk, name] = found.version
                    strike(self, mark.pk, [mark.sk])


class Story:
    """One seed. Whatever the retention does with the store, somebody else may do something in the middle of it.

    `marked`: there is an archive, which is behind now and then.
    """

    def __init__(self, seed: int, kernel: Kernel | None = None, *, marked: bool = False) -> None:
        self.dice = Random(seed)
        self.living = Living(SPEC, at=NOON - 12 * DAY, ask=self._ask)
        real = kernel or self.living.kernel.real
        self.openings = Copies(real) if marked else Openings(real)
        self.living.kernel.real = MarkingKernel(self.openings, self.living.clock.now) if marked else self.openings
        self.marked = marked
        self.living.ends_with = lambda _key: JobState.FAILED if self.dice.random() < 0.2 else JobState.SUCCEEDED
        self.living.plan()
        self.busy = False

    def _ask(self, _question: Question, _at: datetime) -> TraitStatus:
        return TraitStatus.FAIL if self.dice.random() < 0.1 else TraitStatus.PASS

    def play(self, turns: int = 24) -> Story:
        for _ in range(turns):
            self.living.on(self.dice.choice((3, 6, 12, 18)) * HOUR)
            if self.dice.random() < 0.3:
                self.living.restart()
            self._somebody()
            self._copy(0.7)
            self._retire()
            self._check()
        return self._settle()

    def _retire(self, *, chaos: bool = True) -> None:
        faulty = FaultyKernel(self.openings)
        if chaos:
            faulty.before = faulty.after = self._seam
        hands = self.living.hands
        turn = Retention(faulty, lambda: hands, HISTORY, marked=self.marked, names=lambda: [SPEC.name])
        alive = {key: self.living.store.run(key) for key in self.living.store.active_runs(limit=99)}
        with suppress(StoreUnavailable):
            turn.turn()
        for key, run in alive.items():
            assert run is not None
            now = self.living.store.run(key)
            assert now is not None, f"{key} had not ended, and is gone"
            assert now.version >= run.version

    def _copy(self, often: float) -> None:
        if isinstance(self.openings, Copies):
            self.openings.copy(self.dice, often)

    def _seam(self, _call: int) -> None:
        if self.busy:
            return
        if self.dice.random() < 0.04:
            self.busy = True
            try:
                self._somebody()
                self._copy(0.2)
            finally:
                self.busy = False
        if self.dice.random() < 0.01:
            raise StoreUnavailable("cut short")

    def _somebody(self) -> None:
        """Somebody does something about one of the slots of these days, whether it is still there or not."""
        living, dice, now = self.living, self.dice, self.living.clock.now()
        slot = a_slot(str(Period.of_day((now - timedelta(days=dice.randint(0, 9))).date())))
        key = RunKey(slot, dice.randint(1, 3))
        act = dice.choice(("run", "rerun", "late", "marker", "cancel", "alerts"))
        try:
            if act == "run":
                open_run(slot, SPEC, living.store, now)
            elif act == "rerun":
                ask_rerun(key, Cause.RERUN, "again", living.hands)
            elif act == "late":
                complete(key, Report(succeeded=dice.random() < 0.5, attempt=1), living.store, now)
            elif act == "marker":
                arrive(Marker(slot=slot, source="landed", at=now), living.hands)
            elif act == "cancel":
                advance(key, CancelAsked(at=now, actor="ann", reason="no"), living.store)
            else:
                for record in living.hands.dispatches.alerts(limit=99, open_only=True):
                    resolve_alert(record.alert.alert_id, "seen", now, living.hands)
        except (NotFound, Contention):
            return

    def _check(self) -> None:
        doubled = [key for key, jobs in self.living.trigger.jobs.items() if len(jobs) > 1]
        assert doubled == [], "started twice"
        for run in self.living.runs():
            self._refold(run)

    def _refold(self, run: Run) -> None:
        first, *rest = self.living.store.journal(run.key)
        assert first.fact is None
        folded = self.openings.opened[run.key.run_id]
        for entry in rest:
            assert entry.fact is not None
            folded = decide(folded, entry.fact, self.living.store.spec(folded.spec_digest)).run
        assert folded == run, "the journal does not give the run"

    def _settle(self) -> Story:
        self.dice.seed(0)
        self.living.ends_with = lambda _key: JobState.SUCCEEDED
        self.living.world.ask = lambda _question, _at: TraitStatus.PASS
        for _ in range(6):
            self.living.on(DAY)
            for record in self.living.hands.dispatches.alerts(limit=99, open_only=True):
                resolve_alert(record.alert.alert_id, "seen", self.living.clock.now(), self.living.hands)
            self._copy(1.0)
            self._retire(chaos=False)
        kernel = self.openings.real
        young = {run.key.slot for run in self.living.runs()}
        for run in self.living.runs():
            self._refold(run)
        for pk in {row.pk for row in all_rows(walkable(kernel))}:
            names = [row.sk for row in kernel.rows(pk, "", Page())]
            if pk.startswith("slot/") and pk not in map(keys.slot_pk, young) and keys.EXPECTED_SK not in names:
                assert names in ([], [keys.RETIRED_SK]), f"{pk} is half there: {names}"
        assert kernel.listing(keys.CLEARING_KIND, Page()) == []
        assert len(young) < 8
        return self


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_in_the_middle_slots_are_whole_or_gone(seed: int) -> None:
    """T-09, T-52, T-60. Every third with an archive: nothing goes that is not in it."""
    story = Story(seed, marked=seed % 3 == 0).play()
    assert len(story.openings.opened) >= 15
