"""Work that cannot be broken off, done where it delays nobody: in a thread of its own, one piece at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Waits for work as long as allowed, and no longer.

    Work that is given up goes on, in a thread that does not keep the process alive; until it ends nothing else is begun, so
    that a receiver that hangs costs one thread and not one for each alert.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = threading.Lock()

    def run(self, work: Callable[[], T], within: float) -> T:
        """Return what the work returns, or raise what it raises.

        Raises:
            TimeoutError: it did not end in time, or was not begun, because earlier work has not ended.
        """
        deadline = monotonic() + max(within, 0)
        if not self._turn.acquire(timeout=max(within, 0)):
            raise TimeoutError("an earlier one has not ended yet")
        done: list[T] = []
        trouble: list[BaseException] = []

        def do() -> None:
            try:
                done.append(work())
            except BaseException as exc:  # noqa: BLE001  (it is raised again, in the thread that waits)
                trouble.append(exc)
            finally:
                self._turn.release()

        worker = threading.Thread(target=do, name=self._name, daemon=True)
        try:
            worker.start()
        except RuntimeError:
            self._turn.release()
            raise TimeoutError("no thread could be started") from None
        worker.join(max(deadline - monotonic(), 0))
        if trouble:
            raise trouble[0]
        if not done:
            raise TimeoutError("it did not end in time")
        return done[0]
