"""The Redis store on a real cluster: slots that move, members that fail, and settings that do not fit."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from functools import partial
from threading import Thread

import pytest
from tests.contract.redis_opening import at_last, opened
from tests.servers.redis import RedisServer

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.kernel import Page
from interlock.stores.redis.layout import SHARDS, keys_of, shard_of
from interlock.testing.conformance.kernel_values import NOON, a_record, keep

pytestmark = pytest.mark.service


def test_a_slot_that_moves_to_another_member_is_followed(members: list[RedisServer]) -> None:
    """Also while its keys are on the way, one after the other."""
    ids = [str(member.ask("CLUSTER", "MYID")) for member in members]
    keys = keys_of("interlock:", shard_of("p"))
    slot = int(str(members[0].ask("CLUSTER", "KEYSLOT", keys.rows.decode())))
    with closing(opened(members[0].url, cluster=True)) as kernel, closing(opened(members[1].url, cluster=True)) as late:
        keep(kernel, a_record(kind="k", wake_at=NOON))
        source = next(n for n, member in enumerate(members) if member.ask("CLUSTER", "COUNTKEYSINSLOT", slot))
        target = (source + 1) % 3
        members[target].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        members[source].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        _migrate(members[source], members[target], keys.rows.decode())
        assert kernel.get("p", "a") == a_record(kind="k", wake_at=NOON)  # ASK
        mover = Thread(target=_move_the_rest, args=(members, source, target, slot, ids))
        mover.start()
        keep(kernel, a_record(version=2, kind="k"))  # TRYAGAIN until all have come, then ASK or MOVED
        mover.join()
        assert late.rows("p", "", Page()) == late.listing("k", Page()) == [a_record(version=2, kind="k")]
        keep(late, a_record(version=3))
        kernel.ping()


def _migrate(source: RedisServer, target: RedisServer, key: str) -> None:
    assert source.ask("MIGRATE", target.host, target.port, key, 0, 5000) == "OK"


def _move_the_rest(members: list[RedisServer], source: int, target: int, slot: int, ids: list[str]) -> None:
    left = members[source].ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
    assert isinstance(left, list)
    for key in left:
        _migrate(members[source], members[target], str(key))
    for member in (members[target], members[source], members[3 - source - target]):
        member.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def test_a_cluster_and_a_lone_server_are_not_taken_for_each_other(
    redis_server: RedisServer, members: list[RedisServer]
) -> None:
    """Each says what to set."""
    with pytest.raises(StoreError, match=r"Set redis\.cluster to false"):
        opened(redis_server.url, cluster=True)
    with pytest.raises(StoreError, match=r"Set redis\.cluster to true"):
        opened(members[0].url)


def test_a_prefix_may_choose_one_slot_for_all_its_keys(members: list[RedisServer]) -> None:
    """Braces in it mean to a cluster what they always mean, unless they would tear the keys of a shard apart."""
    with closing(opened(members[0].url, cluster=True, key_prefix="{one}:")) as kernel:
        keep(kernel, *(a_record(f"p{n}", kind="k") for n in range(2 * SHARDS)))
        assert len(kernel.listing("k", Page())) == 2 * SHARDS
    with pytest.raises(StoreError, match="tear its keys apart"):
        opened(members[0].url, cluster=True, key_prefix="one{}:")


def test_a_member_that_does_not_answer_fails_its_own_shards_until_it_does(members: list[RedisServer]) -> None:
    """And what comes back goes on."""
    with closing(opened(members[0].url, cluster=True, key_prefix="lost:", timeout=timedelta(seconds=1))) as kernel:
        rows = [a_record(f"p{n}") for n in range(2 * SHARDS)]
        keep(kernel, *rows)
        members[1].freeze()
        with pytest.raises(StoreUnavailable):
            [kernel.get(row.pk, row.sk) for row in rows]
        members[1].thaw()
        assert [at_last(partial(kernel.get, row.pk, row.sk)) for row in rows] == rows
