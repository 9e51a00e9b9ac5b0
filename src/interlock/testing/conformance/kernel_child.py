"""The other process of the durable suite: opens the store it is told to, and acts on it.

    python -m interlock.testing.conformance.kernel_child FACTORY ACT [ARGUMENT]

Every line it writes is a fact already acknowledged by the store when it is written.
"""

from __future__ import annotations

import os
import pickle
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import count

from interlock.stores.kernel import Delete, Kernel, Page, Put
from interlock.testing.conformance.kernel_values import NOON, a_record, increment

ROWS_IN_BATCH = 5


def arguments(open_kernel: Callable[[], Kernel], act: str, *rest: str) -> list[str]:
    """Return the command that starts a child."""
    factory = b64encode(pickle.dumps(open_kernel)).decode()
    return [sys.executable, "-m", "interlock.testing.conformance.kernel_child", factory, act, *rest]


def main() -> None:
    """Open the store, say so, wait for a line, act."""
    kernel: Kernel = pickle.loads(b64decode(sys.argv[1]))()
    _say("ready")
    sys.stdin.readline()
    act = {"increment": _increment, "claim": _claim, "batches": _batches, "vanish": _vanish}[sys.argv[2]]
    act(kernel, *sys.argv[3:])
    kernel.close()


def _increment(kernel: Kernel, times: str) -> None:
    for _ in range(int(times)):
        _say(str(increment(kernel, "p", "counter")))


def _claim(kernel: Kernel, me: str) -> None:
    for number in range(50):
        won = kernel.commit("p", [Put(a_record(sk=f"{number:03}", version=2, body={"by": me}))])
        _say(f"{number} {int(won)}")


def _batches(kernel: Kernel, me: str) -> None:
    """Write numbered batches for ever, each of which also removes part of an older one."""
    for number in count():
        rows = [a_record(me, f"{number:06}/{row}", kind="batch", wake_at=NOON) for row in range(ROWS_IN_BATCH)]
        old = [Delete(f"{number - 2:06}/0", 1)] if number >= 2 else []
        if not kernel.commit(me, [*map(Put, rows), *old]):
            raise AssertionError("nobody else writes here")
        _say(str(number))


def _vanish(kernel: Kernel, sk: str) -> None:
    found = kernel.rows("p", "", Page())
    _say(str(kernel.commit("p", [Put(a_record(sk=sk, body={"found": len(found)}))])))
    os._exit(0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
