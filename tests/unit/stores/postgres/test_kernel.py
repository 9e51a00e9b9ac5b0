"""What is peculiar to the store in PostgreSQL in daily use; the contract is tested in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.postgres_tools import forever, opened, put
from tests.servers.postgres import PostgresServer

from interlock.errors import StoreError
from interlock.stores.kernel import Page, Put, cursor_of
from interlock.stores.postgres import kernel as module
from interlock.stores.postgres.kernel import PostgresKernel
from interlock.testing.conformance.kernel_values import NOON, a_record

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> str:
    """A schema with ten thousand rows, of which every tenth is in the indexes, and what the planner knows of them."""
    schema = postgres_server.fresh_schema()
    opened(postgres_server, schema).close()
    postgres_server.execute(f"""
        INSERT INTO {schema}.records (pk, sk, version, body, wake_at, expires_at, kind, rank)
        SELECT 'p' || n % 100, n::text, 1, '{{}}', CASE WHEN n % 10 = 0 THEN n END, CASE WHEN n % 10 = 0 THEN n END,
            CASE WHEN n % 10 = 0 THEN 'k' END, n::text FROM generate_series(1, 10000) AS n
    """)
    postgres_server.execute(f"ANALYZE {schema}.records")
    return schema


@pytest.fixture
def kernel(postgres_server: PostgresServer) -> Iterator[PostgresKernel]:
    with closing(opened(postgres_server, postgres_server.fresh_schema())) as kernel:
        yield kernel


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (module._GET, ("p1", "1"), "records_pkey"),
        (module._ROWS.replace("{bounds}", " AND sk >= %s AND sk < %s"), ("p1", "1", "2", 10), "records_pkey"),
        (module._ROWS.replace("{bounds}", ""), ("p1", 10), "records_pkey"),
        (module._DUE, (500, 10), "records_due"),
        (module._LISTING.replace("{bounds}", ""), ("k", 10), "records_listing"),
        (
            module._LISTING.replace("{bounds}", " AND (rank, pk, sk) > (%s, %s, %s)"),
            ("k", "5", "p", "5", 10),
            "records_listing",
        ),
        (module._WALK, ("p1", "1", 10), "records_pkey"),
        (module._PURGE, (500, 10), "records_expiry"),
    ],
    ids=["get", "prefix", "rows", "due", "listing", "listing-on", "walk", "purge"],
)
@pytest.mark.parametrize("way", ["", " DESC"])
def test_every_question_has_its_index(
    postgres_server: PostgresServer, large: str, query: str, values: tuple[object, ...], index: str, way: str
) -> None:
    """However many rows there are: nothing is read from one end to the other."""
    with closing(opened(postgres_server, large)) as kernel, kernel._database.connection() as conn:
        text = query.replace("{way}", way).format_map(kernel._names)
        plan = "\n".join(line for (line,) in conn.execute(f"EXPLAIN {text}", values).fetchall())
    assert index in plan
    assert "Seq Scan" not in plan


def test_columns_hold_what_the_documentation_says(kernel: PostgresKernel, postgres_server: PostgresServer) -> None:
    assert kernel.commit("p", put("a", wake_at=NOON + timedelta(microseconds=7), body={"b": "é\0", "a": 2**70}))
    found = postgres_server.execute(f"SELECT body, wake_at, version, rank FROM {kernel._names['records']}")
    assert found == [('{"a":1180591620717411303424,"b":"é\\u0000"}', 4928558400000007, 1, "")]


def test_a_commit_is_one_round_trip(kernel: PostgresKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """In autocommit: its answer is that of a transaction that is over."""
    assert kernel.commit("p", put("a"))
    sent = _overheard(kernel, monkeypatch)
    assert kernel.commit("p", [*put("b"), *put("c"), *put("a", 2)])
    assert len(sent) == 1
    assert "commit_batch" in sent[0]


def test_an_idle_connection_is_used_again(kernel: PostgresKernel, postgres_server: PostgresServer) -> None:
    """One thread needs one connection, however much it asks."""
    for number in range(30):
        assert kernel.commit("p", put(str(number)))
        assert kernel.get("p", str(number)) is not None
    assert len(kernel._database._idle) == 1


def test_a_connection_that_was_idle_for_long_is_asked_before_it_is_used(
    kernel: PostgresKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall forgets without a word, and a commit into the void would be of unknown outcome."""
    asked = _overheard(kernel, monkeypatch)
    kernel._database._idle[0].idle_since -= 3600
    assert kernel.commit("p", put("a"))
    assert asked[0] == ""
    assert len(asked) == 2


@pytest.mark.parametrize("wrong", [{"rank": "a\0b"}, {"kind": "a\0b"}])
def test_what_postgres_cannot_keep_is_refused_before_anything_is_written(
    kernel: PostgresKernel, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="NUL"):
        kernel.commit("p", [*put("good"), Put(a_record(sk="bad", **wrong))])
    assert forever(kernel, "p") == []


def test_names_that_cannot_be_are_not_there(kernel: PostgresKernel) -> None:
    """NUL is in no name, so asking for one finds nothing; as a place to go on from it is a mistake."""
    assert kernel.commit("p", put("a", kind="k"))
    assert kernel.get("p\0", "a") is None
    assert kernel.rows("p", "a\0", Page()) == []
    assert kernel.listing("k\0", Page()) == []
    with pytest.raises(ValueError, match="NUL"):
        kernel.rows("p", "", Page(after="a\0"))
    with pytest.raises(ValueError, match="NUL"):
        kernel.listing("k", Page(after=cursor_of(a_record(rank="a\0"))))


def test_an_empty_name_is_a_place_to_go_on_from(kernel: PostgresKernel) -> None:
    assert kernel.commit("p", [*put(""), *put("a")])
    assert [row.sk for row in kernel.rows("p", "", Page(after=""))] == ["a"]
    assert kernel.rows("p", "", Page(after="", backwards=True)) == []


def test_a_number_too_large_for_a_version_is_refused(kernel: PostgresKernel) -> None:
    """Nothing is cut off on the way."""
    with pytest.raises(StoreError, match="out of range"):
        kernel.commit("p", put("a", 2**63 + 1))


def test_without_listen_nobody_rings_and_nobody_hears(postgres_server: PostgresServer) -> None:
    with closing(opened(postgres_server, postgres_server.fresh_schema(), listen=False)) as kernel:
        kernel.listen(_nothing)()
        kernel.ring()
        assert not kernel._chime.listeners.listening


def _overheard(kernel: PostgresKernel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which everything is added that is sent on the one idle connection."""
    (conn,) = kernel._database._idle
    real, sent = conn.execute, list[str]()

    def execute(query: str, *rest: Any) -> Any:
        sent.append(query)
        return real(query, *rest)

    monkeypatch.setattr(conn, "execute", execute)
    return sent


def _nothing() -> None:
    """Nobody hears."""
