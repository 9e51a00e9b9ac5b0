"""Server-sent events without a socket: bytes to events, and when to connect again."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlencode

import msgspec

from interlock.app.views import EventView
from interlock.client.exchange import judged
from interlock.client.settings import Settings
from interlock.clients.http import HttpForbidden, HttpReply, HttpTooLarge, HttpTrouble
from interlock.codec import wire
from interlock.errors import ServerUnavailable

PATH: Final = "/api/stream"
IDLE: Final = 60.0
"""Seconds of silence after which a stream counts as lost; the server says something every fifteen."""

OPEN_WITHIN: Final = 30.0
LARGEST_EVENT: Final = 1 << 20
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 30.0
GIVE_UP_AFTER: Final = 6
"""So many connections in a row that brought nothing, and the stream is given up."""

_BREAK: Final = b"\n"


class Gap(NamedTuple):
    """Something may be missing here: read the timelines. `pipeline_id` is empty where it may be any pipeline's."""

    pipeline_id: str
    reason: str


Happening: TypeAlias = EventView | Gap


class Frame(NamedTuple):
    """One event as it was sent."""

    event: str
    data: str


class Reader:
    """Reads events out of a stream of bytes, however it is cut. `last_id` is where to go on after a break."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: float | None = None
        self._buffer = b""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def begin(self) -> None:
        """Forget the beginning of an event whose end was lost with its connection."""
        self._buffer, self._event, self._data, self._size = b"", "", [], 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take some bytes, and yield the events that they complete.

        Raises:
            ServerUnavailable: an event is too large.
        """
        # A lone CR, which the standard permits as an end of line too, no server of ours sends.
        lines = (self._buffer + chunk).split(_BREAK)
        self._buffer = lines.pop()
        for line in lines:
            self._size += len(line)
            found = self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if found is not None:
                yield found
            self._bound()
        self._bound()

    def _bound(self) -> None:
        if self._size + len(self._buffer) > LARGEST_EVENT:
            raise ServerUnavailable(f"the server's stream has an event of more than {LARGEST_EVENT} bytes")

    def _line(self, line: str) -> Frame | None:
        if not line:
            found = Frame(self._event or "message", "\n".join(self._data)) if self._data else None
            self._event, self._data, self._size = "", [], 0
            return found
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and value.isascii() and value.isprintable():
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = min(int(value[:9]) / 1000, LONGEST_PAUSE)
        return None


def happening(frame: Frame) -> Happening:
    """Read what an event tells.

    Raises:
        ServerUnavailable: it is none of Interlock's.
    """
    if frame.event in ("reset", "lagged"):
        said = _object(frame.data)
        return Gap(str(said.get("pipelineId") or ""), str(said.get("reason") or ""))
    try:
        return wire.from_json(frame.data, EventView)
    except (ValueError, RecursionError) as exc:
        raise ServerUnavailable(f"an event of the server's stream cannot be read: {exc}") from exc


def _object(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Listening:
    """One stream over all its connections: how to ask for it, and what to make of how each of them ended."""

    def __init__(self, settings: Settings, pipeline_id: str, kinds: Collection[str]) -> None:
        query = {"pipeline": pipeline_id, "kinds": ",".join(kinds)}
        chosen = urlencode({name: value for name, value in query.items() if value})
        self.url = f"{settings.base}{PATH}{'?' if chosen else ''}{chosen}"
        self.reader = Reader()
        self._settings = settings
        self._request_id = secrets.token_hex(8)
        self._heard = False
        self._fruitless = 0

    @property
    def headers(self) -> dict[str, str]:
        """What the next connection asks with: it goes on where the last one broke off."""
        found = self._settings.headers(self._request_id) | {"accept": "text/event-stream"}
        return found | ({"last-event-id": self.reader.last_id} if self.reader.last_id else {})

    def opened(self, headers: Sequence[tuple[str, str]]) -> None:
        """Take note that a connection has begun to bring events.

        Raises:
            ServerUnavailable: what it brings is something else.
        """
        said = HttpReply(200, tuple(headers), b"").header("content-type")
        media = said.partition(";")[0].strip().lower()
        if media != "text/event-stream":
            server = self._settings.server
            raise ServerUnavailable(f"{server} answered with {media[:100]!r} and no stream: is the address right?")
        self.reader.begin()
        self._heard, self._fruitless = True, 0

    def pause(self, outcome: HttpReply | HttpTrouble | None) -> float:
        """Return how many seconds to wait before the next connection; `outcome` is None when the last one simply ended.

        Raises:
            InterlockError: another one would bring no more, or too many in a row brought nothing.
        """
        self._fruitless += 1
        wait = 0.0
        if outcome is not None:
            error, permitted = judged(outcome, self._settings, repeatable=True, request_id=self._request_id)
            lost = isinstance(outcome, HttpTrouble) and not isinstance(outcome, HttpForbidden | HttpTooLarge)
            # The first connection says whether the address and the key are right: that is told at once.
            if not self._heard or self._fruitless > GIVE_UP_AFTER or (permitted is None and not lost):
                raise error
            wait = permitted or 0.0
        again = (self.reader.retry or FIRST_PAUSE) * 2.0 ** min(self._fruitless - 1, 8)
        return max(min(again, LONGEST_PAUSE), min(wait, LONGEST_PAUSE))
