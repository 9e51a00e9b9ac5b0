"""History is copied whole, once, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.lessons.living import HOUR
from tests.servers.fixtures import have
from tests.servers.postgres import PostgresServer
from tests.unit.archive.history import Marked, Outside, a_note, everything, note, waiting

from interlock.archive import archiver as archiving
from interlock.archive.database import Page
from interlock.archive.rows import rows_of
from interlock.core.pipelines import ScheduleSpec
from interlock.errors import StoreError, StoreUnavailable
from interlock.ports.triggers import JobState
from interlock.stores import keys
from interlock.stores.kernel import Delete, Put, Record
from interlock.stores.marks import MarkingKernel, archive_position, everything_archived
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import timeline_of
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON, a_spec

pytestmark = pytest.mark.service

HOURLY = ScheduleSpec(every=timedelta(hours=1))


def a_day(hours: int = 6) -> Marked:
    """Let hours pass in which every third job fails for good."""
    living = Marked(a_spec("a", "b", schedules=(HOURLY,)))
    living.ends_with = lambda key: JobState.FAILED if "T15" in key else JobState.SUCCEEDED
    living.plan().until(NOON + hours * HOUR)
    return living


def expected_events(living: Marked) -> Counter[tuple[str, str]]:
    """Return every line of every timeline as it is stored."""
    found: Counter[tuple[str, str]] = Counter()
    for row in living.lines():
        found.update((str(each.record.kind), each.cursor) for each in timeline_of("example", row))
    return found


def archived_events(there: Outside) -> Counter[tuple[str, str]]:
    return Counter(tuple(row) for row in there.ask("SELECT kind, stream_id FROM {}.events"))


def test_every_fact_is_there_once_and_a_second_turn_copies_nothing(there: Outside) -> None:
    """T-51, T-53: all of them, not the newest few, and none twice."""
    living = a_day()
    archiver = there.archiver(living.marking)
    assert archiver.turn().marks > 0
    assert archived_events(there) == expected_events(living)
    assert there.count("journal") == sum(run.version for run in living.runs())
    assert there.count("runs") == len(living.runs()) == there.count("run_logs")
    before = there.counts()
    assert archiver.turn() == archiving.Report()
    assert (there.counts(), waiting(living.real)) == (before, 0)


@pytest.mark.parametrize("server", ["postgres_newest_server", "pgbouncer_server"])
def test_a_newer_postgresql_and_a_pooler_before_it_will_do(server: str, request: pytest.FixtureRequest) -> None:
    """PgBouncer in transaction mode lends another session for each transaction."""
    pool = request.getfixturevalue(server)
    living = a_day(1)
    there = Outside(pool, "through_a_pool")
    archiver = there.archiver(living.marking)
    archiver.turn()
    assert archiver.turn() == archiving.Report()
    assert archived_events(there) == expected_events(living)
    there.archive.close()


def test_copying_the_same_again_changes_nothing(there: Outside) -> None:
    """T-53: whatever is marked twice, or copied again as a whole, is there once."""
    living = a_day(2)
    marks = [row for row in everything(living.real) if row.kind == keys.ARCHIVE_KIND]
    archiver = there.archiver(living.marking)
    archiver.turn()
    before = there.counts()
    for mark in marks:
        living.real.commit(mark.pk, [Put(mark)])
    archiver.begin_anew()
    report = archiver.turn()
    assert (report.rows, report.marks, there.counts()) == (0, len(marks), before)


def test_what_becomes_known_late_and_lies_before_the_rest_is_copied(there: Outside) -> None:
    """T-51, T-52: neither clocks nor commits that come late make a fact slip through behind a cursor."""
    living = Marked(a_spec())
    archiver = there.archiver(living.marking)
    note(living.marking, a_note(1, NOON))
    archiver.turn()
    slow = MarkingKernel(living.real, lambda: NOON - HOUR)
    note(slow, a_note(2, NOON - 2 * HOUR))
    archiver.turn()
    assert there.count("events") == 2


def test_ten_thousand_events_go_over_page_by_page(there: Outside) -> None:
    """T-51, T-52: however far it has fallen behind, one turn copies all of it."""
    living = Marked(a_spec())
    for start in range(0, 2000, 2):
        note(living.marking, *(a_note(number, NOON, messages=5) for number in (start, start + 1)))
    assert there.archiver(living.marking).turn().marks == 1000
    assert (there.count("events"), waiting(living.real)) == (10_000, 0)


def test_an_archiver_that_is_killed_between_copying_and_striking_loses_and_doubles_nothing(
    there: Outside, tmp_path: Path
) -> None:
    """T-53: the copy is there, the marks are too, and the next one finishes what was begun."""
    path = tmp_path / "live.db"
    kernel = SqliteKernel(path)
    living = Marked(a_spec("a", schedules=(HOURLY,)), real=kernel).plan().until(NOON + 2 * HOUR)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from interlock.archive import archiver\n"
        "from interlock.archive.database import Archive\n"
        "from interlock.clients.postgres import Database\n"
        "from interlock.stores.sqlite.kernel import SqliteKernel\n"
        "archiver.strike = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "path, dsn, schema = sys.argv[1:]\n"
        "archiver.Archiver(SqliteKernel(Path(path)), Archive(Database(dsn), schema)).turn()\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path), there.server.dsn, there.schema], check=False)
    assert died.returncode == -signal.SIGKILL
    copied = there.counts()
    assert copied["journal"] > 0
    assert waiting(kernel) > 0
    report = there.archiver(kernel).turn()
    assert (report.rows, waiting(kernel)) == (0, 0)
    assert there.counts() == copied
    assert there.count("journal") == sum(run.version for run in living.runs())
    kernel.close()


@pytest.mark.parametrize("number", range(0, 24, 3))
def test_a_live_store_that_fails_anywhere_costs_nothing_but_time(there: Outside, number: int) -> None:
    """Before a call or after it: the next turn goes on."""
    living = a_day(1)
    archiver = there.archiver(living.faulty)
    living.faulty.fail_at(number, after=bool(number % 2))
    with pytest.raises(StoreUnavailable):
        archiver.turn()
    living.faulty.heal()
    archiver.turn()
    assert archived_events(there) == expected_events(living)
    assert waiting(living.real) == 0


def test_an_archive_that_was_away_has_everything_when_it_is_back() -> None:
    """T-52: nothing is trimmed meanwhile, and nothing skipped afterwards."""
    with have("postgres", PostgresServer) as server:
        there = Outside(server)
        living = a_day(2)
        archiver = there.archiver(living.marking)
        archiver.turn()
        server.kill()
        living.until(NOON + 5 * HOUR)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                archiver.turn()
        behind = waiting(living.real)
        server.start()
        assert archiver.turn().marks == behind > 0
        assert archived_events(there) == expected_events(living)
        there.archive.close()


def test_two_archivers_at_once_make_one_row_of_each_fact(there: Outside, tmp_path: Path) -> None:
    """Nothing rests on there being one of them."""
    kernel = SqliteKernel(tmp_path / "live.db")
    living = Marked(a_spec("a", schedules=(HOURLY,)), real=kernel).plan().until(NOON + 3 * HOUR)
    many = MarkingKernel(kernel, lambda: NOON)
    for number in range(300):
        note(many, a_note(number, NOON))
    failed: list[BaseException] = []

    def copy() -> None:
        try:
            there.archiver(kernel).turn()
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=copy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert failed == []
    assert waiting(kernel) == 0
    assert there.count("journal") == sum(run.version for run in living.runs())
    assert there.ask("SELECT count(*) FROM {}.events WHERE kind = 'MARKER_RECEIVED'") == [(300,)]
    kernel.close()


def test_a_newer_state_is_never_replaced_by_an_older_one(there: Outside) -> None:
    """Two who copy at once may come in any order."""
    living = a_day(1)
    run = living.runs()[0]
    pk, sk = keys.slot_pk(run.key.slot), keys.run_sk(run.key.number)
    newest = living.real.get(pk, sk)
    archiver = there.archiver(living.marking)
    archiver.turn()
    assert newest is not None
    older = {**newest.body, "version": 1, "status": "PENDING"}
    rows = rows_of(Record(pk=pk, sk=sk, version=1, body=older))
    there.archive.write(Page(rows))
    assert there.ask(f"SELECT status, version FROM {{}}.runs WHERE run_id = '{run.key.run_id}'") == [
        (run.status, run.version)
    ]


# ---------------------------------------------------------------------- what was there before


def test_what_was_written_before_there_were_marks_is_copied_once_and_then_only_what_is_new(there: Outside) -> None:
    """T-51: also of pipelines that no file names any more."""
    living = a_day(2)
    for row in everything(living.real):
        if row.kind == keys.ARCHIVE_KIND:
            living.real.commit(row.pk, [Delete(row.sk)])
    note(living.real, a_note(1, NOON, pipeline="forgotten"))
    archiver = there.archiver(living.marking)
    assert everything_archived(living.real) is False
    report = archiver.turn()
    assert (report.marks, report.whole, everything_archived(living.real)) == (0, True, True)
    assert there.ask("SELECT count(*) FROM {}.events WHERE pipeline_id = 'forgotten'") == [(1,)]
    living.until(NOON + 3 * HOUR)
    assert archiver.turn().marks > 0
    events = archived_events(there)
    assert expected_events(living) - events == Counter()
    # A process that marks nothing wrote this; only copying everything finds it.
    note(living.real, a_note(2, NOON, pipeline="forgotten"))
    assert archiver.turn().rows == 0
    archiver.begin_anew()
    assert archiver.turn().rows == 1


def test_copying_everything_goes_on_where_it_was_broken_off(there: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor is written in the transaction of what it stands behind, and no error is taken for "never begun"."""
    living = a_day(2)
    monkeypatch.setattr(archiving, "ROWS", 10)
    first = there.archiver(living.real, stopped=lambda: there.archive.cursor("copy") is not None)
    assert first.turn().whole is False
    cursor = there.archive.cursor("copy")
    assert cursor not in (None, "done")
    walked: list[str | None] = []
    real = living.faulty.real
    walk = MemoryKernel.walk

    def looked(self: MemoryKernel, after: str | None, limit: int) -> object:
        walked.append(after)
        return walk(self, after, limit)

    monkeypatch.setattr(MemoryKernel, "walk", looked)
    assert there.archiver(real).turn().whole is True
    assert None not in walked
    assert archived_events(there) == expected_events(living)


