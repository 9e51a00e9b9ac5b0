"""Damage and company for stores whose commands are tested."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any, Final

from tests.unit.cli.terminal import Terminal, now

from interlock.ports.members import Member
from interlock.stores.kernel import Delete, Put
from interlock.stores.members import MemberRows
from interlock.stores.state import Standing, StoreState, put_state

EXPORT: Final = "store.jsonl"


def changed(terminal: Terminal, *changes: Put | Delete, pk: str = "p") -> None:
    with terminal.kept() as store:
        assert store.kernel.commit(pk, list(changes))


def spoilt(terminal: Terminal, sk: str) -> None:
    with closing(sqlite3.connect(terminal.store, isolation_level=None)) as db:
        assert db.execute("UPDATE records SET body = '{' WHERE sk = ?", (sk,)).rowcount == 1


def gone(terminal: Terminal) -> None:
    """Take the store away, as a new machine would have none."""
    for file in terminal.store.parent.glob("interlock.db*"):
        file.unlink()


def rows_of(text: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, text.splitlines()) if line["line"] == "record"]


def closed(terminal: Terminal, standing: Standing, other: str = "redis") -> None:
    with terminal.kept() as store:
        put_state(store.kernel, StoreState(standing=standing, other=other, since="2026-03-07T12:00:00+00:00"))


def at_work(terminal: Terminal, *, host: str = "elsewhere", pid: int = 1, role: str = "watcher") -> None:
    until = now() + timedelta(hours=1)
    member = Member(role=role, name="w", host=host, pid=pid, started="", joined_at=now(), until=until)
    with terminal.kept() as store:
        assert MemberRows(store.kernel).put_member(member)
