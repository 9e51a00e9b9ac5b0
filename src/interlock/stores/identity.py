"""The name of a store: what tells its runs from those of another in a system that both start jobs in.

Names of runs repeat: a store that was made anew counts from 1 again, and two projects may have pipelines of one name. A
target that remembers keys would hand the job of the one to the other, and nothing would be started. The name goes wherever
the store's rows go: with an export, and with a move to another provider.
"""

from __future__ import annotations

import secrets

from msgspec import Struct

from interlock.codec import wire
from interlock.errors import StoreUnavailable
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put, Record
from interlock.stores.repository import decoded

_TRIES = 3


class NameRow(Struct, frozen=True, kw_only=True):
    """What the row holds. `version` is that of the row, which never changes."""

    name: str
    version: int = 1


def name_of(kernel: Kernel) -> str:
    """Return the name of a store, which is given to it by whoever asks first.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    for _ in range(_TRIES):
        record = kernel.get(keys.NAME_PK, keys.NAME_SK)
        if record is not None:
            return decoded(record, NameRow).name
        fresh = wire.to_builtins(NameRow(name=secrets.token_hex(6)))
        # Another may be faster: what counts is what is there afterwards.
        kernel.commit(keys.NAME_PK, [Put(Record(pk=keys.NAME_PK, sk=keys.NAME_SK, version=1, body=fresh))])
    raise StoreUnavailable("the store does not keep the name it was given")
