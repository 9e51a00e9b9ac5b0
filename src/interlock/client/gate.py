"""`Client.gate`: a block of code behind the interlock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing as closed
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal

from interlock.api.contract import Request
from interlock.client.asking import Asking
from interlock.client.exchange import Pause
from interlock.client.gating import Asked, GateRun, Talk, Wanted, beating, closing, opening
from interlock.client.settings import Seconds
from interlock.errors import InterlockError


class Gate:
    """Opens when the traits say yes, and tells how the block ended. Used once."""

    def __init__(self, client: Asking, wanted: Wanted, pause: Callable[[float], None]) -> None:
        self._client = client
        self._wanted = wanted
        self._pause = pause
        self._run: GateRun | None = None
        self._over = threading.Event()
        self._heart: threading.Thread | None = None

    def open(self) -> GateRun:
        """Wait for leave; to be followed by a `with` block.

        Raises:
            NotReady: the traits say no, and still do when the time is over.
            InterlockError: leave cannot be given.
        """
        carried(opening(self._wanted, self._took), self._client.ask, self._pause)
        assert self._run is not None  # noqa: S101  (an opening that ends without it has raised)
        seconds = self._run.gate.heartbeat_seconds
        if seconds:
            self._heart = threading.Thread(target=self._beat, args=(self._run, seconds), daemon=True)
            self._heart.start()
        return self._run

    def __enter__(self) -> GateRun:
        return self._run or self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        assert self._run is not None  # noqa: S101  (it was entered)
        self._over.set()
        try:
            carried(closing(self._run, error), self._client.ask, self._pause)
        except InterlockError as untold:
            if error is None:
                raise
            # What went wrong in the block matters more to whoever reads this than that it could not be told.
            error.add_note(f"interlock: that it failed was not recorded: {untold}")
        finally:
            if self._heart is not None:
                self._heart.join(2.0)
        return False

    def _took(self, run: GateRun) -> None:
        self._run = run

    def _beat(self, run: GateRun, seconds: float) -> None:
        with suppress(_Over):
            carried(beating(run, seconds), self._told, self._rest)

    def _rest(self, seconds: float) -> None:
        if self._over.wait(seconds):
            raise _Over

    def _told(self, request: Request[Any], *, timeout: Seconds | None = None) -> Any:
        try:
            return self._client.ask(request, timeout=timeout)
        except InterlockError:
            # After the end was told every heartbeat comes too late, and that is nobody's trouble.
            if self._over.is_set():
                raise _Over from None
            raise


class _Over(Exception):
    """The block has ended, and with it the heartbeats."""


def carried(talk: Talk, ask: Callable[..., Any], pause: Callable[[float], None]) -> None:
    """Do what a conversation wishes, to its end."""
    with closed(talk):
        step = next(talk, None)
        while step is not None:
            step = _next(talk, step, ask, pause)


def _next(
    talk: Talk, step: Asked | Pause, ask: Callable[..., Any], pause: Callable[[float], None]
) -> Asked | Pause | None:
    try:
        try:
            answer = None
            if isinstance(step, Pause):
                pause(step.seconds)
            else:
                answer = ask(step.request, timeout=step.timeout)
        except InterlockError as exc:
            return talk.throw(exc)
        return talk.send(answer)
    except StopIteration:
        return None
