"""What `interlock store check` finds: nothing where nothing is wrong, and every kind of damage by its name."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.stores.lived import (
    DAMAGE,
    JOURNAL,
    PIPELINE,
    PK,
    RUN,
    WAITS,
    changed,
    checked,
    filled,
    lived,
    rows_in,
    the_row,
    without,
)

from interlock.runtime.checking import Checking, repair
from interlock.stores import keys
from interlock.stores.headstones import Headstone, written
from interlock.stores.integrity import FaultKind
from interlock.stores.kernel import Page, Put
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import a_slot
from interlock.testing.fleet.world import Fleet
from interlock.testing.world import played


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_wrong_with_a_store_in_which_a_fleet_has_lived(seed: int) -> None:
    """G3: whatever happened, whoever died: every journal folds, every pointer points."""
    found = checked(Fleet(seed).play(300).stage.kernel)
    assert [(fault.kind, fault.pk, fault.sk, fault.meaning) for fault in found.faults] == []
    assert (found.wrong, found.untold) == (0, 0)
    assert found.counts["runs"] > 3
    assert found.counts["journalLines"] > 30
    assert found.counts["dispatches"] > 0


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_wrong_with_a_run_that_was_played_to_its_end(seed: int) -> None:
    assert checked(played(seed).kernel).faults == ()


def test_nothing_is_wrong_with_what_is_under_way() -> None:
    found = checked(filled(lived()))
    assert [(fault.kind, fault.pk, fault.sk, fault.meaning) for fault in found.faults] == []
    assert found.rows == len(lived())
    assert found.counts["wishes"] > 0


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_where_it_is(name: str) -> None:
    """T-118: with the row's name, what it means, and what to do."""
    rows, kind, place = DAMAGE[name]
    found = checked(filled(rows()))
    assert (kind, *place()) in [(fault.kind, fault.pk, fault.sk) for fault in found.faults]
    assert all(fault.meaning and fault.advice for fault in found.faults)
    assert len(found.faults) == found.wrong < 60


@pytest.mark.parametrize("name", [name for name, (_, kind, _) in DAMAGE.items() if kind is FaultKind.POINTER])
def test_what_follows_from_other_rows_can_be_made_again(name: str) -> None:
    kernel = filled(DAMAGE[name][0]())
    before = checked(kernel)
    repairable = [fault for fault in before.faults if fault.repair]
    assert repair(kernel, before.faults) == (len(repairable), 0)
    after = checked(kernel)
    assert [fault.sk for fault in after.faults] == [fault.sk for fault in before.faults if not fault.repair]
    beyond = {"a rerun that was none is listed", "a plan lacks a schedule"}  # who knows which of the two is right?
    assert bool(repairable) == (name not in beyond)


def test_a_repair_never_touches_a_fact() -> None:
    facts = (keys.RUN_PREFIX, keys.JOURNAL_PREFIX, keys.OUTBOX_PREFIX, keys.CLAIM_PREFIX, keys.EXPECTED_NOTE_PREFIX)
    kernel = filled(without(keys.ended_sk(1)))
    kept = [row for row in rows_in(kernel) if row.sk.startswith(facts)]
    repair(kernel, checked(kernel).faults)
    assert [row for row in rows_in(kernel) if row.sk.startswith(facts)] == kept
    assert len(rows_in(kernel)) == len(lived())


def test_a_repair_is_left_alone_when_somebody_was_faster() -> None:
    """What it follows from has changed: it may follow no more."""
    kernel = filled(without(keys.active_sk(2)))
    faults = checked(kernel).faults
    run = kernel.get(PK, keys.run_sk(2))
    assert run is not None
    assert kernel.commit(PK, [Put(replace(run, version=run.version + 1))])
    assert repair(kernel, faults) == (0, 1)
    assert kernel.get(PK, keys.active_sk(2)) is None


