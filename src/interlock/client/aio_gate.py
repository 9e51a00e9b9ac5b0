"""`AsyncClient.gate`: a block of code behind the interlock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing as closed
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal

from interlock.client.asking import AsyncAsking
from interlock.client.exchange import Pause
from interlock.client.gating import Asked, GateRun, Talk, Wanted, beating, closing, opening
from interlock.errors import InterlockError


class AsyncGate:
    """Opens when the traits say yes, and tells how the block ended. Used once."""

    def __init__(self, client: AsyncAsking, wanted: Wanted, pause: Callable[[float], Awaitable[None]]) -> None:
        self._client = client
        self._wanted = wanted
        self._pause = pause
        self._run: GateRun | None = None
        self._heart: asyncio.Task[None] | None = None

    async def open(self) -> GateRun:
        """Wait for leave; to be followed by an `async with` block.

        Raises:
            NotReady: the traits say no, and still do when the time is over.
            InterlockError: leave cannot be given.
        """
        await carried(opening(self._wanted, self._took), self._client.ask, self._pause)
        assert self._run is not None  # noqa: S101  (an opening that ends without it has raised)
        seconds = self._run.gate.heartbeat_seconds
        if seconds:
            self._heart = asyncio.create_task(carried(beating(self._run, seconds), self._client.ask, self._pause))
        return self._run

    async def __aenter__(self) -> GateRun:
        return self._run or await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        assert self._run is not None  # noqa: S101  (it was entered)
        await self._hush()
        # On its own, so that whoever is cancelled a second time still has the end told.
        telling = asyncio.ensure_future(carried(closing(self._run, error), self._client.ask, self._pause))
        try:
            await asyncio.shield(telling)
        except InterlockError as untold:
            if error is None:
                raise
            # What went wrong in the block matters more to whoever reads this than that it could not be told.
            error.add_note(f"interlock: that it failed was not recorded: {untold}")
        except asyncio.CancelledError:
            with suppress(InterlockError):
                await telling
            raise
        return False

    async def _hush(self) -> None:
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError, InterlockError):
                await self._heart

    def _took(self, run: GateRun) -> None:
        self._run = run


async def carried(talk: Talk, ask: Callable[..., Awaitable[Any]], pause: Callable[[float], Awaitable[None]]) -> None:
    """Do what a conversation wishes, to its end."""
    with closed(talk):
        step = next(talk, None)
        while step is not None:
            step = await _next(talk, step, ask, pause)


async def _next(
    talk: Talk,
    step: Asked | Pause,
    ask: Callable[..., Awaitable[Any]],
    pause: Callable[[float], Awaitable[None]],
) -> Asked | Pause | None:
    try:
        try:
            answer = None
            if isinstance(step, Pause):
                await pause(step.seconds)
            else:
                answer = await ask(step.request, timeout=step.timeout)
        except InterlockError as exc:
            return talk.throw(exc)
        return talk.send(answer)
    except StopIteration:
        return None
