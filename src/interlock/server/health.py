"""How the process is: whether its store answers, whether its threads get on, and whether it is about to leave.

Asking costs nothing, however often it is done: the store is looked at once a second at most, by a thread of its own, and
nobody waits for it longer than its deadline. What is answered is for everybody: no names, no paths, no reasons in detail.
Those go to the log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple

from interlock.app.views import View
from interlock.core.times import format_duration
from interlock.ports.clock import Clock
from interlock.runtime.station import News

DEADLINE: Final = timedelta(seconds=2)
FRESH: Final = timedelta(seconds=1)


class CheckView(View, frozen=True, kw_only=True, rename="camel"):
    """One thing that was looked at. `since` is when it went bad, `age_seconds` how long ago it last got on."""

    name: str
    ok: bool
    message: str
    since: datetime | None
    age_seconds: float | None
    counts: bool


class PeerView(View, frozen=True, kw_only=True, rename="camel"):
    """How many watchers or watchdogs work on the store in all, and how long ago one of them last got on."""

    role: str
    alive: int
    age_seconds: float | None


class ReadyView(View, frozen=True, kw_only=True, rename="camel"):
    """Whether this process does what it is there for. A check that does not count says so and changes nothing."""

    status: str
    at: datetime
    checks: tuple[CheckView, ...]
    peers: tuple[PeerView, ...]


class SignOfLife(NamedTuple):
    """A part of this process: when it last got on, how long it may take over the next time, and whether it is there."""

    name: str
    progress: Callable[[], datetime | None]
    patience: timedelta
    alive: Callable[[], bool]


class Peers(NamedTuple):
    """Those of one role who work on the store, this process or others: how many live, and when one last got on."""

    role: str
    alive: int
    progress_at: datetime | None


class Seen(NamedTuple):
    """What a look into the store shows. `rejected`: files were changed, and cannot be used as they are."""

    peers: tuple[Peers, ...] = ()
    rejected: bool = False


class Looked(NamedTuple):
    """What came of a look: an empty trouble means that the store answered."""

    seen: Seen = Seen()
    trouble: str = ""


class StoreLook:
    """Looks into the store, once at a time, and remembers the answer for a moment. `say` hears what goes wrong, once."""

    def __init__(
        self,
        look: Callable[[], Seen],
        say: News,
        *,
        deadline: timedelta = DEADLINE,
        fresh: timedelta = FRESH,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._look = look
        self._say = say
        self._deadline = deadline.total_seconds()
        self._fresh = fresh.total_seconds()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._under_way: Future[Looked] | None = None
        self._began = 0.0
        self._last: Looked | None = None
        self._ended = 0.0
        self._said = ""

    async def ask(self) -> Looked:
        """Return what the store shows, or how it fails to, within the deadline."""
        import asyncio  # whoever only shows how it is needs no event loop

        with self._lock:
            now = self._seconds()
            if self._last is not None and now - self._ended < self._fresh:
                return self._last
            looking = self._under_way or self._begin(now)
            left = self._began + self._deadline - now
        if left > 0:  # otherwise somebody has waited long enough already
            try:
                return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(looking)), left)
            except TimeoutError:
                pass
        words = f"the store did not answer within {self._deadline:g} s"
        self._tell(words)
        return Looked(Seen() if self._last is None else self._last.seen, words)

    def _begin(self, now: float) -> Future[Looked]:
        self._began, self._under_way = now, Future()
        threading.Thread(target=self._do, args=(self._under_way,), name="interlock-health", daemon=True).start()
        return self._under_way

    def _do(self, looking: Future[Looked]) -> None:
        try:
            looked = Looked(self._look())
        except Exception as exc:  # noqa: BLE001  (whatever it is, the store cannot be used)
            looked = Looked(trouble="the store cannot be used; the server's log says why")
            self._tell(f"the store cannot be used: {exc}")
        else:
            self._tell("")
        with self._lock:
            self._last, self._ended, self._under_way = looked, self._seconds(), None
        looking.set_result(looked)

    def _tell(self, words: str) -> None:
        with self._lock:
            before, self._said = self._said, words
        if words and words != before:
            self._say(f"trouble store: {words}")
        elif before and not words:
            self._say("the store can be used again")


class Health:
    """How the process is. `broken` counts the pipelines whose files cannot be used; `draining` says that it leaves."""

    def __init__(
        self, clock: Clock, store: StoreLook, signs: Sequence[SignOfLife] = (), broken: Callable[[], int] = lambda: 0
    ) -> None:
        self._clock = clock
        self._store = store
        self._signs = tuple(signs)
        self._broken = broken
        self._began = clock.now()
        self._since: dict[str, datetime] = {}
        self.draining = False

    async def ready(self) -> ReadyView:
        """Look at everything."""
        looked = await self._store.ask()
        now = self._clock.now()
        checks = [
            self._check("store", now, looked.trouble),
            *(self._progressing(sign, now) for sign in self._signs),
            self._check("configuration", now, self._of_files(looked.seen), counts=False),
            self._check("draining", now, "the process is about to leave" if self.draining else ""),
        ]
        fine = all(check.ok or not check.counts for check in checks)
        return ReadyView(
            status="ok" if fine else "draining" if self.draining else "degraded",
            at=now,
            checks=tuple(checks),
            peers=tuple(
                PeerView(role=each.role, alive=each.alive, age_seconds=_age(each.progress_at, now))
                for each in looked.seen.peers
            ),
        )

    async def well(self) -> bool:
        """Say whether everything works. One that leaves in order is well."""
        view = await self.ready()
        return all(check.ok or not check.counts for check in view.checks if check.name != "draining")

    def _progressing(self, sign: SignOfLife, now: datetime) -> CheckView:
        last = sign.progress()
        age = now - (last or self._began)
        trouble = ""
        if not sign.alive() and not self.draining:
            trouble = f"the {sign.name} of this process is dead"
        elif age > sign.patience and not self.draining:
            span = format_duration(timedelta(seconds=int(age.total_seconds())))
            trouble = f"the {sign.name} has not got on for {span}, and should within {format_duration(sign.patience)}"
        return self._check(sign.name, now, trouble, age=_age(last, now))

    def _of_files(self, seen: Seen) -> str:
        broken = self._broken()
        if seen.rejected:
            return "the files cannot be used as they are; what was read before counts. See: interlock validate"
        return f"{broken} pipelines cannot be used. See: interlock validate" if broken else ""

    def _check(
        self, name: str, now: datetime, trouble: str, *, age: float | None = None, counts: bool = True
    ) -> CheckView:
        if not trouble:
            self._since.pop(name, None)
        since = self._since.setdefault(name, now) if trouble else None
        return CheckView(name=name, ok=not trouble, message=trouble, since=since, age_seconds=age, counts=counts)


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round(max((now - at).total_seconds(), 0.0), 3)
