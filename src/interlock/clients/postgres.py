"""One door to PostgreSQL: a few connections that many threads share, none of which anybody waits for without end.

Connections are made by whoever needs one, so that what is wrong is told to whoever meets it. Before one is handed out it is
looked at: a server that was started again has hung up on the ones that were idle, and nobody's first statement is lost in
them. A statement is sent once. Whether one whose answer never came was done is not known here, and it is never repeated
here, but for reading (`Database.read`).

A statement ends by the server's `statement_timeout` where that can be set, and a little later by our own clock, with which
a server that is frozen or behind a connection pooler is no exception. Nothing here depends on the state of a session, so
that PgBouncer may stand between in transaction mode: no prepared statements, no SET outside a transaction.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import ceil
from threading import Condition, Event
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from interlock.clients.forks import Opener
from interlock.clients.postgres_errors import Overdue, Target, is_pooler, leaves, translated
from interlock.errors import StoreError, StoreUnavailable

Answer = TypeVar("Answer")

_DOUBT: Final = 30.0  # an idle connection may have been forgotten by a firewall after this long: it is asked first
_SLACK: Final = 5.0  # how much longer than the server's own limit we wait for it to keep that limit
_CANCEL: Final = 2.0
_KEEPALIVE: Final = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class Connection(psycopg.Connection[TupleRow]):
    """A connection in autocommit whose every statement ends within `patience` seconds, with or without an answer."""

    patience: float = 60.0
    idle_since: float = 0.0

    def wait(self, gen: Generator[Any, Any, Answer], *rest: Any, **options: Any) -> Answer:
        """Wait for a step of the protocol as psycopg does, but not for ever."""
        return super().wait(_bounded(gen, monotonic() + self.patience), *rest, **options)


class _Turn(Event):
    """What a thread waits for that wants a connection; `given` when it may have one."""

    given = False


class Database:
    """A database, and up to `pool_size` connections to it. Safe to use from many threads; not from a forked child.

    What the DSN says itself (`application_name`, `connect_timeout`, `options` …) is kept. Nothing is connected before it is
    needed.

    Raises:
        StoreError: the DSN cannot be read.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str = "interlock",
        pool_size: int = 10,
        statement_timeout: timedelta = timedelta(seconds=30),
        connect_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._given = _parsed(dsn)
        self.target = Target.of(self._given)
        self._name = application_name
        self._size = max(pool_size, 1)
        self._statement = statement_timeout.total_seconds()
        self._connect = max(ceil(connect_timeout.total_seconds()), 2)
        self.opener = Opener()
        self._change = Condition()
        self._idle: list[Connection] = []
        self._used = 0
        self._waiting: deque[_Turn] = deque()
        self._closed = False
        self._behind_pooler = False

    def __repr__(self) -> str:
        return f"<Database {self.target}>"

    @contextmanager
    def connection(self, doing: str = "use", *, patience: timedelta | None = None) -> Iterator[Connection]:
        """Lend a connection in autocommit; `conn.transaction()` makes a transaction of several statements.

        What psycopg raises inside is raised as ours; `doing` completes "cannot … the database". Each statement has
        `patience` instead of the statement timeout, which the server does not know of: see `SET LOCAL`.

        Raises:
            StoreUnavailable: trying again can help. What was sent may or may not have been done, unless it says otherwise.
            StoreError: it cannot.
        """
        bound = self._statement + _SLACK if patience is None else patience.total_seconds()
        self._enter(doing, bound)
        conn: Connection | None = None
        try:
            conn = self._taken(doing)
            conn.patience = bound
            try:
                yield conn
            except psycopg.Error as exc:
                raise self._failed(exc, doing, conn) from exc
            except BaseException:
                # Whatever state it is in, a fresh one is not in it.
                _drop(conn)
                raise
        finally:
            self._leave(conn)

    def read(self, act: Callable[[Connection], Answer], doing: str = "read") -> Answer:
        """Do what only reads, and do it once more on a fresh connection if the first was lost on the way.

        Raises:
            StoreUnavailable: trying again can help.
            StoreError: it cannot.
        """
        lost: Connection | None = None
        try:
            with self.connection(doing) as lost:
                return act(lost)
        except StoreUnavailable as exc:
            if lost is None or isinstance(exc.__cause__, Overdue) or not leaves(exc.__cause__):
                raise
            self._forget_idle()
        with self.connection(doing) as conn:
            return act(conn)

    @contextmanager
    def alone(self, doing: str = "use", *, patience: timedelta) -> Iterator[Connection]:
        """Lend a new connection outside the pool, in autocommit, and close it.

        Raises:
            StoreUnavailable: trying again can help.
            StoreError: it cannot.
        """
        self.opener.refuse_fork(f"the database {self.target}")
        conn = self._connected(doing)
        conn.patience = patience.total_seconds()
        try:
            yield conn
        except psycopg.Error as exc:
            raise translated(exc, self.target, doing) from exc
        finally:
            _drop(conn)

    def close(self) -> None:
        """Wait for what is under way, and let go of every connection; later calls raise `StoreUnavailable`.

        In a forked child it does nothing: the connections are the parent's.
        """
        if not self.opener.is_here:
            return
        with self._change:
            self._closed = True
            while self._waiting:
                self._waiting.popleft().set()
            self._change.wait_for(lambda: self._used == 0, self._statement + _SLACK)
        self._forget_idle()

    # ------------------------------------------------------------ who may have one

    def _enter(self, doing: str, bound: float) -> None:
        self.opener.refuse_fork(f"the database {self.target}")
        with self._change:
            self._refuse_closed(doing)
            if self._used < self._size:
                self._used += 1
                return
            turn = _Turn()
            self._waiting.append(turn)
        turn.wait(bound)
        with self._change:
            if turn.given:
                return
            self._refuse_closed(doing)
            self._waiting.remove(turn)
        raise StoreUnavailable(
            f"cannot {doing} the database {self.target}: all {self._size} connections were in use for {bound:g} s. "
            "Nothing was sent: try again, or allow more with `poolSize`"
        )

    def _leave(self, conn: Connection | None) -> None:
        with self._change:
            if conn is not None and not conn.closed and not self._closed:
                conn.idle_since = monotonic()
                self._idle.append(conn)
                conn = None
            if self._waiting:
                turn = self._waiting.popleft()  # who has waited longest, and not who is quickest
                turn.given = True
                turn.set()
            else:
                self._used -= 1
                self._change.notify_all()
        if conn is not None:
            _drop(conn)

    def _refuse_closed(self, doing: str) -> None:
        if self._closed:
            raise StoreUnavailable(
                f"cannot {doing} the database {self.target}: it is closed, and nothing can be read or written any more"
            )

    def _forget_idle(self) -> None:
        with self._change:
            idle, self._idle = self._idle, []
        for conn in idle:
            _drop(conn)

    # ------------------------------------------------------------ connections

    def _taken(self, doing: str) -> Connection:
        while True:
            with self._change:
                if not self._idle:
                    break
                conn = self._idle.pop()
            if self._is_alive(conn):
                return conn
            _drop(conn)
        return self._connected(doing)

    def _is_alive(self, conn: Connection) -> bool:
        if conn.closed or conn.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        poller = select.poll()
        poller.register(conn.pgconn.socket, select.POLLIN)
        if poller.poll(0):  # nobody asked it anything: what it has to say is goodbye
            return False
        if monotonic() - conn.idle_since < _DOUBT:
            return True
        conn.patience = float(self._connect)
        try:
            conn.execute("")
        except psycopg.Error:
            return False
        return True

    def _connected(self, doing: str) -> Connection:
        try:
            try:
                return self._opened()
            except psycopg.OperationalError as exc:
                if self._behind_pooler or not is_pooler(exc):
                    raise
                self._behind_pooler = True
                return self._opened()
        except psycopg.Error as exc:
            raise translated(exc, self.target, doing, connecting=True) from exc

    def _opened(self) -> Connection:
        ours: dict[str, Any] = {"application_name": self._name, "connect_timeout": str(self._connect), **_KEEPALIVE}
        wanted = {**ours, **self._given, "client_encoding": "UTF8"}
        if not self._behind_pooler:
            wanted["options"] = f"{self._options()} {self._given.get('options') or ''}".strip()
        # The DSN's own options are left out behind a pooler too: it refuses every one of them.
        else:
            wanted.pop("options", None)
        if "," in str(wanted.get("host", "")):
            wanted.setdefault("target_session_attrs", "read-write")
        conn = Connection.connect(make_conninfo("", **wanted), autocommit=True, prepare_threshold=None)
        conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        try:
            self._refuse_unfit(conn.info)
        except StoreError:
            _drop(conn)
            raise
        return conn

    def _refuse_unfit(self, info: psycopg.ConnectionInfo) -> None:
        if info.parameter_status("in_hot_standby") == "on":
            raise StoreUnavailable(
                f"cannot use the database {self.target}: it is a standby, whose reads may be old and which cannot be "
                "written. Nothing was written. After a failover try again; otherwise name the primary"
            )
        encoding = info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreError(
                f"cannot use the database {self.target}: its encoding is {encoding}, which cannot keep every text. "
                "Create a database with ENCODING 'UTF8' and name that one"
            )

    def _options(self) -> str:
        limit = ceil(self._statement * 1000)
        return f"-c statement_timeout={limit} -c default_transaction_isolation=read\\ committed"

    def _failed(self, exc: psycopg.Error, doing: str, conn: Connection) -> StoreError:
        if isinstance(exc, Overdue):
            _cancel(conn)
        usable = conn.closed or conn.pgconn.transaction_status == TransactionStatus.IDLE
        if isinstance(exc, Overdue) or leaves(exc) or not usable:
            _drop(conn)
        return translated(exc, self.target, doing)


