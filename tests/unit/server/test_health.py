"""How the process is: looked at seldom, answered quickly, and telling nothing secret."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta

import msgspec

from interlock.errors import StoreUnavailable
from interlock.server.health import Health, Peers, ReadyView, Seen, SignOfLife, StoreLook
from interlock.testing.builders import NOON, SECOND
from interlock.testing.clock import FakeClock

MINUTE = timedelta(minutes=1)


class Store:
    """A store that is looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.trouble = ""
        self.seen = Seen()
        self.hangs = threading.Event()
        self.hangs.set()

    def look(self) -> Seen:
        self.looks += 1
        assert self.hangs.wait(30)
        if self.trouble:
            raise StoreUnavailable(self.trouble)
        return self.seen


class Rig:
    """A process whose time is told by the test."""

    def __init__(self, *, deadline: timedelta = timedelta(seconds=20)) -> None:
        self.store = Store()
        self.said: list[str] = []
        self.seconds = 0.0
        self.clock = FakeClock(NOON)
        self.progress: datetime | None = NOON
        self.alive = True
        self.broken = 0
        look = StoreLook(self.store.look, self.said.append, deadline=deadline, seconds=lambda: self.seconds)
        sign = SignOfLife("watcher", lambda: self.progress, MINUTE, lambda: self.alive)
        self.health = Health(self.clock, look, [sign], lambda: self.broken)

    def ready(self) -> ReadyView:
        self.seconds += 10
        return asyncio.run(self.health.ready())

    def bad(self) -> list[str]:
        return [check.name for check in self.ready().checks if not check.ok]


def test_all_is_well_where_everything_gets_on() -> None:
    view = Rig().ready()
    assert view.status == "ok"
    assert [check.name for check in view.checks] == ["store", "watcher", "configuration", "draining"]
    assert all(check.ok and check.since is None for check in view.checks)


def test_a_flood_of_questions_is_one_look() -> None:
    rig = Rig()

    async def flood() -> None:
        await asyncio.gather(*(rig.health.ready() for _ in range(500)))
        for _ in range(500):
            assert await rig.health.well()

    asyncio.run(flood())
    assert rig.store.looks == 1


def test_an_answer_is_good_for_a_moment_only() -> None:
    rig = Rig()
    assert rig.bad() == []
    rig.store.trouble = "the disk is gone"
    assert rig.bad() == ["store"]
    assert rig.store.looks == 2


def test_a_bad_check_says_since_when_and_no_more_once_it_is_good() -> None:
    rig = Rig()
    rig.store.trouble = "gone"
    rig.ready()
    rig.clock.advance(MINUTE)
    rig.progress = rig.clock.now()
    assert rig.ready().checks[0].since == NOON
    rig.store.trouble = ""
    assert rig.ready().checks[0].since is None


def test_what_is_answered_tells_no_path_and_no_reason_and_the_log_does_once() -> None:
    rig = Rig()
    rig.store.trouble = "cannot write /srv/secret/interlock.db"
    for _ in range(3):
        assert b"/srv/secret" not in msgspec.json.encode(rig.ready())
    assert [line for line in rig.said if "/srv/secret/interlock.db" in line] == rig.said
    assert len(rig.said) == 1
    rig.store.trouble = ""
    rig.ready()
    assert rig.said[-1] == "the store can be used again"


def test_a_store_that_hangs_is_not_waited_for_beyond_its_deadline() -> None:
    rig = Rig(deadline=timedelta(milliseconds=50))
    rig.store.hangs.clear()

    async def ask() -> list[ReadyView]:
        return await asyncio.gather(*(rig.health.ready() for _ in range(50)))

    async def ask_and_let_go() -> list[ReadyView]:
        views = await ask()
        rig.seconds += 60  # whoever asks now finds that somebody has waited long enough
        views += await ask()
        rig.store.hangs.set()
        return views

    views = asyncio.run(ask_and_let_go())
    assert {view.status for view in views} == {"degraded"}
    assert views[-1].checks[0].message == "the store did not answer within 0.05 s"
    assert rig.store.looks == 1


def test_a_watcher_that_does_not_get_on_is_told() -> None:
    """T-92."""
    rig = Rig()
    rig.clock.advance(MINUTE + SECOND)
    view = rig.ready()
    assert view.status == "degraded"
    check = view.checks[1]
    assert (check.ok, check.age_seconds) == (False, 61.0)
    assert check.message == "the watcher has not got on for 1m1s, and should within 1m"


def test_a_watcher_that_never_got_on_counts_from_the_beginning() -> None:
    rig = Rig()
    rig.progress = None
    assert rig.bad() == []
    rig.clock.advance(MINUTE + SECOND)
    assert rig.bad() == ["watcher"]


def test_a_dead_part_is_told_at_once() -> None:
    rig = Rig()
    rig.alive = False
    assert rig.ready().checks[1].message == "the watcher of this process is dead"


def test_files_that_cannot_be_used_are_told_and_take_nothing_away() -> None:
    rig = Rig()
    rig.broken = 3
    view = rig.ready()
    assert (view.status, view.checks[2].ok, view.checks[2].counts) == ("ok", False, False)
    rig.store.seen = Seen(rejected=True)
    assert "what was read before counts" in rig.ready().checks[2].message


def test_a_process_about_to_leave_is_not_ready_and_not_ill() -> None:
    rig = Rig()
    rig.health.draining = True
    rig.alive = False
    assert rig.ready().status == "draining"
    assert asyncio.run(rig.health.well())


def test_who_else_works_on_the_store_is_shown() -> None:
    rig = Rig()
    rig.store.seen = Seen((Peers("watcher", 2, NOON - 3 * SECOND), Peers("watchdog", 0, None)))
    shown = [(peer.role, peer.alive, peer.age_seconds) for peer in rig.ready().peers]
    assert shown == [("watcher", 2, 3.0), ("watchdog", 0, None)]


def test_the_last_thing_seen_is_shown_while_the_store_hangs() -> None:
    rig = Rig(deadline=timedelta(milliseconds=50))
    rig.store.seen = Seen((Peers("watcher", 1, NOON),))
    rig.ready()
    rig.store.hangs.clear()
    view = rig.ready()
    assert [peer.alive for peer in view.peers] == [1]
    rig.store.hangs.set()
