"""`AsyncClient`: a server's operations for programs with an event loop."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from datetime import timedelta
from functools import wraps
from types import TracebackType
from typing import Literal, ParamSpec, Self, TypeVar

from interlock.api.contract import Request
from interlock.client.aio_gate import AsyncGate
from interlock.client.aio_verbs.alerting import AsyncAlerts, AsyncSilences
from interlock.client.aio_verbs.controlling import AsyncControlling
from interlock.client.aio_verbs.gating import AsyncGating
from interlock.client.aio_verbs.judging import AsyncJudging
from interlock.client.aio_verbs.looking import AsyncLooking
from interlock.client.aio_verbs.registering import AsyncPipelines
from interlock.client.aio_verbs.rerunning import AsyncRerunning
from interlock.client.aio_verbs.running import AsyncRunning
from interlock.client.aio_verbs.sensing import AsyncSensors
from interlock.client.exchange import Outcome, Send, Step, exchange
from interlock.client.gating import Wanted, mode_of, patience_of
from interlock.client.settings import CONNECT_WITHIN, MAX_ANSWER, Certificate, Seconds, Settings, tls_of
from interlock.client.streaming import IDLE, OPEN_WITHIN, Happening, Listening, happening
from interlock.clients.http import HttpReply, HttpTrouble
from interlock.clients.http_aio import AsyncHttpClient
from interlock.errors import NotReady, ServerUnavailable

T = TypeVar("T")
P = ParamSpec("P")


class AsyncClient(AsyncJudging, AsyncRunning, AsyncRerunning, AsyncGating, AsyncLooking, AsyncControlling):
    """Speaks with a server of `interlock serve`, from an event loop. What it promises, `Client` promises too.

    Args:
        url: the server's address, such as `https://interlock.example.org`; by default what `INTERLOCK_SERVER` holds.
        api_key: by default what `INTERLOCK_API_KEY` holds. It is never shown again.
        timeout: seconds (or a `timedelta`) for one call, all tries together; by default 30, and 600 for calls that wait for
            evaluators or jobs.
        ca_file: certificates to recognise the server by, in place of the system's.
        certificate: a PEM file with a certificate and its key to show to the server, or the two files.
        allow_plain_http: send the key unencrypted to another machine; `INTERLOCK_ALLOW_PLAIN_HTTP=1` does the same.
        max_answer: bytes that an answer may have.

    Raises:
        ConfigError: the address, the key or a certificate cannot be used.
    """

    def __init__(
        self,
        url: str = "",
        *,
        api_key: str = "",
        timeout: Seconds | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        certificate: Certificate | None = None,
        allow_plain_http: bool = False,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        self._settings = Settings(
            url, api_key=api_key, timeout=timeout, allow_plain_http=allow_plain_http, max_answer=max_answer
        )
        self._http = AsyncHttpClient(
            max_body=max_answer,
            connect_within=timedelta(seconds=CONNECT_WITHIN),
            tls=tls_of(ca_file=ca_file, certificate=certificate),
        )
        self.pipelines = AsyncPipelines(self)
        self.sensors = AsyncSensors(self)
        self.alerts = AsyncAlerts(self)
        self.silences = AsyncSilences(self)

    async def ask(self, request: Request[T], *, timeout: Seconds | None = None) -> T:  # noqa: ASYNC109  (all tries' time)
        """Have any request of `interlock.api` answered.

        Raises:
            InterlockError: it was not done, or nobody knows; the message says which.
        """
        return await self._held(exchange(request, self._settings, timeout=timeout))

    def gate(  # noqa: PLR0913  (each says which, how or why)
        self,
        pipeline_id: str,
        *,
        schedule: str | None = None,
        date: str | None = None,
        timeout: Seconds | str = "2h",
        on_not_ready: Literal["wait", "raise"] = "wait",
        heartbeat: bool = True,
        again: bool = False,
        reason: str = "",
    ) -> AsyncGate:
        """Run a block as the job of a slot: only once the traits say yes, once for the slot, and with its end recorded.

            async with client.gate("orders") as run:
                run.metric("rows", await load(run.date))

        An exception that leaves the block is recorded as its failure, and goes on its way. An end that cannot be told for
        minutes is logged with the command that tells it by hand, and raised.

        Args:
            pipeline_id: the pipeline.
            schedule: by default the one whose window opened last.
            date: the period; the current one by default.
            timeout: how long to wait until it is READY: seconds, a `timedelta`, or a text such as 2h.
            on_not_ready: `wait` for it, or `raise` NotReady at once.
            heartbeat: tell meanwhile that the block lives, so that people hear of it when the process dies.
            again: run a slot again that has ended; needs a reason.
            reason: why.

        Raises:
            NotReady: on entering: the traits say no, and still do when the time is over.
            Conflict: on entering: the slot is running or done. On leaving: the run ended otherwise meanwhile.
            Refused: it is before its window or after it, excluded or paused.
            NotFound: there is no such pipeline or schedule.
        """
        wanted = Wanted(
            pipeline_id, schedule, date, patience_of(timeout), mode_of(on_not_ready), heartbeat, again, reason
        )
        return AsyncGate(self, wanted, self._wait)

    def gated(
        self,
        pipeline_id: str,
        *,
        schedule: str | None = None,
        timeout: Seconds | str = "2h",
        on_not_ready: Literal["wait", "raise", "skip"] = "wait",
        heartbeat: bool = True,
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T | None]]]:
        """Put every call of a function behind `gate`. With `skip` a call returns None where the traits say no.

            @client.gated("orders")
            async def load() -> None: ...

        Raises:
            NotReady, Conflict, Refused, NotFound: from the call, as `gate` does.
        """

        def behind(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | None]]:
            @wraps(function)
            async def call(*args: P.args, **kwargs: P.kwargs) -> T | None:
                mode = "raise" if on_not_ready == "skip" else on_not_ready
                gate = self.gate(
                    pipeline_id, schedule=schedule, timeout=timeout, on_not_ready=mode, heartbeat=heartbeat
                )
                try:
                    await gate.open()
                except NotReady:
                    if on_not_ready == "skip":
                        return None
                    raise
                async with gate:
                    return await function(*args, **kwargs)

            return call

        return behind

    async def stream(self, pipeline_id: str = "", *, kinds: Collection[str] = ()) -> AsyncGenerator[Happening, None]:
        """Listen to what happens, as it happens, until the loop is left. A broken connection is taken up where it broke.

        Args:
            pipeline_id: only what happens to one pipeline.
            kinds: only events of these kinds.

        Yields:
            An `EventView` for each event, or a `Gap` where something may be missing: read the timelines then.

        Raises:
            Unauthorized, NotAllowed, NotFound, Invalid: what is asked for cannot be had.
            ServerUnavailable: the server does not answer, or not for minutes after it did.
        """
        listening = Listening(self._settings, pipeline_id, kinds)
        while True:
            outcome: HttpReply | HttpTrouble | None = None
            try:
                async with self._http.stream(
                    "GET",
                    listening.url,
                    headers=listening.headers,
                    open_within=timedelta(seconds=OPEN_WITHIN),
                    idle=timedelta(seconds=IDLE),
                ) as answer:
                    if answer.status == 200:
                        listening.opened(answer.headers)
                        async for chunk in answer.chunks:
                            for frame in listening.reader.feed(chunk):
                                yield happening(frame)
                    else:
                        outcome = HttpReply(answer.status, answer.headers, await anext(aiter(answer.chunks), b""))
            except HttpTrouble as trouble:
                outcome = trouble
            await self._wait(listening.pause(outcome))

    async def _held(self, talk: Generator[Step, Outcome, T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = talk.send(outcome)
            except StopIteration as done:
                answer: T = done.value
                return answer
            outcome = None
            if isinstance(step, Send):
                outcome = await self._sent(step)
            else:
                await self._wait(step.seconds)

    async def _sent(self, step: Send) -> Outcome:
        try:
            return await self._http.send(
                step.method,
                step.url,
                headers=step.headers,
                body=step.body,
                within=timedelta(seconds=step.timeout),
            )
        except HttpTrouble as trouble:
            return trouble

    async def _wait(self, seconds: float) -> None:
        try:
            await self._http.sleep(seconds)
        except HttpTrouble:
            raise ServerUnavailable("the client was closed while it waited to ask again") from None

    async def close(self) -> None:
        """Break off what is under way. May be called twice, and while others wait."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings!r})"
