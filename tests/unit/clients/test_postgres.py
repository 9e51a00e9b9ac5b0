"""The door to PostgreSQL, as far as it opens without a server: DSNs, words, and whose turn it is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import psycopg
import pytest

from interlock.clients.postgres import Database
from interlock.clients.postgres_errors import Overdue, Target, leaves, state_of, translated
from interlock.errors import StoreError, StoreUnavailable

_WHERE = Target("'db' at h:5432", "s3/cret")


def _error(state: str, words: str = "words") -> psycopg.Error:
    return psycopg.errors.lookup(state)(words)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://u:hush@h:6543/db", "'db' at h:6543"),
        ("postgres://u:hush@h/db?sslmode=require", "'db' at h:5432"),
        ("host=h dbname=db user=u password=hush", "'db' at h:5432"),
        ("postgresql://u:hush@a,b:1,c:2/db", "'db' at a:5432, b:1, c:2"),
        ("postgresql://u:hush%40%2F@h/db", "'db' at h:5432"),
        ("postgresql://u:hu?sh@h/db", "'db' at h:5432"),
        ("postgresql://u:hush@%2Fvar%2Frun/db", "'db' at /var/run:5432"),
    ],
)
def test_a_database_is_called_by_its_place_and_never_by_its_password(dsn: str, shown: str) -> None:
    database = Database(dsn)
    assert str(database.target) == shown
    assert "hush" not in repr(database) + repr(database.target)


@pytest.mark.parametrize(
    "dsn",
    [
        "hush hush",
        "postgresql://u:hu@sh@h/db",
        "postgresql://u:hu/sh@h/db",
        "postgresql://u:hush%zz@h/db",
        "postgresql://u:hush@h/db?nonsense=hush",
        "host=h password=hush hush",
    ],
)
def test_a_dsn_that_cannot_be_read_is_refused_without_repeating_any_of_it(dsn: str) -> None:
    """A part of a password that was not escaped looks like a host or a database."""
    with pytest.raises(StoreError, match="%40 for @") as caught:
        Database(dsn)
    assert not any(part in str(caught.value) for part in ("hush", "sh@", "hu@", "hu/"))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "state", ["53100", "53200", "53300", "55P03", "57014", "57P01", "57P03", "40001", "40P01", "25006", "08006"]
)
def test_what_can_pass_is_unavailable(state: str) -> None:
    error = translated(_error(state), _WHERE, "read")
    assert isinstance(error, StoreUnavailable)
    assert "cannot read the database 'db' at h:5432: " in str(error)


@pytest.mark.parametrize(
    "state", ["28P01", "28000", "3D000", "3F000", "42501", "42P01", "42883", "54000", "XX001", "22003", "XX000"]
)
def test_what_stays_is_an_error(state: str) -> None:
    error = translated(_error(state), _WHERE, "read")
    assert isinstance(error, StoreError)
    assert not isinstance(error, StoreUnavailable)


@pytest.mark.parametrize(
    ("exc", "unknown"),
    [
        (Overdue(), True),
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (psycopg.InterfaceError("the connection is lost"), True),
        (_error("57P01"), True),
        (_error("08006"), True),
        (_error("53100"), False),
        (_error("57014"), False),
        (_error("42501"), False),
    ],
)
def test_only_an_error_of_the_server_says_that_nothing_was_written(exc: psycopg.Error, unknown: bool) -> None:
    """A lost answer may be the answer yes."""
    words = str(translated(exc, _WHERE, "commit to"))
    assert ("may or may not have been done" in words) is unknown
    assert ("Nothing was written" in words) is not unknown


def test_what_the_server_says_is_one_line_without_the_password() -> None:
    error = translated(psycopg.OperationalError("no\n\tway s3/cret in s3%2Fcret"), _WHERE, "read", connecting=True)
    assert "\n" not in str(error)
    assert "cret" not in str(error)
    assert "no way (redacted) in (redacted)" in str(error)


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        ('FATAL: password authentication failed for user "u"', StoreError, "the password is wrong"),
        ("fe_sendauth: no password supplied", StoreError, "none was given"),
        ('FATAL: database "db" does not exist', StoreError, "no such database"),
        ("FATAL: no such database: db", StoreError, "no such database"),
        ('FATAL: no pg_hba.conf entry for host "h"', StoreError, "may not connect from here"),
        ('FATAL: role "u" is not permitted to log in', StoreError, "may not connect from here"),
        ("FATAL: sorry, too many clients already", StoreUnavailable, "max_connections"),
        ("FATAL: no more connections allowed (max_client_conn)", StoreUnavailable, "max_connections"),
        ("FATAL: the database system is starting up", StoreUnavailable, "try again"),
        ("session is read-only", StoreUnavailable, "standby"),
        ("server does not support SSL, but SSL was required", StoreError, "sslmode"),
        ("received invalid response to SSL negotiation: H", StoreError, "is no PostgreSQL"),
        ("expected authentication request from server, but received H", StoreError, "is no PostgreSQL"),
        ("connection timeout expired", StoreUnavailable, "answers there in time"),
        ("Connection refused Is the server running?", StoreUnavailable, "no server can be reached"),
        ("failed to resolve host 'h': Name or service not known", StoreUnavailable, "no server can be reached"),
        ("FATAL: Datenbank existiert nicht", StoreUnavailable, "no server can be reached"),
    ],
)
def test_what_a_server_says_at_the_door_is_understood(words: str, kind: type[StoreError], advice: str) -> None:
    """There it gives no SQLSTATE."""
    error = translated(psycopg.OperationalError(words), _WHERE, "open", connecting=True)
    assert type(error) is kind
    assert advice in str(error)


def test_a_connection_is_given_up_after_what_ends_it_and_kept_after_the_rest() -> None:
    gone = ["08006", "57P01", "57P02", "25006", "58030"]
    kept = ["57014", "53100", "42501", "40001", "23505"]
    assert [leaves(_error(state)) for state in gone + kept] == [True] * len(gone) + [False] * len(kept)
    assert leaves(psycopg.OperationalError("lost"))
    assert not leaves(ValueError("ours"))


def test_the_state_behind_an_error_of_ours_is_known() -> None:
    error = StoreError("ours")
    assert state_of(error) == ""
    error.__cause__ = _error("23505")
    assert state_of(error) == "23505"


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_seconds(silent: int) -> None:
    database = Database(
        f"postgresql://u:hush@127.0.0.1:{silent}/db?sslmode=disable", connect_timeout=timedelta(seconds=1)
    )
    began = monotonic()
    with (
        pytest.raises(StoreUnavailable, match="no PostgreSQL answers there in time") as caught,
        database.connection("open"),
    ):
        pass
    assert monotonic() - began < 20
    assert "hush" not in str(caught.value)


def test_nobody_waits_for_a_connection_for_ever(silent: int) -> None:
    """The pool is as large as it is, and says how to make it larger."""
    database = Database("postgresql://u@127.0.0.1:1/db", pool_size=1)
    database._used = 1
    with (
        pytest.raises(StoreUnavailable, match=r"all 1 connections were in use.*Nothing was sent.*poolSize"),
        database.connection("read", patience=timedelta(milliseconds=10)),
    ):
        pass


def test_a_closed_database_says_so() -> None:
    database = Database("postgresql://u@127.0.0.1:1/db")
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable, match="it is closed"), database.connection("read"):
        pass


def test_a_connection_goes_to_who_has_waited_longest() -> None:
    """Whoever gives one back must not get it again before the others: some would never have one."""
    database = Database("postgresql://h/db", pool_size=1)
    order: list[int] = []
    database._enter("test", 30.0)
    waiting = []
    for number in range(5):

        def wait(number: int = number) -> None:
            database._enter("test", 30.0)
            order.append(number)
            database._leave(None)

        waiting.append(threading.Thread(target=wait))
        waiting[-1].start()
        while len(database._waiting) <= number:
            threading.Event().wait(0.001)
    database._leave(None)
    database._enter("test", 30.0)
    order.append(99)
    database._leave(None)
    for thread in waiting:
        thread.join(30)
    assert order == [0, 1, 2, 3, 4, 99]


def test_closing_sends_those_away_who_wait_and_lets_those_go_on_whose_turn_it_is() -> None:
    database = Database("postgresql://h/db", pool_size=1)
    database._enter("test", 30.0)
    said: list[str] = []

    def wait() -> None:
        try:
            database._enter("test", 30.0)
        except StoreUnavailable as exc:
            said.append(str(exc))

    thread = threading.Thread(target=wait)
    thread.start()
    while not database._waiting:
        threading.Event().wait(0.001)
    closing = threading.Thread(target=database.close)
    closing.start()
    thread.join(30)
    assert "it is closed" in said[0]
    database._leave(None)
    closing.join(30)
    assert not closing.is_alive()


def test_who_waits_too_long_is_told_and_holds_up_nobody() -> None:
    database = Database("postgresql://h/db", pool_size=1)
    database._enter("test", 30.0)
    with pytest.raises(StoreUnavailable, match="all 1 connections were in use"):
        database._enter("test", 0.01)
    database._leave(None)
    database._enter("test", 0.01)
    database._leave(None)
