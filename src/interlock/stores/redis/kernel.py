"""The store in Redis or Valkey, alone or as a cluster: for several machines, and the fastest of the stores with a server.

One script per commit compares all and then writes all, and nothing else runs in the server meanwhile. `get` and `rows`
are one command or script each, at the server that takes the writes, so they see whole commits and never the past.
`due` and `listing` ask all shards and put together what they answer: of two entries that are in different shards one may
be a moment older. How rows lie in the server is told in `layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from redis import exceptions as said

from interlock.clients.forks import Opener
from interlock.errors import StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Change, Page, Place, Record, Walk, as_ping
from interlock.stores.redis.calls import Call, Calls
from interlock.stores.redis.chime import RedisChime
from interlock.stores.redis.index import Span, members, page_of
from interlock.stores.redis.layout import (
    LAYOUT,
    SHARDS,
    ShardKeys,
    channel_of,
    damaged,
    due_at,
    field_of,
    instant_of,
    keys_of,
    packed,
    shard_of,
    unpacked,
)
from interlock.stores.redis.lines import Line
from interlock.stores.redis.moving import Written, restoring, walked
from interlock.stores.redis.options import RedisOptions, access_of
from interlock.stores.redis.routes import routes_of
from interlock.stores.redis.scripts import load_scripts
from interlock.stores.redis.server import advice_of, refuse_unfit
from interlock.stores.rows import Step, micros, names_between, steps_of
from interlock.stores.walking import place_of, restorable

if TYPE_CHECKING:
    from interlock.stores.kernel import Advised, Chime, Kernel, Walkable

_AT_ONCE: Final = 200
_DUE: Final = ShardKeys._fields.index("due")


class RedisKernel:
    """A kernel in a Redis or Valkey, which is asked at once whether it can be used.

    With `read_only` nothing is ever written, and a prefix under which nothing is stored reads as empty.

    Raises:
        StoreTooNew: a later Interlock wrote what is stored; it is left untouched.
        StoreUnavailable: trying again can help.
        StoreError: the server or the options cannot be used.
    """

    def __init__(self, options: RedisOptions, *, read_only: bool = False) -> None:
        access = access_of(options)
        self._options = options
        self._label = access.label
        self._read_only = read_only
        self._opener = Opener()
        self._patience = access.timeout
        self._scripts = load_scripts()
        self._keys = [keys_of(options.key_prefix, shard) for shard in range(SHARDS)]
        self._written: set[int] = set()
        self._routes = routes_of(access, options.key_prefix, cluster=options.cluster)
        self._calls = Calls(self._routes, access.timeout)
        self._chime = RedisChime(access, self._routes, channel_of(options.key_prefix))
        try:
            for lines in self._routes.all():
                refuse_unfit(lines, cluster=options.cluster)
            self._look()
        except BaseException:
            self.close()
            raise

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        self._refuse_fork()
        shard, field = shard_of(pk), field_of(pk, sk)
        value = self._calls.read(shard, "HGET", self._keys[shard].rows, field)
        return None if value is None else unpacked(field, value)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        steps = steps_of(pk, batch)
        self._refuse_writing()
        changes = [(field_of(pk, step.sk), step.expected, _change_of(step)) for step in steps]
        return self._commit(shard_of(pk), changes)

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        self._refuse_fork()
        if page.limit <= 0:
            return []
        low, high = names_between(prefix, page)
        bounds = b"[" + field_of(pk, low), b"(" + (pk.encode() + b"\1" if high is None else field_of(pk, high))
        if page.backwards:
            bounds = bounds[1], bounds[0]
        shard = shard_of(pk)
        keys = self._keys[shard]
        fields, values = self._calls.read_by(
            self._scripts.rows, shard, (2, keys.rows, keys.names, *bounds, page.limit, int(page.backwards))
        )
        return [unpacked(field, value) for field, value in zip(fields, values, strict=True)]

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        until = instant_of(micros(before) + 1)
        self._refuse_fork()
        if limit <= 0:
            return []
        found = members(self._calls, self._keys, Span(_DUE, b"-", b"(" + until), limit)
        return [due_at(member) for member in islice(found, limit)]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        self._refuse_fork()
        return page_of(self._calls, self._keys, kind, page)

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        until = instant_of(micros(now) + 1)
        self._refuse_writing()
        expired = self._calls.read_all(
            [Call(shard, ("ZLEXCOUNT", self._keys[shard].expiry, b"-", b"(" + until)) for shard in range(SHARDS)]
        )
        removed = 0
        for shard, count in enumerate(expired):
            removed += self._purge(shard, until, min(count, limit - removed))
        return removed

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor: by shard and partition, then by name."""
        place = None if after is None else place_of(after)
        self._refuse_fork()
        return walked(self._calls, self._keys, self._scripts.rows, place, limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none."""
        rows = restorable(records)
        self._refuse_writing()
        for shard, changes in restoring(self._calls, self._keys, rows):
            if not self._commit(shard, changes):
                raise StoreUnavailable(
                    f"the store {self._label} is written by somebody else while it is being restored. Some rows were "
                    "restored. End whatever uses it, and restore again: that completes it"
                )

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store can be read, and written if it is not opened for reading only."""
        with as_ping():
            self._refuse_fork()
            if not self._read_only:
                # It writes nothing, and needs all that a write needs: memory, a disk, replicas, and to be no replica itself.
                nothing = [Call(shard, ("SETRANGE", keys.layout, 0, b"")) for shard, keys in enumerate(self._keys)]
                self._calls.read_all(nothing, "write")
            self._look()

    def close(self) -> None:
        """Finish the commits already accepted and let go of all connections; later calls raise `StoreUnavailable`.

        In a forked child it does nothing: the connections are the parent's.
        """
        if self._opener.is_here:
            self._chime.close()
            self._routes.close(2 * self._patience)

    def ring(self) -> None:
        """Wake everybody who listens to this store."""
        if self._opener.is_here:
            self._chime.ring()

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard` after every ring, from a thread of its own, until the function that is returned is called."""
        return self._chime.listen(heard)

    def advice(self) -> tuple[str, ...]:
        """Look at the server, and return each thing that should be set up otherwise."""
        self._refuse_fork()
        return advice_of(self._routes.all(), self._options)

    def _commit(self, shard: int, changes: Sequence[Written]) -> bool:
        known = b"1" if shard in self._written else b""
        words: list[object] = [len(ShardKeys._fields), *self._keys[shard], LAYOUT, known]
        for field, expected, change in changes:
            words += field, b"" if expected is None else b"%d" % expected, change
        answer, survivors = self._calls.write(shard, partial(self._commit_by, words), "commit to")
        if answer not in (0, 1):
            raise self._refused(answer)
        if answer and any(len(change) > 1 for _, _, change in changes):
            self._written.add(shard)
        if survivors < self._options.wait_replicas:
            raise self._endangered(survivors)
        return bool(answer)

    def _commit_by(self, words: Sequence[object], line: Line) -> tuple[Any, int]:
        """Return what the script answered, and how many replicas have it."""
        wanted = self._options.wait_replicas
        answer = line.run(self._scripts.commit, words)
        if answer != 1 or not wanted:
            return answer, wanted
        try:
            # Less than our own patience, so that the server and not the clock says how many there are.
            return answer, line.ask("WAIT", wanted, max(1, int(self._patience * 800)))
        except said.RedisError:
            return answer, 0  # whatever went wrong: it is committed, and nobody knows where

    def _purge(self, shard: int, until: bytes, count: int) -> int:
        removed = 0
        while removed < count:
            # Nobody else is served while a script runs, so it does a little at a time.
            asked = min(_AT_ONCE, count - removed)
            words = (len(ShardKeys._fields), *self._keys[shard], LAYOUT, until, asked)
            done = self._calls.write(shard, partial(Line.run, script=self._scripts.purge, words=words), "purge")
            if not isinstance(done, int):
                raise self._refused(done)
            removed += done
            if done < asked:
                break
        return removed

    def _look(self) -> None:
        """See which shards are written, and in which layout."""
        found = self._calls.read_all([Call(shard, ("GET", keys.layout)) for shard, keys in enumerate(self._keys)])
        for shard, layout in enumerate(found):
            if layout is None and shard in self._written:
                raise self._refused(b"gone")
            if layout is not None and layout != b"%d" % LAYOUT:
                raise self._refused(b"newer " + layout)
            if layout is not None:
                self._written.add(shard)

    def _refused(self, answer: bytes) -> StoreError:
        """Return the error for a script that did nothing."""
        word, _, rest = answer.partition(b" ")
        if word == b"damaged":
            return damaged(rest)
        prefix = self._options.key_prefix
        if word == b"gone":
            return StoreError(
                f"cannot use the store {self._label}: what was stored under {prefix!r} is gone. The server was emptied, or "
                "restarted without its data, and what has run is not known any more. Nothing was written. "
                "Stop Interlock and restore the data; if all may begin anew, start Interlock again"
            )
        found = rest.decode(errors="replace")
        if not (found.isascii() and found.isdecimal() and int(found) > LAYOUT):
            return StoreError(
                f"cannot use the store {self._label}: a key under {prefix!r} is not ours (layout {found[:40]!r}). Nothing "
                "was changed. Choose another redis.keyPrefix"
            )
        return StoreTooNew(
            f"cannot use the store {self._label}: a later Interlock wrote it (layout {found}; this one knows {LAYOUT}). "
            "It was not changed. Upgrade Interlock, or use another store"
        )

    def _endangered(self, survivors: int) -> StoreUnavailable:
        return StoreUnavailable(
            f"the store {self._label} has committed, and {survivors} of {self._options.wait_replicas} replicas have "
            "told that they have it: it may or may not survive a failover. What is stored has to be read again. Look at the "
            "replicas, or set redis.waitReplicas lower"
        )

    def _refuse_writing(self) -> None:
        self._refuse_fork()
        if self._read_only:
            raise StoreError(
                f"cannot write the store {self._label}: it was opened for reading only. Nothing was written"
            )

    def _refuse_fork(self) -> None:
        self._opener.refuse_fork(f"the store {self._label}")


def _change_of(step: Step) -> bytes:
    if step.row:
        return packed(step.row)
    return b"-" if step.deletes else b""


if TYPE_CHECKING:

    def _is_a_kernel(it: RedisKernel) -> Kernel:
        return it

    def _is_a_chime(it: RedisKernel) -> Chime:
        return it

    def _is_advised(it: RedisKernel) -> Advised:
        return it

    def _is_walkable(it: RedisKernel) -> Walkable:
        return it
