"""Who was told that an attempt was started for him: one of those who asked for it, whoever of them was first."""

from __future__ import annotations

import secrets
from datetime import datetime

from interlock.core.ids import RunKey
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put, Record


class AskerRows:
    """One row for each attempt that was started because somebody asked. It decides nothing about the start itself."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def is_first(self, run: RunKey, attempt: int, who: str, at: datetime) -> bool:
        """Say yes to exactly one caller for an attempt, whatever process it is in."""
        pk, sk = keys.slot_pk(run.slot), keys.asked_sk(run, attempt)
        body = {"by": who, "at": keys.moment(at), "answer": secrets.token_hex(8)}
        if self._kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=1, body=body))]):
            return True
        # A kernel that had to write twice, because the first answer was lost, was refused by its own row.
        kept = self._kernel.get(pk, sk)
        return kept is not None and kept.body == body