def test_a_cursor_that_cannot_be_read_is_an_error_and_not_a_beginning(there: Outside) -> None:
    """T-53: an error is no empty cursor, from which everything would be copied again."""
    there.archive.prepare()
    assert there.archive.cursor("copy") is None
    there.ask("DROP TABLE {}.archive_cursors")
    with pytest.raises(StoreError, match="a table or column of it was removed"):
        there.archive.cursor("copy")


def test_a_table_that_was_removed_is_told_of_with_the_way_back_which_works(there: Outside) -> None:
    living = a_day(1)
    archiver = there.archiver(living.marking)
    archiver.turn()
    there.ask("DROP TABLE {}.journal CASCADE")
    note(living.marking, a_note(1, NOON))
    archiver.begin_anew()
    with pytest.raises(StoreError, match="drop it whole, and `interlock archive` makes it anew"):
        archiver.turn()
    there.ask("DROP SCHEMA {} CASCADE")
    assert there.archiver(living.marking).turn().whole is True
    assert archived_events(there) == expected_events(living)


def test_an_archive_that_was_taken_back_to_an_earlier_state_gets_everything_again(there: Outside) -> None:
    """What was struck since is not in a backup of it, and no mark says so any more."""
    living = a_day(2)
    archiver = there.archiver(living.marking)
    note(living.marking, a_note(1, NOON))
    archiver.turn()
    earlier = there.archive.generation()
    living.until(NOON + 3 * HOUR)
    archiver.turn()
    there.ask("DELETE FROM {}.events; DELETE FROM {}.journal")
    there.ask(f"UPDATE {{}}.archive_cursors SET cursor_value = '{earlier}' WHERE data_type = 'generation'")
    assert archiver.behind().level is False
    assert archiver.turn().again is True
    assert archived_events(there) == expected_events(living)
    assert archiver.turn().again is False
    assert archiver.behind().level is True


