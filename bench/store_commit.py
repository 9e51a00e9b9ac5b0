"""Commits of the SQLite store: how much sixteen threads gain by sharing syncs, and what a small row costs on disk.

    python bench/store_commit.py [DIRECTORY]

Figures of one run compare with each other, not with another machine's: the ratio is what to watch. Name a directory on
the disk to be measured; the default is the system's temporary directory, which may be in memory.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from time import perf_counter

from interlock.stores.kernel import MAX_BATCH, Put, Record
from interlock.stores.sqlite.kernel import SqliteKernel

SECONDS = 2.0
THREADS = 16
ROWS = 10_000


def main(directory: Path | None = None, seconds: float = SECONDS) -> dict[str, float]:
    """Measure, print a small table, return the figures."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        figures = {
            "commits_per_second_1_thread": _rate(Path(folder) / "one.db", 1, seconds),
            "commits_per_second_16_threads": _rate(Path(folder) / "many.db", THREADS, seconds),
            "bytes_per_row": _bytes_per_row(Path(folder) / "rows.db"),
            "open_and_read_ms": _open_and_read(Path(folder) / "rows.db"),
        }
    alone = figures["commits_per_second_1_thread"]
    figures["gain_of_16_threads"] = figures["commits_per_second_16_threads"] / alone
    for name, figure in figures.items():
        print(f"{name:32} {figure:12,.2f}")
    return figures


def _rate(path: Path, threads: int, seconds: float) -> float:
    with closing(SqliteKernel(path)) as kernel:
        done: list[int] = []
        begun = perf_counter()
        _together(threads, lambda me: done.append(_commit_until(kernel, f"p{me}", begun + seconds)))
        return sum(done) / (perf_counter() - begun)


def _commit_until(kernel: SqliteKernel, pk: str, end: float) -> int:
    number = 0
    while perf_counter() < end:
        if not kernel.commit(pk, [Put(_small(pk, number))]):
            raise AssertionError("nobody else writes here")
        number += 1
    return number


def _together(threads: int, act: Callable[[int], object]) -> None:
    started = [Thread(target=act, args=(me,)) for me in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def _bytes_per_row(path: Path) -> float:
    with closing(SqliteKernel(path)) as kernel:
        for start in range(0, ROWS, MAX_BATCH):
            pk = f"pipeline-{start}"
            kernel.commit(pk, [Put(_small(pk, start + number)) for number in range(MAX_BATCH)])
    return path.stat().st_size / ROWS


def _open_and_read(path: Path) -> float:
    begun = perf_counter()
    with closing(SqliteKernel(path)) as kernel:
        kernel.get("pipeline-0", "ROW#00000001")
    return (perf_counter() - begun) * 1000


def _small(pk: str, number: int) -> Record:
    body = {"status": "COMPLETED", "attempt": 1, "reason": "all required traits pass"}
    return Record(pk=pk, sk=f"ROW#{number:08}", version=1, body=body, kind="run", rank=f"{number:08}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
