"""One writer for many threads: whoever comes first writes for all who wait, and one sync to disk serves them all.

A caller queues its work. If nobody is writing it leads: it takes the lock, performs everything that is queued in one
transaction, and answers all of them. While it waits for the disk the others queue up, and the next of them leads. So
a lone caller pays for no thread switch, and sixteen callers share their syncs.

Measured against a thread of its own: as fast with sixteen callers, a fifth faster with one; and there is no thread to
start in a short command, to lose in a fork or to leak.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Final, TypeAlias

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.sqlite.errors import translated
from interlock.stores.sqlite.files import StoreFile

Work: TypeAlias = Callable[[sqlite3.Connection], int]

WAL_LIMIT: Final = 16 * 2**20  # bytes; SQLite itself starts to empty the log at a quarter of this
_TEND_EVERY: Final = 64  # transactions between two looks at the size of the log
_TEND_PATIENCE: Final = 100  # milliseconds to wait for readers, while others wait to write
_GRACE: Final = 30.0  # seconds beyond the busy timeout after which a waiter gives up
_HEAL: Final = 0.5  # seconds after which a waiter looks for himself, should he ever not be woken


class _Job:
    """Work, and its answer once there is one."""

    __slots__ = ("answer", "bell", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.answer: int | StoreError | None = None
        self.bell: SimpleQueue[None] = SimpleQueue()


class GroupWriter:
    """The only connection of a kernel which writes. Opened by the first work, used by one thread at a time."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._queue: deque[_Job] = deque()
        self._taken: list[_Job] = []  # by whoever leads, until each has an answer
        self._lead = Lock()
        self._db: sqlite3.Connection | None = None
        self._transactions = 0
        self._accepting = True
        self._closed = False

    def perform(self, work: Work) -> int:
        """Do some work in a transaction which may hold others' work too; return its answer once that is durable.

        Work that raises has no part in what is committed.

        Raises:
            StoreUnavailable: it may or may not have happened.
            StoreError: it did not happen, and trying again would not help.
        """
        if not self._accepting:
            raise self._gone()
        job = _Job(work)
        self._queue.append(job)
        try:
            answer = self._answer_to(job)
        finally:
            if job.answer is None:  # given up: it must not happen minutes later, with the next work that comes
                with suppress(ValueError):
                    self._queue.remove(job)
                self._wake_next()
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def close(self) -> None:
        """Finish what was accepted, then let go of the file."""
        self._accepting = False
        if self._lead.acquire(timeout=self._file.busy_timeout + _GRACE):
            try:
                self._perform_queued()
                self._closed = True
                self._drop_connection()
            finally:
                self._lead.release()
        self._wake_next()

    def _answer_to(self, job: _Job) -> int | StoreError:
        deadline = monotonic() + self._file.busy_timeout + _GRACE
        while job.answer is None:
            if self._lead.acquire(blocking=False):
                self._lead_once()
                continue
            with suppress(Empty):
                job.bell.get(timeout=_HEAL)
            if monotonic() > deadline:
                break
        return self._gone() if job.answer is None else job.answer

    def _lead_once(self) -> None:
        try:
            self._perform_queued()
        finally:
            self._lead.release()
            self._wake_next()

    def _wake_next(self) -> None:
        # After the lock is free, never before: a waiter queues first and tries the lock second, so one of us sees him.
        with suppress(IndexError):
            self._queue[0].bell.put(None)

    def _perform_queued(self) -> None:
        self._settle()  # what a leader left behind who was interrupted even while tidying up
        try:
            if self._queue and not self._closed:
                db = self._connection()
                self._file.refuse_moved()
                db.execute("BEGIN IMMEDIATE")
                self._file.refuse_newer(db)
                self._take_all()
                self._perform_together(db, self._taken)
        except (sqlite3.Error, StoreError) as exc:
            # Either the commit failed, for all in it; or the lock could not be had, and nobody who waits fares better.
            self._end_transaction()
            if not self._taken:
                self._take_all()
            self._fail(self._taken, exc)
        finally:
            if self._closed:
                self._take_all()
            self._settle()
        self._tend_log()

    def _take_all(self) -> None:
        # Taken first and removed second: interrupted in between, a job is in both places, never in none.
        while self._queue:
            job = self._queue[0]
            if job.answer is None:
                self._taken.append(job)
            self._queue.popleft()

    def _settle(self) -> None:
        self._end_transaction()
        for job in self._taken:
            if job.answer is None:
                _answer(job, self._gone())
        self._taken.clear()

    def _perform_together(self, db: sqlite3.Connection, jobs: list[_Job]) -> None:
        try:
            answers = [job.work(db) for job in jobs]
        except (sqlite3.Error, OverflowError) as exc:
            self._end_transaction()
            if len(jobs) == 1:
                self._fail(jobs, exc)
            else:
                self._perform_apart(jobs)
            return
        db.execute("COMMIT")
        self._transactions += 1
        for job, answer in zip(jobs, answers, strict=True):
            _answer(job, answer)

    def _perform_apart(self, jobs: list[_Job]) -> None:
        """One of them failed and took the transaction with it. Nobody pays for another's trouble: one by one."""
        for job in jobs:
            try:
                db = self._connection()
                db.execute("BEGIN IMMEDIATE")
                self._perform_together(db, [job])
            except sqlite3.Error as exc:
                self._fail([job], exc)
                self._end_transaction()

    def _fail(self, jobs: list[_Job], why: Exception) -> None:
        for job in jobs:
            if job.answer is None:
                error = type(why)(*why.args) if isinstance(why, StoreError) else None
                _answer(job, error or translated(why, self._file.path, "write"))

    def _gone(self) -> StoreUnavailable:
        if self._accepting:
            return StoreUnavailable(
                f"cannot write the store {self._file.path}: the thread that writes for all was interrupted or hangs. "
                "The write may or may not have happened: read again"
            )
        return StoreUnavailable(f"the store {self._file.path} is closed: nothing can be read or written any more")

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._file.writer()
        return self._db

    def _end_transaction(self) -> None:
        if self._db is None or not self._db.in_transaction:
            return
        try:
            self._db.execute("ROLLBACK")
        except sqlite3.Error:  # whatever state it is in, a fresh connection is not in it
            self._drop_connection()

    def _drop_connection(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _tend_log(self) -> None:
        """Empty the log when readers who always overlap have kept SQLite from doing so by itself."""
        if self._db is None or self._transactions % _TEND_EVERY or self._file.wal_size() <= WAL_LIMIT:
            return
        with suppress(sqlite3.Error):  # everybody is answered already; what is wrong here the next commit will tell
            try:
                self._db.execute(f"PRAGMA busy_timeout = {_TEND_PATIENCE}")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._db.execute(f"PRAGMA busy_timeout = {int(self._file.busy_timeout * 1000)}")


def _answer(job: _Job, answer: int | StoreError) -> None:
    job.answer = answer
    job.bell.put(None)
