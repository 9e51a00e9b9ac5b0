"""Following the files where no watcher does: what they say is gone by, and nothing is planned."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import timedelta
from typing import Final

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import ConfigError, InterlockError
from interlock.runtime.guarding import guarded
from interlock.runtime.reloading import signature
from interlock.runtime.station import News
from interlock.runtime.wiring import Interlock

_PATIENCE: Final = timedelta(minutes=1)


class Rereader:
    """Reads the files again when they have changed, on the caller's thread, until it is stopped. Never raises."""

    def __init__(self, work: Interlock, settings: Settings, news: News) -> None:
        self._work = work
        self._settings = settings
        self._news = news
        every = work.project.settings.watcher_reload
        self._looks = every > timedelta()
        self._every = every if self._looks else _PATIENCE
        self._signature = signature(work.project)
        self._suspect: object = None
        self._said = ""
        self._poked = threading.Event()
        self._stopped = False
        self._hurried = False

    def run(self) -> None:
        """Look every so often, or when hurried."""
        while True:
            self._poked.wait(self._every.total_seconds())
            self._poked.clear()
            if self._stopped:
                return
            if self._looks or self._hurried:
                self._hurried = False
                self.look()

    def hurry(self) -> None:
        """Look now."""
        self._hurried = True
        self._poked.set()

    def stop(self) -> None:
        """Let the look under way be the last."""
        self._stopped = True
        self._poked.set()

    def look(self) -> None:
        """Go by what was registered, and by the files if they have changed and can be used."""
        with contextlib.suppress(InterlockError):  # the next look may see it
            self._work.registry.follow()
        now = signature(self._work.catalog.project)
        if now == self._signature:
            return
        try:
            project = load_project(self._work.project.root, settings=self._settings)
            alerting = guarded(self._work.alerting_of(project))
        except (ConfigError, OSError) as exc:
            # A file that is being written looks broken for a moment: it has to be so twice before people hear of it.
            if self._suspect == now:
                self._signature = now
                self._news(f"reload the files cannot be used as they are; what was read before counts: {_first(exc)}")
            self._suspect = now
            return
        self._suspect = None
        try:
            self._work.registry.swap(project)
        except InterlockError as exc:
            self._say_once(f"reload the files have changed, and cannot be gone by yet: {exc}")
            return
        self._signature = now if signature(project) == now else ()
        self._work.go_by(alerting)
        self._said = ""
        self._news(f"reload {len(project.pipelines)} pipelines")

    def _say_once(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._news(words)


def _first(exc: Exception) -> str:
    if isinstance(exc, ConfigError) and exc.problems:
        more = f" (and {len(exc.problems) - 1} more)" if len(exc.problems) > 1 else ""
        return f"{exc.problems[0]}{more}"
    return str(exc) or os.strerror(getattr(exc, "errno", None) or 0)
