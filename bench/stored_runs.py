"""Filling a store with runs as they lie there for months: half of them wait for a trait, the others have completed.

    python -m bench.stored_runs KIND ADDRESS NAME FIRST LAST

Rows are those of two real runs, under other names and days. They are restored as `interlock store` restores them, by as
many processes as help, since most of the work is ours and not the server's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
from bench.store_sites import Site, kernel_at

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.core.events import TraitEvaluated, TriggerAccepted
from interlock.core.traits import TraitStatus
from interlock.stores import keys
from interlock.stores.kernel import Page, Record, Walkable
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_result, a_slot, a_spec

NOW: Final = datetime(2500, 1, 1, tzinfo=UTC)  # behind every day on which one of the runs was opened
DUE: Final = 300
PIPELINES: Final = 10
PROCESSES: Final = {"redis": 2, "valkey": 2, "postgres": 3, "dynamodb": 2}
_AT_ONCE: Final = 5000  # rows
_NAME: Final = "pipeline-0"
_DAY: Final = "2026-03-07"
_SPEC: Final = a_spec("source-freshness", name=_NAME)


def kind_of(pipeline: int) -> str:
    """Return the listing of a pipeline's runs."""
    return keys.runs_kind(f"pipeline-{pipeline}")


def fill(site: Site, name: str, first: int, last: int) -> None:
    """Write the runs of these numbers, and come back when they are there."""
    helpers = PROCESSES.get(site.kind, 1)
    if helpers == 1 or last - first < 1000:
        _fill(site, name, first, last)
        return
    bounds = [first + (last - first) * part // helpers for part in range(helpers + 1)]
    argv = [sys.executable, "-m", "bench.stored_runs", site.kind, site.address, name]
    root = Path(__file__).resolve().parent.parent
    started = [subprocess.Popen([*argv, str(low), str(high)], cwd=root) for low, high in pairwise(bounds)]
    codes = [process.wait() for process in started]
    assert not any(codes), f"the store {name} could not be filled: {codes}"


def _fill(site: Site, name: str, first: int, last: int) -> None:
    with closing(kernel_at(site, name)) as kernel:
        assert isinstance(kernel, Walkable)
        some: list[Record] = []
        for record in _records(first, last):
            some.append(record)
            if len(some) == _AT_ONCE:
                kernel.restore(some)
                some = []
        if some:
            kernel.restore(some)


def rows_per_run() -> float:
    """Return how many rows a stored run has in the middle."""
    return sum(len(_left_by(completed=completed)) for completed in (False, True)) / 2


def _records(first: int, last: int) -> Iterator[Record]:
    templates = [
        [(record, msgspec.json.encode(record.body).decode()) for record in _left_by(completed=completed)]
        for completed in (False, True)
    ]
    begin, decode = date(1971, 1, 1), msgspec.json.Decoder(dict).decode
    for number in range(first, last):
        day, pipeline = str(begin + timedelta(days=number // PIPELINES)), f"pipeline-{number % PIPELINES}"
        short, old_short = day.replace("-", ""), _DAY.replace("-", "")
        wake_at = NOW - timedelta(hours=1) if number // 2 < DUE else NOW + timedelta(seconds=number)
        # Both kinds of run for each pipeline: neighbours in number are of two pipelines.
        for record, body in templates[number // PIPELINES % 2]:
            yield Record(
                pk=record.pk.replace(_NAME, pipeline).replace(_DAY, day),
                sk=record.sk,
                version=record.version,
                body=decode(body.replace(_NAME, pipeline).replace(_DAY, day)),
                wake_at=record.wake_at and wake_at,
                kind=record.kind and record.kind.replace(_NAME, pipeline),
                rank=record.rank.replace(old_short, short),
            )


def _left_by(*, completed: bool) -> Sequence[Record]:
    kernel = MemoryKernel()
    store = Repository(kernel)
    key = open_run(a_slot(_DAY, pipeline=_NAME), _SPEC, store, NOON).run.key
    status = TraitStatus.PASS if completed else TraitStatus.FAIL
    advance(key, TraitEvaluated(at=NOON, round=1, result=a_result("source-freshness", status)), store)
    if completed:
        advance(key, TriggerAccepted(at=NOON, attempt=1, job_id="job-1"), store)
        complete(key, Report(succeeded=True, attempt=1), store, NOON)
    for command in store.outstanding(key):
        store.settle(key, command.id)
    return kernel.rows(keys.slot_pk(key.slot), "", Page())


if __name__ == "__main__":
    _fill(Site(sys.argv[1], sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:6]))
