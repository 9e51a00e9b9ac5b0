"""What it costs to tell a run a fact: decisions in memory, commits on disk, and what an idle run weighs.

    python bench/advance.py [DIRECTORY]

The yardstick for SQLite is one thread that commits the same two rows one after another, each commit with a sync of its
own, and decides nothing. Where a sync is slow the threads share syncs and win; where it costs nothing they only share the
interpreter. So it is measured twice: on the disk as it is, and with every sync slowed down by 5 ms (`slow_sync.c`, where
there is a C compiler). Name a directory on the disk to be measured; the default is the system's temporary directory, which
may be in memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from time import perf_counter

from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core.events import JobUnseen, TraitEvaluated, TriggerAccepted
from interlock.core.ids import RunKey
from interlock.core.lifecycle import decide
from interlock.core.runs import RunStatus
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import NOON, SECOND, a_result, a_slot, a_spec

SECONDS = 1.5
THREADS = 16
RUNS = 2_000
SPEC = a_spec("source-freshness", "upstream-dependency", "disk-space")
FLOORS = {"ratio_of_16_threads_to_bare_commits": 0.2, "ratio_with_slow_syncs": 5.0}
LIMITS = {"bytes_per_idle_run_in_memory": 4096.0, "bytes_per_idle_run_on_disk": 4096.0}
SLOW_SYNC = Path(__file__).with_name("slow_sync.c")


def main(directory: Path | None = None, seconds: float = SECONDS) -> dict[str, float]:
    """Measure, print a small table, return the figures."""
    figures = {"decisions_per_second": _decisions(seconds)}
    with closing(MemoryKernel()) as kernel:
        figures["advances_per_second_in_memory"] = _rate(kernel, 1, seconds)
    figures["bytes_per_idle_run_in_memory"] = _bytes_in_memory()
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        with closing(SqliteKernel(Path(folder) / "one.db")) as kernel:
            figures["advances_per_second_1_thread"] = _rate(kernel, 1, seconds)
        many, bare = many_and_bare(Path(folder), seconds)
        figures["advances_per_second_16_threads"] = many
        figures["bare_commits_per_second"] = bare
        figures["ratio_of_16_threads_to_bare_commits"] = many / bare
        figures |= _with_slow_syncs(Path(folder), seconds)
        figures["bytes_per_idle_run_on_disk"] = _bytes_on_disk(Path(folder) / "idle.db")
    for name, figure in figures.items():
        print(f"{name:36} {figure:12,.2f}")
    return figures


def many_and_bare(folder: Path, seconds: float = SECONDS) -> tuple[float, float]:
    """Return advances per second of 16 threads, and the yardstick."""
    with closing(SqliteKernel(folder / "many.db")) as kernel:
        many = _rate(kernel, THREADS, seconds)
    with closing(SqliteKernel(folder / "bare.db")) as kernel:
        return many, _bare(kernel, seconds)


def _with_slow_syncs(folder: Path, seconds: float) -> dict[str, float]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        print("no C compiler: slow syncs are not measured")
        return {}
    slow, library = folder / "slow", folder / "slow_sync.so"
    slow.mkdir()
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SLOW_SYNC), "-ldl"], check=True)
    code = "import sys; from pathlib import Path; from bench.advance import many_and_bare; "
    code += "print(*many_and_bare(Path(sys.argv[1]), float(sys.argv[2])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(slow), str(seconds)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=SLOW_SYNC.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    many, bare = map(float, done.stdout.split())
    return {
        "advances_per_second_slow_sync": many,
        "bare_commits_per_second_slow_sync": bare,
        "ratio_with_slow_syncs": many / bare,
    }


def _running(store: Repository, number: int) -> RunKey:
    """Open one run and have its job started, so that every look that sees nothing is one change."""
    key = open_run(a_slot(pipeline=f"pipeline-{number:05d}"), SPEC, store, NOON).run.key
    for trait in SPEC.traits:
        advance(key, TraitEvaluated(at=NOON, round=1, result=a_result(trait.name)), store)
    advance(key, TriggerAccepted(at=NOON, attempt=1, job_id="job-1"), store)
    return key


def _decisions(seconds: float) -> float:
    store = Repository(MemoryKernel())
    run = store.run(_running(store, 0))
    if run is None or run.status is not RunStatus.RUNNING:
        raise AssertionError("the job must be running")
    end, begun, done = perf_counter() + seconds, perf_counter(), 0
    while perf_counter() < end:
        run = decide(run, JobUnseen(at=NOON, attempt=1, look=done, reason="no route"), SPEC).run
        done += 1
    if run.looks != done:
        raise AssertionError("every look must have counted")
    return done / (perf_counter() - begun)


def _rate(kernel: Kernel, threads: int, seconds: float) -> float:
    store = Repository(kernel)
    keys = [_running(store, number) for number in range(threads)]
    done: list[int] = []
    begun = perf_counter()
    _together(threads, lambda me: done.append(_advance_until(store, keys[me], begun + seconds)))
    return sum(done) / (perf_counter() - begun)


def _bare(kernel: Kernel, seconds: float) -> float:
    """Commit what one advance commits, the run and its journal line, without reading or deciding anything."""
    store = Repository(kernel)
    key = _running(store, 0)
    pk = keys.slot_pk(key.slot)
    run = kernel.get(pk, keys.run_sk(1))
    line = kernel.get(pk, keys.journal_sk(key, 1))
    if run is None or line is None:
        raise AssertionError("the run must be there")
    begun, done = perf_counter(), 0
    while perf_counter() < begun + seconds:
        done += 1
        entry = replace(line, sk=keys.journal_sk(key, 1000 + done))
        if not kernel.commit(pk, [Put(replace(run, version=run.version + done)), Put(entry)]):
            raise AssertionError("nobody else writes here")
    return done / (perf_counter() - begun)


def _advance_until(store: Repository, key: RunKey, end: float) -> int:
    look = 0
    while perf_counter() < end:
        fact = JobUnseen(at=NOON + look * SECOND, attempt=1, look=look, reason="no route")
        if not advance(key, fact, store).changed:
            raise AssertionError("nobody else tells this run anything")
        look += 1
    return look


def _together(threads: int, act: Callable[[int], object]) -> None:
    workers = [Thread(target=act, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _bytes_in_memory() -> float:
    store = Repository(MemoryKernel())
    store.put_spec(SPEC)
    tracemalloc.start()
    try:
        _fill(store)
        return tracemalloc.get_traced_memory()[0] / RUNS
    finally:
        tracemalloc.stop()


def _bytes_on_disk(path: Path) -> float:
    with closing(SqliteKernel(path)) as kernel:
        _together(THREADS, lambda me: _fill(Repository(kernel), me))
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / RUNS


def _fill(store: Repository, part: int | None = None) -> None:
    numbers = range(RUNS) if part is None else range(part, RUNS, THREADS)
    for number in numbers:
        open_run(a_slot(pipeline=f"pipeline-{number:05d}"), SPEC, store, NOON)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
