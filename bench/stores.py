"""Commits and indexes of every store with its real server: SQLite, Redis, Valkey, PostgreSQL, DynamoDB (emulated).

    python -m bench.stores [redis postgres …]
    INTERLOCK_BENCH_ROWS=1000000 python -m bench.stores redis

A commit is an advance: read the run, decide, write it and a line of its journal, durably. Beside it, by turns in
short rounds, the bare driver writes as much in one round trip from as many threads (`bare_drivers`). Rates are those
of the best round, p99 is over all rounds, the ratio is the middle of all rounds; compare no figure with another
machine's, nor with another run's. `least_share` is what the slowest of the threads got done, as a part of its fair
share.

An advance makes two round trips, so that 0.5 is the most it can have where the server or the network is what limits.
One thread comes nearer to 1 where syncs are slow: the commit's takes most of its time, and reading needs none. From
eight threads on the limit is the one interpreter that all of them share. On the machine where this was written an
advance took 90 µs of its time in memory: 70 to decide, to look after the constraints and to code, 20 for the rows.
Redis added 25 for the read and 45 for the commit, and came to 180 in all, since calls that take turns are slower than
the same one again and again; the bare driver took 38, which makes 0.2. With PostgreSQL it was 45 and 90 (30 of each
in psycopg, and the rows as JSON) and 280 in all, against 19 of a prepared statement; its server worked for 160 on a
commit (four indexes, versions compared, nothing prepared) against 30. With DynamoDB botocore alone took 700 for each
call, in the bare driver too. SQLite does all this in our own process; its threads share syncs, which the bare
driver's do not: where they are slow it is the faster one.

Indexes are asked in a store of few runs and in one of many by turns; the ratio is what it costs that there are more.
It says nothing of the emulator, which sorts all of an index for each question.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from statistics import median
from threading import Barrier, Thread
from time import perf_counter
from typing import Final, NamedTuple

from bench.bare_drivers import Trip, Values
from bench.store_sites import EMULATED, KINDS, Site, bare_at, kernel_at, settle, site_of, weight_at
from bench.stored_runs import NOW, fill, kind_of
from tests.servers.base import ServerMissing

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core.events import JobUnseen, TraitEvaluated, TriggerAccepted
from interlock.core.ids import RunKey
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Page
from interlock.stores.repository import Repository
from interlock.stores.rows import encode_body
from interlock.testing.builders import NOON, SECOND, a_result, a_slot, a_spec

THREADS: Final = (1, 8, 32)
ROUNDS: Final = 4
SECONDS: Final = 0.6
RUNS: Final = 2  # of each thread
FEW: Final = 1000
MANY: Final = int(os.environ.get("INTERLOCK_BENCH_ROWS", "50000"))
MOST_EMULATED: Final = 10_000
LOOKS: Final = 60  # and fewer where they take long
LOOKING: Final = 2.0
SPEC: Final = a_spec("source-freshness", "upstream-dependency", "disk-space")
_REAL: Final = tuple(kind for kind in KINDS if kind not in EMULATED)
LIMITS: Final = {f"{kind}_{index}_ratio": 5.0 for kind in _REAL for index in ("due", "listing")}
FLOORS: Final = {
    # One interpreter decides for all threads, while the bare driver's share of it is small: more threads, less of a share.
    **{f"{kind}_ratio_{threads}": 0.1 if threads == 1 else 0.05 for kind in _REAL for threads in THREADS},
    # A thread that gets nothing done while others do is starved: whoever waits for a connection has to have his turn.
    **{f"{kind}_least_share_{threads}": 0.3 for kind in _REAL for threads in THREADS[1:]},
}


class Round(NamedTuple):
    """What some threads did in some time: how long each thing took, by thread."""

    seconds: float
    took: list[list[float]]

    @property
    def per_second(self) -> float:
        return sum(map(len, self.took)) / self.seconds

    @property
    def least_share(self) -> float:
        """What the thread did that came to do least, as a part of what each would have done at the same pace."""
        return min(map(len, self.took)) * len(self.took) / sum(map(len, self.took))


def main(kinds: Sequence[str] = KINDS, many: int = MANY) -> dict[str, float]:
    """Measure, print and return the figures. A store that this machine has no server for is left out."""
    figures: dict[str, float] = {}
    many = max(many, 10 * FEW)
    for kind in kinds:
        try:
            with site_of(kind) as site:
                _commits(figures, site)
            with site_of(kind, durable=False) as site:
                _indexes(figures, site, min(many // 10, MOST_EMULATED) if kind in EMULATED else many)
        except ServerMissing as exc:
            print(f"{kind} is not measured: {exc}")
    for name, figure in figures.items():
        print(f"{name:44} {figure:12,.2f}")
    return figures


# ---------------------------------------------------------------- commits


def _commits(figures: dict[str, float], site: Site) -> None:
    with closing(kernel_at(site, "advances")) as kernel:
        store = Repository(kernel)
        opened: list[list[RunKey]] = [[] for _ in range(max(THREADS))]
        _together(max(THREADS), lambda me: opened[me].extend(_running(store, RUNS * me + n) for n in range(RUNS)))
        values = _values_of(kernel, opened[0][0])
        ours = [_advances(store, mine) for mine in opened]
        for threads in THREADS:
            with bare_at(site, values, threads) as bare:
                _compared(figures, f"{site.label}_{{}}_{threads}", ours[:threads], bare)


def _compared(figures: dict[str, float], name: str, ours: Sequence[Trip], bare: Sequence[Trip]) -> None:
    """Measure the two by turns, so that what else happens on the machine happens to both."""
    for trips in (ours, bare):
        _round(trips, SECONDS / 4)
    rounds = [(_round(ours, SECONDS), _round(bare, SECONDS)) for _ in range(ROUNDS)]
    for what, which in (("advance", 0), ("bare", 1)):
        some = [pair[which] for pair in rounds]
        took = sorted(each for part in some for mine in part.took for each in mine)
        figures[f"{name.format(what)}_per_second"] = max(each.per_second for each in some)
        figures[f"{name.format(what)}_p99_ms"] = 1000 * took[int(len(took) * 0.99)]
    figures[name.format("ratio")] = median(pair[0].per_second / pair[1].per_second for pair in rounds)
    if len(ours) > 1:
        figures[name.format("least_share")] = median(pair[0].least_share for pair in rounds)


def _round(trips: Sequence[Trip], seconds: float) -> Round:
    took: list[list[float]] = [[] for _ in trips]
    ready = Barrier(len(trips))
    began: list[float] = []

    def act(me: int) -> None:
        trip, mine = trips[me], took[me]
        ready.wait()
        now = perf_counter()
        began.append(now)
        end = now + seconds
        while now < end:
            trip()
            now, before = perf_counter(), now
            mine.append(now - before)

    _together(len(trips), act)
    return Round(perf_counter() - min(began), took)


def _together(threads: int, act: Callable[[int], object]) -> None:
    failed: list[BaseException] = []

    def run(me: int) -> None:
        try:
            act(me)
        except BaseException as exc:
            failed.append(exc)
            raise

    workers = [Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]


def _running(store: Repository, number: int) -> RunKey:
    """Open a run and have its job started, so that every look that sees nothing is one change."""
    key = open_run(a_slot(pipeline=f"pipeline-{number:05d}"), SPEC, store, NOON).run.key
    for trait in SPEC.traits:
        advance(key, TraitEvaluated(at=NOON, round=1, result=a_result(trait.name)), store)
    advance(key, TriggerAccepted(at=NOON, attempt=1, job_id="job-1"), store)
    return key


def _advances(store: Repository, mine: Sequence[RunKey]) -> Trip:
    def each() -> Iterator[None]:
        look = 0
        while True:
            fact = JobUnseen(at=NOON + look * SECOND, attempt=1, look=look, reason="no route")
            for key in mine:
                if not advance(key, fact, store).changed:
                    raise AssertionError("nobody else tells this run anything")
                yield
            look += 1

    return each().__next__


def _values_of(kernel: Kernel, key: RunKey) -> Values:
    pk = keys.slot_pk(key.slot)
    run = kernel.get(pk, keys.run_sk(1))
    assert run is not None
    line = kernel.get(pk, keys.journal_sk(key, run.version))
    assert line is not None
    return Values(encode_body(run.body).decode(), encode_body(line.body).decode())


# ---------------------------------------------------------------- indexes


def _indexes(figures: dict[str, float], site: Site, many: int) -> None:
    """Ask a store of few runs and one of many by turns, as the second grows."""
    with closing(kernel_at(site, "few")) as few, closing(kernel_at(site, "many")) as large:
        fill(site, "few", 0, FEW)
        empty, stored, filled = weight_at(site, "many"), 0, 0.0
        for count in sorted({min(100_000, many), many}):
            began = perf_counter()
            fill(site, "many", stored, count)
            settle(site, "many")
            stored, filled = count, filled + perf_counter() - began
            for what, ask in (("due", _ask_due), ("listing", _ask_listing)):
                at_few, at_many = _by_turns(partial(ask, few), partial(ask, large))
                figures[f"{site.label}_{what}_ms_at_{FEW}"] = 1000 * at_few
                figures[f"{site.label}_{what}_ms_at_{count}"] = 1000 * at_many
                figures[f"{site.label}_{what}_ratio"] = at_many / at_few
        weight = weight_at(site, "many")
    print(f"{site.label}: {many:,} runs in {filled:.0f} s")
    if empty is not None and weight is not None:
        figures[f"{site.label}_bytes_per_run"] = (weight - empty) / many


def _ask_due(kernel: Kernel) -> None:
    if len(kernel.due(NOW, 100)) != 100:
        raise AssertionError("a hundred rows and more are due")


def _ask_listing(kernel: Kernel) -> None:
    if len(kernel.listing(kind_of(3), Page(limit=50, backwards=True))) != 50:
        raise AssertionError("each pipeline has a page of runs")


def _by_turns(one: Trip, other: Trip) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = [], []
    end = perf_counter() + LOOKING
    while len(took[0]) < LOOKS and (len(took[0]) < 5 or perf_counter() < end):
        for ask, times in zip((one, other), took, strict=True):
            began = perf_counter()
            ask()
            times.append(perf_counter() - began)
    return median(took[0]), median(took[1])


if __name__ == "__main__":
    unknown = sorted(set(sys.argv[1:]) - set(KINDS))
    if unknown:
        sys.exit(f"no store is named {', '.join(unknown)}: there are {', '.join(KINDS)}")
    main(sys.argv[1:] or KINDS)
