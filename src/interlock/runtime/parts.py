"""The parts of a process that does several things at once: each has a thread, and its end is noticed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

_LOG: Final = logging.getLogger(__name__)


class Part:
    """Something that a process does all the time, on a thread of its own that never keeps the process from ending.

    `ended` is called on that thread when it is over, however that came about; `error` is then what it died of, if it did.
    """

    def __init__(self, name: str, task: Callable[[], None], ended: Callable[[], None]) -> None:
        self.name = name
        self.error: BaseException | None = None
        self._task = task
        self._ended = ended
        self._thread = threading.Thread(target=self._do, name=f"interlock-{name}", daemon=True)

    def start(self) -> None:
        """Begin. A part is begun once."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it was begun and is not over."""
        return self._thread.is_alive()

    def over_within(self, wait: timedelta) -> bool:
        """Wait until it is over; say whether that came true."""
        if self._thread.ident is not None:
            self._thread.join(max(wait.total_seconds(), 0.0))
        return not self.alive

    def _do(self) -> None:
        try:
            self._task()
        except BaseException as exc:  # noqa: BLE001  (even a SystemExit would end the thread alone, and go unnoticed)
            self.error = exc
            _LOG.exception("the %s died", self.name)
        finally:
            self._ended()
