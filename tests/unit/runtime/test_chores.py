"""What a watcher does now and then beside its work."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace
from tests.unit.runtime.rig import Rig

from interlock.core.alerts import AlertType, NoticeKind
from interlock.ports.members import Member
from interlock.runtime.chores import Chore, Chores, look_after_watchdog
from interlock.testing.builders import MINUTE, NOON, SECOND


def count(rig: Rig, chore: Chore, *, first: bool = True, turns: tuple[timedelta, ...] = (timedelta(),)) -> Chores:
    chores = Chores(rig.station, [chore])
    for span in turns:
        chores.do(rig.clock.advance(span), first=first)
    return chores


def test_a_chore_is_done_at_once_and_then_at_its_interval() -> None:
    rig, done = Rig(), list[int]()
    chore = Chore("dust", lambda: done.append(1), MINUTE)
    count(rig, chore, turns=(timedelta(), 59 * SECOND, SECOND, SECOND))
    assert len(done) == 2


def test_a_chore_without_an_interval_is_done_once_and_when_asked_for() -> None:
    rig, done = Rig(), list[int]()
    chores = count(rig, Chore("read", lambda: done.append(1), None), turns=(timedelta(), MINUTE))
    assert len(done) == 1
    chores.ask()
    chores.do(rig.clock.now(), first=True)
    assert len(done) == 2


def test_what_one_does_for_all_is_not_done_by_the_others() -> None:
    rig, done = Rig(), list[int]()
    chores = count(rig, Chore("purge", lambda: done.append(1), MINUTE, alone=True), first=False)
    assert done == []
    assert chores.done


def test_a_chore_that_is_still_under_way_is_not_begun_again() -> None:
    rig, done = Rig(), list[int]()
    rig.lane("chores").held = True
    chores = count(rig, Chore("slow", lambda: done.append(1), SECOND), turns=(timedelta(), MINUTE, MINUTE))
    assert not chores.done
    rig.lane("chores").go()
    assert (len(done), chores.done) == (1, True)


def test_a_chore_that_fails_says_so_once_and_is_done_again() -> None:
    rig = Rig()

    def fails() -> None:
        raise RuntimeError("odd")

    count(rig, Chore("sweep", fails, SECOND), turns=(timedelta(), SECOND, SECOND))
    assert rig.news == ["trouble sweep: RuntimeError: odd"]


def test_nothing_is_begun_once_nothing_is_taken_any_more() -> None:
    rig, done = Rig(), list[int]()
    rig.lane("chores").forget()
    chores = count(rig, Chore("late", lambda: done.append(1), SECOND))
    assert (done, chores.done) == ([], True)


def scanned(rig: Rig, at: datetime | None) -> None:
    members = rig.station.hands.members
    for member in members.members("watchdog"):
        members.drop_member(member)
    assert members.put_member(
        Member(
            role="watchdog",
            name="dog",
            host="here",
            pid=1,
            started="1",
            joined_at=NOON,
            until=NOON + MINUTE,
            progress_at=at,
        )
    )


def test_a_watchdog_that_stops_scanning_is_told_once_and_its_return_too() -> None:
    rig = Rig()
    scanned(rig, NOON)
    for _ in range(5):
        look_after_watchdog(rig.station, 5 * MINUTE)
        rig.clock.advance(5 * MINUTE)
        rig.turns()
    assert rig.told() == [AlertType.WATCHDOG_STALLED]
    scanned(rig, rig.clock.now())
    look_after_watchdog(rig.station, 5 * MINUTE)
    look_after_watchdog(rig.station, 5 * MINUTE)
    rig.turns()
    assert [notice.kind for notice in rig.sink.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def test_a_watchdog_that_has_just_begun_is_given_its_time() -> None:
    rig = Rig()
    scanned(rig, None)
    rig.clock.advance(15 * MINUTE)
    look_after_watchdog(rig.station, 5 * MINUTE)
    rig.turns()
    assert rig.told() == []


def test_a_watchdog_that_nobody_started_is_not_missed() -> None:
    rig = Rig()
    look_after_watchdog(rig.station, 5 * MINUTE)
    rig.turns()
    assert rig.told() == []


def test_where_one_of_two_watchdogs_scans_none_is_missed() -> None:
    rig = Rig()
    scanned(rig, NOON)
    (dead,) = rig.station.hands.members.members("watchdog")
    rig.clock.advance(60 * MINUTE)
    assert rig.station.hands.members.put_member(replace(dead, name="other", progress_at=rig.clock.now()))
    look_after_watchdog(rig.station, 5 * MINUTE)
    rig.turns()
    assert rig.told() == []
