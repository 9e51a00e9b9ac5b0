"""What people are told of the archive, and who copies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_project
from tests.servers.postgres import PostgresServer
from tests.unit.archive.history import Marked, Outside, a_note, note, outside

from interlock.app.arrivals import open_run
from interlock.archive.gaps import Gap, GapReason, gap_of, journal_gap
from interlock.config.load import load_project
from interlock.core.alerts import AlertType
from interlock.core.runs import RunStatus
from interlock.errors import ConfigError
from interlock.ports.members import Member
from interlock.ports.stores import Commit
from interlock.runtime.archiving import ROLE, TOLD, Archiving, look_after_archive, open_archive, tell_gaps
from interlock.runtime.lanes import lanes_of
from interlock.runtime.retention import Retiring
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock
from interlock.stores.kernel import Delete, Page
from interlock.stores.marks import say_everything
from interlock.testing.builders import MINUTE, NOON, a_key, a_spec

HOUR = timedelta(hours=1)
DSN = "postgresql://someone:secret-word@127.0.0.1:1/history"


@pytest.fixture
def living() -> Marked:
    return Marked(a_spec())


def a_station(living: Marked) -> Station:
    return Station(living.hands, lanes_of(1), poke=lambda: None, news=lambda _line: None)


def told(living: Marked) -> list[str]:
    """Every alert that is open, by id."""
    return sorted(each.alert.alert_id for each in living.hands.dispatches.alerts(limit=100, open_only=True))


def project(root: Path, text: str = "") -> Path:
    """Make a project with an archive."""
    made = a_project(root)
    with (made / "interlock.yaml").open("a") as file:
        file.write(text or f"archiver: {{enabled: true, dsn: '{DSN}'}}\n")
    return made


# ---------------------------------------------------------------------- falling behind


def test_people_are_told_once_when_facts_wait_for_too_long_and_again_when_they_do_no_more(living: Marked) -> None:
    """T-52: PostgreSQL may be away for days, and nobody has to look for it."""
    station, kernel = a_station(living), living.marking
    fact = a_note(1, NOON)
    note(kernel, fact)
    living.clock.advance(HOUR)
    look_after_archive(station, kernel, HOUR)
    assert told(living) == []
    for _ in range(3):
        living.clock.advance(MINUTE)
        look_after_archive(station, kernel, HOUR)
    assert told(living) == ["archive_behind/interlock"]
    (alert,) = living.hands.dispatches.alerts(limit=1, open_only=True)
    assert "2026-03-07 12:00:00 UTC" in alert.alert.message
    (mark,) = (row for row in kernel.rows(fact.pk, "ARCHIVE#", Page()))
    kernel.commit(mark.pk, [Delete(mark.sk)])
    for row in kernel.listing("archive", Page()):  # those of the alert itself
        kernel.commit(row.pk, [Delete(row.sk)])
    look_after_archive(station, kernel, HOUR)
    assert told(living) == []


def test_a_long_open_alert_that_changes_is_a_new_fact_and_not_an_old_one(living: Marked) -> None:
    """A mark says since when it has been there, and not when what it names began."""
    station, kernel = a_station(living), living.marking
    station.alert(AlertType.CONFIG_REJECTED, "interlock", "x")
    for row in kernel.listing("archive", Page()):
        kernel.commit(row.pk, [Delete(row.sk)])
    living.clock.advance(48 * HOUR)
    station.mended(AlertType.CONFIG_REJECTED, "interlock", "mended")
    look_after_archive(station, kernel, HOUR)
    assert told(living) == []


# ---------------------------------------------------------------------- gaps


def gaps_of(key_number: int, *versions: int) -> list[Gap]:
    return [journal_gap(a_key(number=key_number), version) for version in versions]


def test_a_gap_is_told_with_its_run_and_versions_until_it_is_filled(living: Marked) -> None:
    """T-52."""
    gaps = [*gaps_of(1, 2, 3, 4, 9), gap_of("pipeline/example", "NOTE#x", GapReason.UNREADABLE, "it is damaged")]
    tell_gaps(gaps, living.hands)
    tell_gaps(gaps, living.hands)
    run = a_key().run_id
    assert told(living) == ["archive_gap/" + run, "archive_gap/pipeline/example"]
    alerts = {each.alert.run_id: each.alert for each in living.hands.dispatches.alerts(limit=9)}
    assert alerts[run].message.startswith(f"versions 2-4, 9 of {run} cannot be archived: version 2 of")
    assert alerts[run].slot == a_key().slot
    tell_gaps(gaps[-1:], living.hands)
    assert told(living) == ["archive_gap/pipeline/example"]
    tell_gaps([], living.hands)
    assert told(living) == []


def test_a_flood_of_gaps_is_not_a_flood_of_alerts(living: Marked) -> None:
    gaps = [gap for number in range(1, TOLD + 11) for gap in gaps_of(number, 1)]
    tell_gaps(gaps, living.hands)
    assert len(told(living)) == TOLD + 1
    alerts = living.hands.dispatches.alerts(limit=100)
    assert [each.alert.message for each in alerts if each.alert.alert_id == "archive_gap/interlock"] == [
        "10 more runs and rows are missing in the archive: interlock archive --check lists them"
    ]


# ---------------------------------------------------------------------- opening


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("archiver: {enabled: false}\n", "the archiver is off"),
        ("archiver: {enabled: true, dsn: 'postgresql://${env:NOBODY}@h/d'}\n", "archiver.dsn"),
    ],
)
def test_an_archive_that_cannot_be_opened_says_what_to_write(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_archive(load_project(project(tmp_path, text)), {})


def test_an_archive_that_cannot_be_reached_is_said_once_without_its_password(tmp_path: Path) -> None:
    """T-52: a day without PostgreSQL is one line in the log."""
    said: list[str] = []
    loaded = load_project(project(tmp_path))
    with Interlock(loaded, env={}) as work:
        archiving = Archiving(work, open_archive(loaded, {}), say=said.append)
        archiving.try_once()
        archiving.try_once()
        archiving.close()
    assert len(said) == 1
    assert "'history' at 127.0.0.1:1" in said[0]
    assert "secret-word" not in said[0]


def test_nothing_is_retired_before_everything_that_was_there_is_archived(tmp_path: Path) -> None:
    """T-52: what was written before there were marks has none, and would be gone."""
    loaded = load_project(project(tmp_path))
    with Interlock(loaded, env={}) as work:
        turns: list[str] = []
        retiring = Retiring(
            work, Station(work.hands, lanes_of(1), poke=lambda: None, news=turns.append), 30 * 24 * HOUR
        )
        past = work.clock.now() - 40 * 24 * HOUR
        slot = replace(a_key().slot, pipeline="orders")
        run = open_run(slot, loaded.pipelines["orders"].spec, work.store, past).run
        over = replace(run, version=2, status=RunStatus.CANCELLED, updated_at=past, ended_at=past, wake_at=None)
        assert work.store.commit(Commit(before=run, after=over))
        for wish in work.store.outstanding(run.key):
            work.store.settle(run.key, wish.id)
        for row in work.kernel.listing("archive", Page()):
            work.kernel.commit(row.pk, [Delete(row.sk)])
        retiring.do()
        assert turns == []
        say_everything(work.kernel, archived=True)
        retiring.do()
        assert turns == ["retired 1 slot: their history is over"]


# ---------------------------------------------------------------------- copying


@pytest.fixture
def there(postgres_server: PostgresServer) -> Iterator[Outside]:
    with outside(postgres_server) as made:
        yield made


@pytest.mark.service
def test_one_of_several_copies_and_the_others_leave_it_to_it(there: Outside, tmp_path: Path) -> None:
    """A lease in the store; what is copied does not depend on it."""
    text = f"archiver: {{enabled: true, dsn: '{there.server.dsn}', schema: {there.schema}}}\n"
    loaded = load_project(project(tmp_path, text))
    said: list[str] = []
    with Interlock(loaded, env={}) as work:
        note(work.kernel, a_note(1, NOON))
        now = work.clock.now()
        other = Member(role=ROLE, name="a", host="elsewhere", pid=1, started="", joined_at=now, until=now + HOUR)
        assert work.hands.members.put_member(other)
        archiving = Archiving(work, open_archive(loaded, {}), say=said.append)
        assert archiving.turn() is None
        report = archiving.turn(alone=False)
        assert report is not None
        assert report.marks == 1
        assert [each.name for each in work.hands.members.members(ROLE)] == ["a"]
        archiving.stop()
        archiving.run()
    assert there.count("events") == 1
    assert said == []
