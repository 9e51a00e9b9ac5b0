"""Threads of messages, over every kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put, Record
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.stores.threads import ThreadRows
from interlock.testing.conformance.kernel_values import at_once


@pytest.fixture
def rows(kernel: Kernel) -> ThreadRows:
    return ThreadRows(kernel)


def test_the_last_text_of_a_key_counts(rows: ThreadRows) -> None:
    assert rows.get("example:daily") is None
    rows.put("example:daily", "1.2")
    rows.put("example:daily", "3.4")
    assert rows.get("example:daily") == "3.4"


def test_keys_are_any_text_and_never_meet(rows: ThreadRows) -> None:
    """T-64, LAT-17, BUG-122."""
    wanted = ["", "a", "A", "a#", "a/b", "%", "%0023", "#", "nul\0", "half \ud800", "日本", "x" * 5000, "x" * 5001]
    for number, key in enumerate(wanted):
        rows.put(key, str(number))
    assert [rows.get(key) for key in wanted] == [str(number) for number in range(len(wanted))]


def test_of_many_who_put_at_once_each_gets_through_and_one_is_last(rows: ThreadRows) -> None:
    """BUG-05."""
    at_once(8, lambda me: rows.put("key", str(me)))
    assert rows.get("key") in {str(me) for me in range(8)}


@pytest.mark.parametrize("body", [{}, {"text": 7}, {"text": None}])
def test_a_thread_that_cannot_be_read_is_an_error_that_names_it(
    kernel: Kernel, rows: ThreadRows, body: dict[str, object]
) -> None:
    """T-118, BUG-54."""
    pk = keys.thread_pk("key")
    assert kernel.commit(pk, [Put(Record(pk=pk, sk=keys.THREAD_SK, version=1, body=body))])
    with pytest.raises(UnreadableRecord, match="thread/key"):
        rows.get("key")


def test_a_thread_is_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    ThreadRows(kernel).put("key", "1.2")
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    assert ThreadRows(kernel).get("key") == "1.2"
    kernel.close()
