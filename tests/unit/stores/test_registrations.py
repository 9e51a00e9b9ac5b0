"""Registered pipelines, over every kernel."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.codec.documents import document
from interlock.core.chronicle import EventKind
from interlock.core.ids import PipelineName
from interlock.errors import Contention
from interlock.ports.registrations import Registration, Unreadable
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put
from interlock.stores.registrations import RegistrationRows
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON
from interlock.testing.conformance.kernel_values import at_once

SALES, ORDERS = PipelineName("sales"), PipelineName("orders")
DOCUMENT = document({"name": "sales", "archetype": "one-check", "trigger": {"headers": {"Authorization": "hush"}}})
OTHER = document({"name": "sales", "archetype": "one-check", "tier": 2})


@pytest.fixture
def rows(kernel: Kernel) -> RegistrationRows:
    return RegistrationRows(kernel)


def told(kernel: Kernel, pipeline: str = "sales") -> list[tuple[EventKind, str]]:
    return [(line.record.kind, line.record.message) for line in Repository(kernel).timeline(pipeline, limit=99)]


def test_where_nothing_was_registered_nothing_is(rows: RegistrationRows) -> None:
    assert (rows.generation(), rows.registrations()) == (0, ())


def test_a_registration_is_kept_with_who_and_when(rows: RegistrationRows) -> None:
    kept = rows.register(SALES, DOCUMENT, NOON, "api:anna")
    assert kept == Registration(name=SALES, document=DOCUMENT, at=NOON, actor="api:anna", version=1)
    assert rows.registrations() == (kept,)


def test_the_same_document_again_changes_nothing_and_is_not_told(kernel: Kernel, rows: RegistrationRows) -> None:
    first = rows.register(SALES, DOCUMENT, NOON, "api:anna")
    assert rows.register(SALES, DOCUMENT, NOON + MINUTE, "api:bert") == first
    assert rows.generation() == 1
    assert len(told(kernel)) == 1


def test_every_change_moves_the_generation_and_is_told_with_its_actor(kernel: Kernel, rows: RegistrationRows) -> None:
    """T-77: who registered, changed and removed it is on record for good; what a changed key holds is not: T-76."""
    rows.register(SALES, DOCUMENT, NOON, "api:anna")
    assert rows.register(SALES, OTHER, NOON + MINUTE, "api:bert").version == 2
    assert rows.withdraw(SALES, NOON + 2 * MINUTE, "api:carl")
    assert rows.generation() == 3
    assert told(kernel) == [
        (EventKind.PIPELINE_REGISTERED, "by api:anna: new"),
        (EventKind.PIPELINE_REGISTERED, "by api:bert: changed tier, trigger"),
        (EventKind.PIPELINE_WITHDRAWN, "by api:carl"),
    ]


def test_what_is_not_registered_is_not_removed(kernel: Kernel, rows: RegistrationRows) -> None:
    assert not rows.withdraw(SALES, NOON, "api:anna")
    assert (rows.generation(), told(kernel)) == (0, [])


def test_a_name_that_was_removed_can_be_registered_anew(kernel: Kernel, rows: RegistrationRows) -> None:
    for number in range(3):
        rows.register(SALES, DOCUMENT, NOON, "api:anna")
        assert rows.withdraw(SALES, NOON, "api:anna"), number
    assert rows.registrations() == ()
    assert len(told(kernel)) == 6


def test_all_are_listed_by_name_however_many_there_are(rows: RegistrationRows) -> None:
    """T-65."""
    names = [f"p-{number:04d}" for number in range(1203)]
    for name in reversed(names):
        rows.register(PipelineName(name), OTHER, NOON, "api:anna")
    assert [each.name for each in rows.registrations()] == names
    assert rows.generation() == 1203


def test_of_many_who_register_at_once_none_is_lost(kernel: Kernel, rows: RegistrationRows) -> None:
    at_once(12, lambda number: rows.register(PipelineName(f"p-{number:02d}"), OTHER, NOON, "api:anna"))
    assert (len(rows.registrations()), rows.generation()) == (12, 12)


def test_two_who_register_one_name_at_once_are_told_one_after_the_other(kernel: Kernel, rows: RegistrationRows) -> None:
    documents = [document({"name": "sales", "tier": number}) for number in range(8)]
    at_once(8, lambda number: rows.register(SALES, documents[number], NOON + timedelta(seconds=number), "api:anna"))
    (kept,) = rows.registrations()
    assert isinstance(kept, Registration)
    assert kept.version == 8
    assert len(told(kernel)) == 8


def test_who_loses_every_race_is_told_so_and_nothing_is_written(
    kernel: Kernel, rows: RegistrationRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "commit", lambda pk, batch: False)
    with pytest.raises(Contention, match="try again"):
        rows.register(SALES, DOCUMENT, NOON, "api:anna")
    assert rows.registrations() == ()
    monkeypatch.undo()
    rows.register(SALES, DOCUMENT, NOON, "api:anna")
    monkeypatch.setattr(kernel, "commit", lambda pk, batch: False)
    with pytest.raises(Contention):
        rows.withdraw(SALES, NOON, "api:anna")


def test_what_was_registered_survives_the_process(tmp_path: Path) -> None:
    for opening in range(2):
        kernel = SqliteKernel(tmp_path / "store.db")
        rows = RegistrationRows(kernel)
        if not opening:
            rows.register(SALES, DOCUMENT, NOON, "api:anna")
        (kept,) = rows.registrations()
        assert isinstance(kept, Registration)
        assert kept.document == DOCUMENT
        kernel.close()


def test_the_generation_is_no_registration(kernel: Kernel, rows: RegistrationRows) -> None:
    rows.register(PipelineName("generation"), OTHER, NOON, "api:anna")
    assert [each.name for each in rows.registrations()] == ["generation"]
    assert kernel.get(keys.REGISTERED_PK, keys.GENERATION_SK) is not None


def test_one_that_cannot_be_read_is_told_with_its_name_and_can_be_replaced_or_removed(
    kernel: Kernel, rows: RegistrationRows
) -> None:
    """T-118."""
    for name in (ORDERS, SALES):
        rows.register(name, DOCUMENT, NOON, "api:anna")
    damaged(kernel)
    first, second = rows.registrations()
    assert (first.name, isinstance(second, Unreadable), second.name) == ("orders", True, "sales")
    assert rows.register(SALES, OTHER, NOON, "api:anna").version == 3
    assert told(kernel)[-1][1] == "by api:anna: in place of what could not be read"
    damaged(kernel)
    assert rows.withdraw(SALES, NOON, "api:anna")
    assert [each.name for each in rows.registrations()] == ["orders"]


def damaged(kernel: Kernel) -> None:
    row = kernel.get(keys.REGISTERED_PK, keys.registered_sk(SALES))
    assert row is not None
    assert kernel.commit(keys.REGISTERED_PK, [Put(replace(row, version=row.version + 1, body={"name": 3}))])