def test_a_new_archive_of_an_old_store_is_filled_without_being_told_to(there: Outside) -> None:
    """Another DSN, or an empty database: whatever was struck for the one before is copied as well."""
    living = a_day(2)
    there.archiver(living.marking).turn()
    with_another = Outside(there.server)
    report = with_another.archiver(living.marking).turn()
    assert (report.again, report.whole) == (False, True)
    assert archived_events(with_another) == expected_events(living)
    with_another.archive.close()


# ---------------------------------------------------------------------- how far behind


def test_it_says_how_far_behind_it_is(there: Outside) -> None:
    """And writes nothing for that, not even its tables."""
    living = Marked(a_spec())
    archiver = there.archiver(living.marking)
    note(living.marking, a_note(1, NOON))
    living.clock.advance(MINUTE)
    note(living.marking, a_note(2, NOON))
    behind = archiver.behind()
    assert (behind.waiting, behind.since, behind.whole, behind.level) == (2, NOON, False, False)
    assert there.archive.exists() is False
    assert archive_position(living.real) == NOON
    archiver.turn()
    assert archiver.behind() == archiving.Behind(0, None, 0, True, ())
    assert archive_position(living.real) is None


def test_any_number_of_processes_may_make_the_tables_at_once(there: Outside) -> None:
    """Whoever starts first does."""
    program = (
        "import sys\n"
        "from interlock.archive.database import Archive\n"
        "from interlock.clients.postgres import Database\n"
        "Archive(Database(sys.argv[1]), sys.argv[2]).prepare()\n"
    )
    command = [sys.executable, "-c", program, there.server.dsn, there.schema]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ) for _ in range(3)]
    assert [(racer.communicate(timeout=50)[1], racer.returncode) for racer in racers] == [(b"", 0)] * 3
    assert there.archive.exists() is True