def test_a_row_that_no_kernel_can_read_is_one_fault_and_hides_none_of_the_others() -> None:
    """T-118."""
    kernel = filled(lived())
    kernel._rows[PK][RUN] = kernel._rows[PK][RUN]._replace(body=b"{")
    kernel._rows[PIPELINE][keys.PLANNED_SK] = kernel._rows[PIPELINE][keys.PLANNED_SK]._replace(body=b"{")
    found = checked(kernel)
    unread = [(fault.pk, fault.sk) for fault in found.faults if fault.kind is FaultKind.UNREADABLE]
    assert unread == [(PIPELINE, keys.PLANNED_SK), (PK, RUN)]
    assert found.wrong == 2
    assert found.rows == len(lived())


def test_what_somebody_writes_meanwhile_is_no_fault() -> None:
    """A slot is read in steps; between two of them it may have changed."""

    class Torn(MemoryKernel):
        """The walk shows a run as it was, and its journal as it is."""

        def walk(self, after: str | None, limit: int):  # type: ignore[no-untyped-def]  # as in the kernel
            step = super().walk(after, limit)
            torn = tuple(row for row in step.found if (row.pk, row.sk) != (PK, JOURNAL))
            return step._replace(found=torn)

    kernel = Torn()
    kernel.restore(lived())
    assert checked(kernel, live=True).faults == ()


def test_a_history_that_is_being_cleared_away_is_no_fault() -> None:
    rows = [row for row in lived() if row.pk != PK or row.sk not in (RUN, keys.ended_sk(1))]
    assert checked(filled([*rows, written(a_slot(), Headstone(last=1), clearing=True)])).faults == ()
    cleared = checked(filled([*rows, written(a_slot(), Headstone(last=1), clearing=False)]))
    assert {fault.kind for fault in cleared.faults} == {FaultKind.ORPHAN}


def test_an_index_that_forgot_a_row_is_found() -> None:
    """However sound the rows: what is not listed is looked for in vain."""
    kernel = filled(lived())
    kernel._kinds[keys.ENDED_KIND].pop()
    kernel._due.pop()
    faults = checked(kernel).faults
    assert [fault.kind for fault in faults] == [FaultKind.INDEX, FaultKind.INDEX]
    assert "the due index" in faults[0].meaning
    assert "the listing ended" in faults[1].meaning


def test_an_index_that_lags_behind_has_the_time_to_catch_up() -> None:
    kernel = filled(lived())
    late = kernel._kinds[keys.ENDED_KIND].pop()
    found = Checking(kernel, kernel, live=False, settle=lambda: kernel._kinds[keys.ENDED_KIND].append(late))()
    assert found.faults == ()


def test_more_faults_than_anybody_reads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.runtime.checking.TOLD", 2)
    found = checked(filled([row for row in lived() if not row.sk.startswith(keys.ENDED_PREFIX)]))
    assert len(found.faults) == 2
    assert found.wrong > 5


def test_a_run_that_was_pinned_anew_is_counted_and_not_blamed() -> None:
    """By which spec it was opened is written nowhere: nobody can fold its journal."""
    kernel = filled(changed(keys.run_sk(2), lambda row: replace(row, body={**row.body, "failures": 7})))
    assert [fault.kind for fault in checked(kernel).faults] == [FaultKind.REFOLD]
    (line,) = kernel.rows(PK, keys.journal_prefix(WAITS), Page(backwards=True, limit=1))
    asked = {"type": "evaluation_asked", "at": "2026-03-08T12:00:00Z", "spec_digest": the_row(RUN).body["spec_digest"]}
    assert line.version == 1
    more = replace(line, sk=keys.journal_sk(WAITS, 2), body={**line.body, "version": 2, "fact": asked})
    run = kernel.get(PK, keys.run_sk(2))
    assert run is not None
    assert kernel.commit(PK, [Put(more), Put(replace(run, version=2, body={**run.body, "version": 2}))])
    found = checked(kernel)
    assert (found.faults, found.untold) == ((), 1)