def _parsed(dsn: str) -> dict[str, Any]:
    scheme, is_url, rest = dsn.partition("://")
    authority, _, path = rest.partition("/")
    # A password with @ or / in it as it is: a part of it would pass for the name of a host or a database, and be shown.
    torn = (
        bool(is_url) and scheme.startswith("postgres") and (authority.count("@") > 1 or "@" in path.partition("?")[0])
    )
    try:
        if not torn:
            return dict(conninfo_to_dict(dsn))
    except (psycopg.Error, ValueError):
        pass  # what libpq says of it may repeat a part that is the password
    raise StoreError(
        "the DSN of the PostgreSQL database cannot be read. Write postgresql://USER:PASSWORD@HOST:5432/DATABASE, "
        "with %40 for @, %2F for / and %25 for % within the password"
    )


def _bounded(gen: Generator[Any, Any, Answer], deadline: float) -> Generator[Any, Any, Answer]:
    """Pass everything on, until the time is up."""
    try:
        wish = next(gen)
        while True:
            ready = yield wish
            if not ready and monotonic() > deadline:
                gen.close()
                raise Overdue
            wish = gen.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def _cancel(conn: Connection) -> None:
    """Ask the server to stop what nobody waits for any more; it may hold locks that others wait for."""
    if psycopg.capabilities.has_cancel_safe():
        with suppress(psycopg.Error, OSError):
            conn.cancel_safe(timeout=_CANCEL)


def _drop(conn: Connection) -> None:
    with suppress(psycopg.Error):
        conn.close()
