"""Triggers get keys that no other store gives, whatever its runs are called; those of other systems get patience, too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, Trigger, starts_here
from interlock.stores.identity import name_of
from interlock.stores.kernel import Kernel

POLITE: Final = timedelta(seconds=2)
"""How long another system's job is left alone between two looks, where its trigger does not say."""


class StoreName:
    """The name of a store, read when it is first wanted: most processes start nothing in other systems."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._name = ""

    def __call__(self) -> str:
        """Return it.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        with self._lock:
            if not self._name:
                self._name = name_of(self._kernel)
            return self._name


def key_in(store: str, key: str) -> str:
    """Return the key that a start goes by outside its store: where the target remembers it, no other store's job has it."""
    return f"{key}@{store}"


class KeyedTrigger:
    """A trigger whose jobs go by keys with the store's name in them, and are left alone for a while between two looks.

    `clean` takes the project's secrets out of what it says, also where it does not think of that itself.
    """

    def __init__(
        self,
        real: Trigger,
        store: str,
        where: Callable[[], str] = str,
        clean: Callable[[str], str] = str,
        alone: timedelta = POLITE,
    ) -> None:
        self._real = real
        self._store = store
        self._where = where
        self._clean = clean
        self.repeatable = real.repeatable
        self.watchable = real.watchable
        self.startable = starts_here(real)
        self.soonest_look: timedelta = getattr(real, "soonest_look", alone)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start; see `Trigger.start`."""
        with self._discreetly():
            return self._real.start(self._keyed(job), timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for it; see `Trigger.find`."""
        with self._discreetly():
            return self._real.find(self._keyed(job), timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Look at it; see `Trigger.poll`."""
        with self._discreetly():
            report = self._real.poll(self._keyed(job), handle, timeout=timeout)
        return replace(report, reason=self._clean(report.reason))

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask for its end; see `Trigger.cancel`."""
        with self._discreetly():
            self._real.cancel(self._keyed(job), handle, timeout=timeout)

    @property
    def place(self) -> str:
        """Where its jobs are started."""
        return self._where()

    @contextmanager
    def _discreetly(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            known = exc if isinstance(exc, TriggerError) else TriggerError(f"{type(exc).__name__}: {exc}")
            shown = self._clean(str(known))
            if shown == str(known):
                raise
            raise TriggerError(shown, category=known.category, started=known.started) from None

    def _keyed(self, job: Job) -> Job:
        return replace(job, key=key_in(self._store, job.key))


def keyed(
    kind: object,
    trigger: Trigger,
    store: Callable[[], str],
    where: Callable[[], str] = str,
    clean: Callable[[str], str] = str,
) -> Trigger:
    """Return a trigger with keys of its store, where anything is remembered by them.

    Processes of this project may be looked at all the time; of what it neither starts nor watches nothing is remembered.
    `where` says where jobs of another system are started; it is asked when one is. `clean` takes secrets out of a text.
    """
    if not getattr(kind, "local", False):
        return KeyedTrigger(trigger, store(), where, clean)
    return KeyedTrigger(trigger, store(), clean=clean, alone=timedelta()) if trigger.watchable else trigger


if TYPE_CHECKING:

    def _is_a_trigger(it: KeyedTrigger) -> Trigger:
        return it
