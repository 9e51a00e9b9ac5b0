"""Leases: who of several watchers does what."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from interlock.ports.members import Member
from interlock.runtime.leases import LENGTH, LOOK, WATCHER, Lease, Process, is_gone, started_at, this_process
from interlock.stores.kernel import Page, Put
from interlock.stores.members import MemberRows
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import NOON, SECOND

SUBJECTS = [f"pipeline-{number}" for number in range(300)]


class Crew:
    """Some watchers of one store."""

    def __init__(self, count: int) -> None:
        self.kernel = MemoryKernel()
        self.members = MemberRows(self.kernel)
        self.leases = [Lease(self.members, process=Process(f"host-{number}", number, "1")) for number in range(count)]
        self.now = NOON

    def hold(self, *, span: timedelta = timedelta(), without: int | None = None) -> list[bool]:
        self.now += span
        return [each.hold(self.now) for place, each in enumerate(self.leases) if place != without]

    def shares(self, *leases: Lease) -> list[set[str]]:
        return [{subject for subject in SUBJECTS if each.mine(subject)} for each in leases or self.leases]


def test_a_single_watcher_does_everything() -> None:
    crew = Crew(1)
    assert crew.hold() == [True]
    assert crew.shares() == [set(SUBJECTS)]
    assert crew.leases[0].is_first()


def test_several_watchers_share_everything_and_nothing_twice() -> None:
    crew = Crew(3)
    crew.hold()
    crew.hold(span=LOOK)
    one, two, three = crew.shares()
    assert one | two | three == set(SUBJECTS)
    assert len(one) + len(two) + len(three) == len(SUBJECTS)
    assert min(map(len, (one, two, three))) > len(SUBJECTS) // 6
    assert [lease.is_first() for lease in crew.leases].count(True) == 1


def test_the_share_of_one_that_has_died_is_handed_over_and_nothing_else_moves() -> None:
    crew = Crew(3)
    crew.hold()
    crew.hold(span=LOOK)
    before = crew.shares()
    for _ in range(4):
        crew.hold(span=LENGTH / 3, without=2)
    one, two = crew.shares(*crew.leases[:2])
    assert one | two == set(SUBJECTS)
    assert before[0] <= one
    assert before[1] <= two
    assert [member.name for member in crew.members.members(WATCHER)] == sorted(lease.name for lease in crew.leases[:2])


def test_a_lease_is_over_at_the_instant_it_names() -> None:
    crew = Crew(2)
    crew.hold()
    crew.hold(span=LENGTH, without=1)
    assert [member.name for member in crew.members.members(WATCHER)] == [crew.leases[0].name]


def test_one_that_leaves_hands_its_share_over_at_once() -> None:
    crew = Crew(2)
    crew.hold()
    crew.leases[1].leave()
    crew.hold(span=LOOK, without=1)
    assert crew.shares(crew.leases[0]) == [set(SUBJECTS)]


def test_one_that_was_replaced_gives_back_nothing_that_is_somebody_elses() -> None:
    """BUG-39."""
    crew = Crew(2)
    crew.hold()
    sleeper = crew.leases[1]
    for _ in range(5):
        crew.hold(span=LENGTH / 3, without=1)
    again = Lease(crew.members, process=Process("host-1", 1, "1"))
    again._name = sleeper.name  # its successor under the same name
    again.hold(crew.now)
    sleeper.leave()
    assert sleeper.name in [member.name for member in crew.members.members(WATCHER)]


def test_one_that_was_held_up_joins_again_before_it_does_anything() -> None:
    """T-50: it was taken for dead; what it held for its own may be somebody else's by now."""
    crew = Crew(2)
    crew.hold()
    for _ in range(5):
        crew.hold(span=LENGTH / 3, without=1)
    sleeper = crew.leases[1]
    assert sleeper.hold(crew.now)
    crew.leases[0].hold(crew.now + LOOK)
    one, two = crew.shares()
    assert not one & two
    assert len(crew.members.members(WATCHER)) == 2


def test_a_lease_is_renewed_when_a_third_of_it_is_over_and_not_before() -> None:
    crew = Crew(1)
    crew.hold()
    crew.hold(span=LENGTH / 3 - SECOND)
    assert crew.members.members(WATCHER)[0].epoch == 1
    crew.hold(span=SECOND)
    assert crew.members.members(WATCHER)[0].epoch == 2


def test_the_end_of_the_last_whole_turn_is_told_with_the_lease() -> None:
    crew = Crew(1)
    crew.hold()
    crew.leases[0].hold(NOON + LENGTH, NOON + 9 * SECOND)
    assert crew.members.members(WATCHER)[0].progress_at == NOON + 9 * SECOND


def test_a_clock_that_was_set_back_keeps_the_lease() -> None:
    crew = Crew(1)
    crew.hold()
    assert crew.leases[0].hold(NOON - timedelta(hours=1))
    assert crew.members.members(WATCHER)[0].until == NOON - timedelta(hours=1) + LENGTH


def test_a_renewal_whose_answer_was_lost_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(1)
    crew.hold()
    real = MemberRows.put_member

    def lost(rows: MemberRows, member: Member) -> bool:
        real(rows, member)
        monkeypatch.setattr(MemberRows, "put_member", real)
        return False

    monkeypatch.setattr(MemberRows, "put_member", lost)
    assert crew.leases[0].hold(NOON + LENGTH)
    assert len(crew.members.members(WATCHER)) == 1


def test_a_lease_that_cannot_be_had_lets_nothing_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(1)
    monkeypatch.setattr(MemberRows, "put_member", lambda _rows, _member: False)
    assert crew.hold() == [False]


def test_a_process_of_this_machine_that_is_gone_is_not_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = this_process()
    member = Member(
        role=WATCHER,
        name="child",
        host=here.host,
        pid=child.pid,
        started=started_at(child.pid),
        joined_at=NOON,
        until=NOON + LENGTH,
    )
    assert not is_gone(member, here.host)
    assert is_gone(replace(member, started="1"), here.host), "another process has its number by now"
    child.communicate()
    assert is_gone(member, here.host)
    assert not is_gone(member, "elsewhere"), "of other machines nothing is certain"


def test_a_member_whose_process_is_gone_is_reaped_before_its_lease_is_over() -> None:
    crew = Crew(2)
    crew.leases[0] = Lease(crew.members, process=Process("host-0", 0, "1"), gone=lambda member, _host: member.pid == 1)
    crew.hold()
    crew.hold(span=LOOK, without=1)
    assert crew.shares(crew.leases[0]) == [set(SUBJECTS)]


def test_a_process_that_belongs_to_somebody_else_is_not_gone() -> None:
    member = Member(role=WATCHER, name="init", host="here", pid=1, started="", joined_at=NOON, until=NOON)
    assert not is_gone(member, "here")


def test_of_a_process_that_is_not_there_nobody_knows_when_it_began() -> None:
    assert started_at(2**22 + 1) == ""
    assert started_at(os.getpid()) == this_process().started != ""


def test_a_row_of_another_member_that_cannot_be_read_stops_nobody() -> None:
    crew = Crew(2)
    crew.hold()
    (row,) = [each for each in crew.kernel.rows("members/watcher", "", Page()) if "host-1" in each.sk]
    assert crew.kernel.commit(row.pk, [Put(replace(row, version=row.version + 1, body={"odd": 1}))])
    assert crew.leases[0].hold(NOON + LENGTH)
    assert crew.shares(crew.leases[0]) == [set(SUBJECTS)]
