"""Leases, over every kernel."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.ports.members import Member
from interlock.stores.kernel import Kernel
from interlock.stores.members import MemberRows
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON
from interlock.testing.conformance.kernel_values import at_once

MEMBER = Member(
    role="watcher", name="host-1", host="host", pid=1, started="77", joined_at=NOON, until=NOON + timedelta(seconds=30)
)


@pytest.fixture
def rows(kernel: Kernel) -> MemberRows:
    return MemberRows(kernel)


def _renewed(member: Member) -> Member:
    return replace(member, epoch=member.epoch + 1, until=member.until + MINUTE, progress_at=NOON)


def test_a_member_joins_once_and_renews_by_one(rows: MemberRows) -> None:
    """BUG-05, T-50."""
    assert rows.put_member(MEMBER)
    assert not rows.put_member(MEMBER)
    assert not rows.put_member(replace(MEMBER, epoch=3))
    assert rows.put_member(_renewed(MEMBER))
    assert not rows.put_member(_renewed(MEMBER))
    assert rows.members("watcher") == (_renewed(MEMBER),)


def test_a_member_that_was_never_there_cannot_be_renewed_or_dropped(rows: MemberRows) -> None:
    """LAT-43."""
    assert not rows.put_member(_renewed(MEMBER))
    assert not rows.drop_member(MEMBER)
    assert rows.members("watcher") == ()


def test_a_member_that_has_renewed_is_not_reaped(rows: MemberRows) -> None:
    """BUG-39, T-03: the reaper saw an older epoch."""
    assert rows.put_member(MEMBER)
    assert rows.put_member(_renewed(MEMBER))
    assert not rows.drop_member(MEMBER)
    assert rows.members("watcher") == (_renewed(MEMBER),)


def test_a_member_that_was_reaped_cannot_renew(rows: MemberRows) -> None:
    """T-02, BUG-39: it learns that it is out."""
    assert rows.put_member(MEMBER)
    assert rows.drop_member(MEMBER)
    assert not rows.drop_member(MEMBER)
    assert not rows.put_member(_renewed(MEMBER))
    assert rows.members("watcher") == ()


@pytest.mark.parametrize("change", [{"pid": 2}, {"host": "other"}, {"started": "78"}, {"joined_at": NOON + MINUTE}])
def test_a_lease_that_has_passed_to_a_namesake_is_neither_renewed_nor_released(
    rows: MemberRows, change: dict[str, object]
) -> None:
    """BUG-39, T-03: not even when the epochs happen to agree."""
    assert rows.put_member(MEMBER)
    assert rows.drop_member(MEMBER)
    successor = replace(MEMBER, **change)
    assert rows.put_member(successor)
    assert not rows.put_member(_renewed(MEMBER))
    assert not rows.drop_member(MEMBER)
    assert rows.members("watcher") == (successor,)


def test_members_come_by_name_and_by_role(rows: MemberRows) -> None:
    """T-64, LAT-30."""
    names = ["b", "a#1", "a/1", "a", "%", "nul\0", "x" * 3000]
    for role in ("watcher", "watch", "watcher/2", ""):
        for name in names:
            assert rows.put_member(replace(MEMBER, role=role, name=name))
    for role in ("watcher", "watch", "watcher/2", ""):
        assert [(member.role, member.name) for member in rows.members(role)] == [(role, name) for name in sorted(names)]
    assert rows.members("nobody") == ()


def test_many_members_are_all_there(rows: MemberRows) -> None:
    """BUG-41."""
    for number in range(501):
        assert rows.put_member(replace(MEMBER, name=f"host-{number:03d}"))
    assert len(rows.members("watcher")) == 501


def test_of_many_who_renew_or_reap_at_once_one_does(rows: MemberRows) -> None:
    """BUG-05, BUG-130."""
    for round_ in range(5):
        member = replace(MEMBER, name=f"host-{round_}")
        assert at_once(8, lambda _: rows.put_member(member)).count(True) == 1  # noqa: B023  (run at once)
        won = at_once(8, lambda me: (rows.drop_member if me % 2 else rows.put_member)(_turn(member, me)))  # noqa: B023
        assert won.count(True) == 1
        kept = [each.name for each in rows.members("watcher")].count(member.name)
        assert kept == (0 if won.index(True) % 2 else 1)


def _turn(member: Member, me: int) -> Member:
    return member if me % 2 else _renewed(member)


def test_members_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    assert MemberRows(kernel).put_member(MEMBER)
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    assert MemberRows(kernel).members("watcher") == (MEMBER,)
    assert MemberRows(kernel).put_member(_renewed(MEMBER))
    kernel.close()
