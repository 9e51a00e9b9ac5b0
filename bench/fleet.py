"""What a fleet costs: many slots due in one minute, many more stored that are not, and how soon news leads to a start.

    python -m bench.fleet [PIPELINES]

Real SQLite, the real watcher with its lanes; evaluators and jobs are functions of this process, so that what is measured is
Interlock. A decision is one committed change of a run. Stored pipelines that are not due are written straight into the
store.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from math import inf
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.app.callbacks import Report, complete
from interlock.app.hands import Hands
from interlock.app.markers import nudge
from interlock.app.planning import plan
from interlock.codec import wire
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.core.traits import TraitStatus
from interlock.ports.agendas import Agenda
from interlock.ports.evaluators import Answer, Question
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.runtime.bell import Bell
from interlock.runtime.clock import SystemClock
from interlock.runtime.lanes import lanes_of
from interlock.runtime.leases import Lease
from interlock.runtime.pool import Pool
from interlock.runtime.station import Station
from interlock.runtime.watcher import Watcher
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import Files, a_hand, a_spec, a_trait

DUE: Final = 500
STORED: Final = (1_000, 10_000, 100_000)
ROUNDS: Final = 3
IDLE_TURNS: Final = 200
PUSHES: Final = 100
WORKERS: Final = 16
LIMITS: Final = {
    "idle_turn_100000_to_1000_stored": 1.2,
    "cpu_per_slot_100000_to_1000_stored": 1.2,
    "cpu_per_slot_1000_to_500_due": 1.2,
}


class Everywhere:
    """Every evaluator and every job of the fleet: checks pass (unless shut), jobs end well the moment they start."""

    repeatable = True
    watchable = True

    def __init__(self, store: Repository, *, ends: bool = True) -> None:
        self.store = store
        self.ends = ends
        self.shut = False
        self.started: dict[str, float] = {}
        self.begun = threading.Condition()

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        return Answer(status=TraitStatus.FAIL if self.shut else TraitStatus.PASS)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        with self.begun:
            self.started[job.run.slot.pipeline] = perf_counter()
            self.begun.notify_all()
        if self.ends:
            complete(job.run, Report(succeeded=True, attempt=job.attempt), self.store, SystemClock().now())
        return JobHandle(id="here")

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        return Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        return JobReport(state=JobState.RUNNING)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        return


class Yard(NamedTuple):
    """A store, a fleet, and a watcher for it."""

    hands: Hands
    world: Everywhere
    watcher: Watcher
    bell: Bell
    kernel: SqliteKernel


@contextmanager
def yard(folder: Path, specs: list[PipelineSpec], *, stored: int = 0, shut: bool = False) -> Iterator[Yard]:
    """Put one up: these pipelines are due now, so many others are stored and are not."""
    with closing(SqliteKernel(folder / "fleet.db")) as kernel, Bell() as bell:
        store = Repository(kernel)
        world = Everywhere(store)
        world.shut = shut
        catalog = Files(*specs)
        hands = a_hand(store, clock=SystemClock(), evaluator=world, trigger=world, catalog=catalog)
        pool = Pool()
        hands = hands._replace(together=pool)
        _store_idle(folder / "fleet.db", stored, store)
        plan(catalog.specs, hands, known={})
        station = Station(hands, lanes_of(WORKERS), poke=bell.poke, news=lambda _line: None)
        watcher = Watcher(station, Lease(hands.members))
        try:
            yield Yard(hands, world, watcher, bell, kernel)
        finally:
            watcher.drain(timedelta(seconds=30), lambda: None)
            pool.close()


def _specs(count: int) -> list[PipelineSpec]:
    traits = tuple(a_trait(name, ttl=timedelta(minutes=10)) for name in ("freshness", "upstream", "capacity"))
    return [replace(a_spec(*traits), name=PipelineName(f"due-{number:06d}")) for number in range(count)]


def _store_idle(path: Path, count: int, store: Repository) -> None:
    """Write agendas that are due tomorrow, in one transaction: a day's idling must not be paid for with a day's setup."""
    from interlock.stores.agendas import AgendaRows
    from interlock.stores.rows import row_of

    if not count:
        return
    now = SystemClock().now()
    agendas = AgendaRows(store.kernel)
    first = Agenda(
        pipeline=PipelineName("idle-000000"),
        schedule=DEFAULT_SCHEDULE,
        spec_digest=store.put_spec(a_spec()),
        opened_to=now,
        next_at=now + timedelta(days=1),
    )
    assert agendas.put_agenda(first)
    from interlock.stores import keys
    from interlock.stores.kernel import Page

    templates = store.kernel.rows(keys.pipeline_pk(first.pipeline), "", Page())
    with closing(sqlite3.connect(path)) as database, database:
        for number in range(1, count):
            name = f"idle-{number:06d}"
            for record in templates:
                body = wire.to_json(record.body).decode().replace(first.pipeline, name)
                row = row_of(
                    replace(
                        record,
                        pk=record.pk.replace(first.pipeline, name),
                        body=wire.from_json(body, dict),
                        rank=record.rank.replace(first.pipeline, name),
                    )
                )
                marks = ", ".join("?" * len(row))
                database.execute(
                    f"INSERT INTO records ({', '.join(row._fields)}) VALUES ({marks})",
                    (*row[:3], row.body.decode(), *row[4:]),
                )


class Played(NamedTuple):
    """What working a fleet off took."""

    seconds: float
    cpu: float
    decisions: int


def play(here: Yard, slots: int) -> Played:
    """Work until every due slot has completed."""
    began, cpu = perf_counter(), process_time()
    while len(here.world.started) < slots or not here.watcher.idle:
        following = here.watcher.turn()
        if len(here.world.started) < slots or not here.watcher.idle:
            here.bell.wait(following - here.hands.clock.now())
    seconds, spent = perf_counter() - began, process_time() - cpu
    runs = [
        here.hands.store.runs_of(f"due-{number:06d}", limit=1)[0] for number in range(0, slots, max(1, slots // 50))
    ]
    assert all(run.ended for run in runs)
    return Played(seconds, spent, round(sum(run.version for run in runs) / len(runs) * slots))


def _idle_turn(here: Yard) -> float:
    for _ in range(5):
        here.watcher.turn()
    began = process_time()
    for _ in range(IDLE_TURNS):
        here.watcher.turn()
    return (process_time() - began) / IDLE_TURNS


def main(pipelines: int = 10_000) -> dict[str, float]:
    """Measure, print a small table, return the figures."""
    figures: dict[str, float] = {}
    _scale(figures)
    with tempfile.TemporaryDirectory() as folder, yard(Path(folder), _specs(pipelines)) as here:
        played = play(here, pipelines)
    figures["slots_in_one_minute"] = pipelines
    figures["seconds_to_work_them_off"] = played.seconds
    figures["decisions_per_second"] = played.decisions / played.seconds
    figures["cpu_milliseconds_per_slot"] = 1000 * played.cpu / pipelines
    figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures |= _latency()
    for name, figure in figures.items():
        print(f"{name:40} {figure:12,.2f}")
    return figures


def _scale(figures: dict[str, float]) -> None:
    idle: dict[int, float] = {}
    due: dict[tuple[int, int], float] = {}
    # In turns, and the least of each: what else the machine did meanwhile is no cost of ours.
    for stored, slots in (*((count, DUE) for count in STORED), (STORED[0], 2 * DUE)) * ROUNDS:
        with tempfile.TemporaryDirectory() as folder, yard(Path(folder), _specs(slots), stored=stored) as here:
            due[stored, slots] = min(play(here, slots).cpu / slots, due.get((stored, slots), inf))
            idle[stored] = min(_idle_turn(here), idle.get(stored, inf))
    for stored in STORED:
        figures[f"idle_turn_microseconds_{stored}_stored"] = 1e6 * idle[stored]
    least, most = STORED[0], STORED[-1]
    figures[f"idle_turn_{most}_to_{least}_stored"] = idle[most] / idle[least]
    figures[f"cpu_per_slot_{most}_to_{least}_stored"] = due[most, DUE] / due[least, DUE]
    figures[f"cpu_per_slot_{2 * DUE}_to_{DUE}_due"] = due[least, 2 * DUE] / due[least, DUE]


def _latency() -> dict[str, float]:
    """Push one trait after another, and take the time until its job is started."""
    with tempfile.TemporaryDirectory() as folder, yard(Path(folder), _specs(PUSHES), shut=True) as here:
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                following = here.watcher.turn()
                here.bell.wait(following - here.hands.clock.now())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            _until_all_wait(here)
            here.world.shut = False
            took = sorted(_pushed(here, f"due-{number:06d}") for number in range(PUSHES))
        finally:
            stop.set()
            here.bell.poke()
            thread.join()
    return {
        "push_to_start_milliseconds_p50": 1000 * took[len(took) // 2],
        "push_to_start_milliseconds_p99": 1000 * took[int(len(took) * 0.99)],
    }


def _until_all_wait(here: Yard) -> None:
    deadline = perf_counter() + 60
    while perf_counter() < deadline:
        runs = [here.hands.store.runs_of(f"due-{number:06d}", limit=1) for number in range(PUSHES)]
        if all(found and found[0].readiness is not None for found in runs):
            return
        threading.Event().wait(0.05)
    raise AssertionError("the fleet never came to wait")


def _pushed(here: Yard, name: str) -> float:
    began = perf_counter()
    nudge(PipelineName(name), "push", here.hands.clock.now(), here.hands)
    here.bell.poke()
    with here.world.begun:
        assert here.world.begun.wait_for(lambda: name in here.world.started, timeout=20), name
    return here.world.started[name] - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
