"""Who is at work, over any kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.codec import wire
from interlock.ports.members import Member
from interlock.stores import keys
from interlock.stores.kernel import Delete, Kernel, Put, Record
from interlock.stores.paging import rows_in
from interlock.stores.repository import decoded

if TYPE_CHECKING:
    from interlock.ports.members import Members


class MemberRows:
    """Keeps the members of each role in a partition of their own; a row's version is the member's epoch.

    A name whose member was reaped begins again at epoch 1. So whoever renews or drops is compared by all that tells one
    process from another, too: one that comes back to life cannot take over the lease of its successor.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def members(self, role: str) -> tuple[Member, ...]:
        """Return every member of a role, dead or alive, by name."""
        found = rows_in(self._kernel, keys.members_pk(role))
        return tuple(sorted((decoded(record, Member) for record in found), key=lambda member: member.name))

    def put_member(self, member: Member) -> bool:
        """Join (epoch 1) or renew (epoch n replaces n-1); False when somebody reaped or replaced it."""
        pk, sk = keys.members_pk(member.role), keys.member_sk(member.name)
        if member.epoch > 1 and not self._is_there(member, member.epoch - 1):
            return False
        row = Record(pk=pk, sk=sk, version=member.epoch, body=wire.to_builtins(member))
        return self._kernel.commit(pk, [Put(row)])

    def drop_member(self, member: Member) -> bool:
        """Remove a member at its epoch; False when it has renewed or is gone."""
        pk, sk = keys.members_pk(member.role), keys.member_sk(member.name)
        return self._is_there(member, member.epoch) and self._kernel.commit(pk, [Delete(sk, member.epoch)])

    def _is_there(self, member: Member, epoch: int) -> bool:
        record = self._kernel.get(keys.members_pk(member.role), keys.member_sk(member.name))
        if record is None or record.version != epoch:
            return False
        return _identity(decoded(record, Member)) == _identity(member)


def _identity(member: Member) -> tuple[object, ...]:
    return member.host, member.pid, member.started, member.joined_at


if TYPE_CHECKING:

    def _are_members(it: MemberRows) -> Members:
        return it
