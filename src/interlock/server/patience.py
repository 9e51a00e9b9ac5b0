"""HTTP/1.1 with callers who may be slow, by accident or on purpose: everything they are to do has a time within which."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from interlock.server.answers import Answer, HttpProblem, problem_answer

HEADERS_WITHIN: Final = 20.0
"""Seconds from the connection, or from the first byte of a later request, to the end of its headers."""

BODY_WITHIN: Final = 60.0
"""Seconds from the end of the headers to the end of the body."""

READ_WITHIN: Final = 30.0
"""Seconds in which a caller must read on, while there is more for it than fits into the buffers."""

_LATE: Final = problem_answer(HttpProblem(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time", close=True))
_NO_HTTP: Final = problem_answer(
    HttpProblem(HTTPStatus.BAD_REQUEST, "this is no HTTP/1.1, or its headers are too long", close=True)
)


class PatientProtocol(H11Protocol):
    """One connection. It is closed when a request does not arrive, or an answer is not read, in time.

    The server itself bounds only how long a connection may idle between two requests: without this one that sends nothing,
    or a byte a minute, would hold its place for ever.
    """

    _coming: asyncio.TimerHandle | None = None
    _waits_for: str = ""
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            # Those below answer that there are too many; each beyond would take a file from those that do the work.
            transport.abort()
            return
        self._expect("headers", HEADERS_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._forget()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look what has arrived, and what is still to come."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the rest of the next request, if some of it is there already."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Begin to wait for the caller to read."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self._later(READ_WITHIN, self._unread)

    def resume_writing(self) -> None:
        """The caller reads."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (it says nothing that callers do not know)
        """Answer what is no HTTP, as far as it can still be answered."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say(_NO_HTTP)
        self.transport.close()

    def _look(self) -> None:
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            self._expect("body", BODY_WITHIN)
        elif theirs is h11.IDLE and self.conn.trailing_data[0]:
            self._expect("headers", HEADERS_WITHIN)
        elif theirs is not h11.IDLE or self.cycle is not None:
            self._forget()

    def _expect(self, what: str, within: float) -> None:
        if self._waits_for != what:
            self._forget()
            self._waits_for = what
            self._coming = self._later(within, self._overdue)

    def _forget(self) -> None:
        self._waits_for = ""
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _later(self, within: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(within, do)

    def _overdue(self) -> None:
        if self.transport.is_closing():
            return
        unanswered = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        begun = self._waits_for == "body" or bool(self.conn.trailing_data[0])
        if self._waits_for == "body" and self.cycle is not None:
            # Whoever waits for the rest hears that the caller has gone, and whatever it says now is not sent.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if unanswered and begun:
            self._say(_LATE)
        self.transport.close()

    def _say(self, answer: Answer) -> None:
        headers: list[Any] = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        head = h11.Response(status_code=answer.status, headers=headers)
        for event in (head, h11.Data(data=answer.body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _unread(self) -> None:
        # Closing alone would wait for what is in the buffers to be read.
        self.transport.abort()
