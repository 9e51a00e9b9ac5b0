"""What is damaged or gone is told of, keeps nothing else out, and is copied once it is mended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.archive.history import Marked, Outside, a_note, everything, note, waiting

from interlock.app.arrivals import open_run
from interlock.archive import archiver as archiving
from interlock.archive.gaps import Gap, GapReason, gap_of, journal_gap
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.dispatching import AlertRecord, AlertState
from interlock.core.runs import RunStatus
from interlock.stores import keys
from interlock.stores.dispatches import DispatchRows
from interlock.stores.kernel import Delete, Record
from interlock.stores.marks import archive_position, everything_archived, mark_of
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import MINUTE, NOON, a_key, a_spec

pytestmark = pytest.mark.service


def a_completed_run() -> Marked:
    """Let one run complete."""
    living = Marked(a_spec())
    living.plan()
    open_run(a_key().slot, a_spec(), living.store, NOON)
    living.on(10 * MINUTE)
    assert living.runs()[0].status is RunStatus.COMPLETED
    return living


def remove(living: Marked, pk: str, sk: str) -> Record:
    """Remove a row, and every mark that names it."""
    record = living.real.get(pk, sk)
    assert record is not None
    marks = [row for row in everything(living.real) if row.kind == keys.ARCHIVE_KIND and sk in mark_of(row).names]
    living.real.commit(pk, [Delete(sk), *(Delete(mark.sk) for mark in marks if mark.pk == pk)])
    return record


def put_back(living: Marked, record: Record) -> None:
    """Restore a row as it was, whatever stands there."""
    living.real.commit(record.pk, [Delete(record.sk)])
    assert isinstance(living.real, MemoryKernel)
    living.real.restore([record])


def spoil(living: Marked, pk: str, sk: str) -> Record:
    """Damage a row so that the store itself cannot decode it; return it as it was."""
    assert isinstance(living.real, MemoryKernel)
    record = living.real.get(pk, sk)
    assert record is not None
    rows = living.real._rows[pk]
    rows[sk] = rows[sk]._replace(body=b"{")
    return record


def test_a_change_that_is_nowhere_any_more_is_a_gap_with_its_run_and_version(there: Outside) -> None:
    """T-52: a gap is noticed, whatever made it, and mends itself when the row is back."""
    living = a_completed_run()
    key = a_key()
    lost = [remove(living, keys.slot_pk(key.slot), keys.journal_sk(key, version)) for version in (2, 3)]
    archiver = there.archiver(living.marking)
    archiver.turn()
    gaps = archiver.gaps()
    assert [(gap.run_id, gap.version, gap.reason) for gap in gaps] == [
        (key.run_id, 2, GapReason.MISSING),
        (key.run_id, 3, GapReason.MISSING),
    ]
    assert gaps[0].message.startswith(f"version 2 of {key.run_id} is neither in the archive nor in the live store")
    assert archiver.behind().level is False
    for record in lost:
        put_back(living, record)
    archiver.begin_anew()
    archiver.turn()
    assert archiver.gaps() == ()
    assert there.count("journal") == living.runs()[0].version


def test_a_change_without_a_mark_is_fetched_from_the_live_store(there: Outside) -> None:
    """T-52: that versions have no gaps is looked at, not assumed."""
    living = a_completed_run()
    archiver = there.archiver(living.marking)
    archiver.turn()
    there.ask("DELETE FROM {}.journal WHERE version = 2")
    there.ask("UPDATE {}.runs SET complete_to = 0")
    archiver.turn()
    assert archiver.gaps() == ()
    assert there.count("journal") == living.runs()[0].version


@pytest.mark.parametrize("deep", [False, True], ids=["not what it should be", "not even JSON"])
def test_a_damaged_row_is_told_of_and_keeps_no_other_out(there: Outside, deep: bool) -> None:
    """T-55: it stays marked, and what is sound of its commit goes over."""
    living = a_completed_run()
    key = a_key()
    pk, sk = keys.slot_pk(key.slot), keys.journal_sk(key, 2)
    sound = spoil(living, pk, sk)
    if not deep:
        put_back(living, replace(sound, body={"nonsense": True}))
    archiver = there.archiver(living.marking)
    archiver.turn()
    versions = [version for (version,) in there.ask("SELECT version FROM {}.journal ORDER BY version")]
    assert versions == [version for version in range(1, living.runs()[0].version + 1) if version != 2]
    (gap,) = archiver.gaps()
    assert (gap.subject, gap.version, gap.reason) == (key.run_id, 2, GapReason.UNREADABLE)
    assert sk in gap.message
    behind = archiver.behind()
    assert (behind.waiting, behind.since, behind.aside) == (0, None, 1)
    assert archive_position(living.real) is not None  # whoever removes history leaves it alone
    note(living.marking, a_note(1, NOON))
    assert archiver.turn().marks == 1
    put_back(living, sound)
    archiver.turn()
    assert (archiver.gaps(), waiting(living.real)) == ((), 0)
    assert there.count("journal") == living.runs()[0].version


def test_damaged_marks_hide_none_of_those_behind_them(there: Outside) -> None:
    """T-55: whole pages of them do not stop the rest."""
    living = Marked(a_spec())
    for number in range(40):
        note(living.marking, a_note(number, NOON))
        living.clock.advance(MINUTE)
    marks = [row for row in everything(living.real) if row.kind == keys.ARCHIVE_KIND]
    for mark in marks[3:9] + marks[20:21]:
        spoil(living, mark.pk, mark.sk)
    put_back(living, replace(marks[30], body={"names": 7}))
    assert there.archiver(living.marking).turn().marks == 32
    assert (there.count("events"), waiting(living.real)) == (40, 0)


def test_what_a_damaged_mark_named_is_found_by_copying_everything_once_more(there: Outside) -> None:
    """T-55: nobody knows what it was, and nothing is removed from the live store before it is found."""
    living = Marked(a_spec())
    archiver = there.archiver(living.marking)
    assert archiver.turn().whole is True
    note(living.marking, a_note(1, NOON))
    (mark,) = (row for row in everything(living.real) if row.kind == keys.ARCHIVE_KIND)
    spoil(living, mark.pk, mark.sk)
    stopping = there.archiver(living.marking, stopped=lambda: there.archive.cursor("copy") is None)
    assert stopping.turn().whole is False
    assert everything_archived(living.real) is False
    assert archiver.turn().whole is True
    assert (there.count("events"), waiting(living.real), everything_archived(living.real)) == (1, 0, True)


def test_damaged_facts_from_before_are_told_of_when_everything_is_copied(there: Outside) -> None:
    """T-55."""
    living = Marked(a_spec())
    note(living.real, *(a_note(number, NOON) for number in range(5)))
    spoil(living, keys.pipeline_pk("example"), keys.note_sk(NOON, "00000002"))
    put_back(living, replace(a_note(3, NOON), body={"records": 7}))
    archiver = there.archiver(living.marking)
    assert archiver.turn().whole is True
    assert there.count("events") == 3
    assert [(gap.pipeline, gap.reason) for gap in archiver.gaps()] == [("example", GapReason.UNREADABLE)] * 2


def test_what_postgresql_refuses_keeps_nothing_else_out(there: Outside) -> None:
    """T-55: not in the page of marks it comes in, and not when everything is copied."""
    living = Marked(a_spec())
    alert = Alert(alert_id="huge", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="x", tier=2**40)
    for number in range(7):
        note(living.marking, a_note(number, NOON))
    record = AlertRecord(alert=alert, state=AlertState.OPEN, opened_at=NOON)
    assert DispatchRows(living.marking).commit(None, record)
    archiver = there.archiver(living.marking)
    archiver.turn()
    assert (there.count("events"), there.count("alerts")) == (7, 0)
    (gap,) = archiver.gaps()
    assert (gap.subject, gap.reason) == ("dispatch/alert/huge", GapReason.REFUSED)
    assert "out of range" in gap.message
    assert archiver.turn() == archiving.Report()


def test_a_fact_that_is_removed_before_it_was_copied_is_a_gap_and_holds_nothing_up(there: Outside) -> None:
    """T-52: it will not come back, so its mark goes; that it is missing is kept."""
    living = Marked(a_spec())
    lost = a_note(1, NOON)
    note(living.marking, lost, a_note(2, NOON))
    living.real.commit(lost.pk, [Delete(lost.sk)])
    archiver = there.archiver(living.marking)
    archiver.turn()
    assert [(gap.stream_id, gap.reason) for gap in archiver.gaps()] == [(f"{lost.pk}|{lost.sk}", GapReason.MISSING)]
    assert (there.count("events"), waiting(living.real)) == (1, 0)


def test_a_mark_that_an_index_still_shows_after_it_was_struck_is_no_gap(there: Outside) -> None:
    """Listings may lag: others have copied what it names, and it was removed since."""
    living = Marked(a_spec())
    old = a_note(1, NOON)
    note(living.marking, old)
    (mark,) = (row for row in everything(living.real) if row.kind == keys.ARCHIVE_KIND)

    class Lagging(MemoryKernel):
        def listing(self, kind: str, page: object) -> list[Record]:
            return [mark] if kind == keys.ARCHIVE_KIND else []

    archiver = there.archiver(Lagging())
    assert archiver.turn() == archiving.Report()
    assert archiver.gaps() == ()


def test_what_a_gap_is_about() -> None:
    """Alerts go by the run where there is one, and else by the partition."""
    key = a_key()
    assert journal_gap(key, 3).subject == key.run_id
    assert gap_of(keys.slot_pk(key.slot), keys.run_sk(1), GapReason.UNREADABLE, "x").run_id == key.run_id
    note_gap = gap_of("pipeline/example", "NOTE#x", GapReason.UNREADABLE, "x")
    assert (note_gap.subject, note_gap.pipeline, note_gap.version) == ("pipeline/example", "example", None)
    odd = gap_of("slot/nonsense", "RUN#x", GapReason.UNREADABLE, "x")
    assert odd == Gap("slot/nonsense|RUN#x", GapReason.UNREADABLE, "x", "nonsense")
