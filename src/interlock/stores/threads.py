"""Where a conversation goes on, over any kernel: for receivers that answer with a name for what was told first."""

from __future__ import annotations

from typing import Final

from interlock.errors import Contention, UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put, Record

_TRIES: Final = 20


class ThreadRows:
    """Keeps one text under each key, whatever characters the key has. The last writer wins."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get(self, key: str) -> str | None:
        """Return the text of a key."""
        record = self._kernel.get(keys.thread_pk(key), keys.THREAD_SK)
        if record is None:
            return None
        text = record.body.get("text")
        if not isinstance(text, str):
            raise UnreadableRecord(
                f"the row {record.sk!r} of {record.pk!r} cannot be read: it holds no text. "
                "It was damaged, or written by a later Interlock"
            )
        return text

    def put(self, key: str, text: str) -> None:
        """Keep a text, instead of the one that may be there.

        Raises:
            Contention: others kept putting the same key first.
        """
        pk = keys.thread_pk(key)
        for _ in range(_TRIES):
            old = self._kernel.get(pk, keys.THREAD_SK)
            version = 1 if old is None else old.version + 1
            row = Record(pk=pk, sk=keys.THREAD_SK, version=version, body={"text": text})
            if self._kernel.commit(pk, [Put(row)]):
                return
        raise Contention(f"the thread {key!r} could not be kept: others kept putting it first")
