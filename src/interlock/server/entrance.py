"""What every request passes on its way in, and every answer on its way out, whatever route it is for, or none.

In this order: a request number, the look of the request, who asks, how much it asks. Outwards: the headers that keep
browsers in their place, and a line in the log.
"""

from __future__ import annotations

import logging
import math
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from hashlib import sha256
from ipaddress import ip_network
from time import monotonic
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from interlock.config.project import ServerSpec
from interlock.errors import Busy, ServerUnavailable, Unauthorized
from interlock.server.answers import problem_answer, send_answer
from interlock.server.asked import Asked, keep
from interlock.server.audit import Audit
from interlock.server.bodies import Gone
from interlock.server.doorway import SAFE, HouseRules, headers_of, require_plain_address
from interlock.server.keys import LOCAL, Caller, KeyRing, cannot_be_guessed
from interlock.server.manners import Exchange, tell, with_manners
from interlock.server.throttle import Grant, Throttle
from interlock.telemetry.about import about

_log: Final = logging.getLogger("interlock.server")

# Guesses: ten different wrong keys at once, then one in six seconds.
_GUESSES: Final = 10
_GUESS_RATE: Final = 1 / 6
_LOOK_AGAIN: Final = 2.0
_GONE: Final = 499
_STOPPING: Final = "the server is stopping: what was asked may or may not be done, so look before asking again"
_KNOWN: Final = 1000


class Entrance:
    """The way in and out. `open_paths` need no key: exactly they, not what begins or ends with them."""

    def __init__(
        self,
        app: ASGIApp,
        spec: ServerSpec,
        ring: KeyRing,
        audit: Audit,
        *,
        open_paths: frozenset[str] = frozenset(),
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._app = app
        self._ring = ring
        self._audit = audit
        self._open_paths = open_paths
        self._elapsed = elapsed
        self._rules = HouseRules(spec, open_to_all=not ring.needed)
        self._throttle = Throttle(spec.rate, spec.burst, elapsed)
        self._guesses = Throttle(_GUESS_RATE, _GUESSES, elapsed)
        self._wrong: dict[tuple[str, bytes], None] = {}
        self._right: dict[tuple[str, bytes], None] = {}
        self._looked_at = elapsed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer it here."""
        if scope["type"] != ScopeType.HTTP:
            await send({"type": "websocket.close", "code": 1008, "reason": "there are no web sockets here"})
            return
        await self._answered(scope, receive, send)

    async def _answered(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        asked = Asked(dict(scope["headers"]), (scope.get("client") or ("",))[0])
        keep(scope, asked)
        leaving = _Leaving(send, asked, scope, self._throttle.burst)
        since = self._elapsed()
        with about(request=asked.request_id):
            try:
                await self._admitted(scope, receive, leaving, asked)
            except Gone:
                leaving.status = leaving.status or _GONE
            except CancelledError:
                # The server stops, and the time to wait for answers is over; what was begun goes on in its thread.
                if leaving.status:
                    raise
                await send_answer(problem_answer(ServerUnavailable(_STOPPING), scope["path"]), leaving)
            except Exception as exc:
                if leaving.finished:
                    return
                if leaving.status:
                    raise
                await send_answer(problem_answer(exc, scope["path"]), leaving)
            finally:
                tell(Exchange(scope["method"], scope["path"], leaving.status, self._elapsed() - since), asked)
                if asked.caller is not None and scope["method"] not in SAFE:
                    self._audit.write_down(asked, leaving.status)

    async def _admitted(self, scope: HTTPScope, receive: Receive, leaving: _Leaving, asked: Asked) -> None:
        method = scope["method"]
        asked.headers = headers_of(scope["headers"])
        require_plain_address(scope.get("raw_path") or scope["path"].encode(), scope["query_string"])
        self._rules.require(method, scope["scheme"], asked.headers)
        free = scope["path"] in self._open_paths and method in SAFE
        if not free:
            asked.caller = self._caller(asked)
            leaving.grant = self._throttle.take(self._bucket_of(asked)) if self._throttle.rate else None
            self._require_room(leaving.grant)
        # The answer to HEAD is that to GET, without its body, which the server leaves out.
        inner: Any = {**scope, "method": "GET"} if method == "HEAD" else scope
        await self._app(inner, receive, leaving)
        asked.route = str(inner.get("path_template", ""))

    def _caller(self, asked: Asked) -> Caller:
        self._look_again()
        if not self._ring.needed:
            return LOCAL
        token = _token_of(asked.headers)
        if token is None:
            raise Unauthorized("this takes an API key: send it as X-API-Key, or as Authorization: Bearer …")
        place = (_neighbourhood(asked.address), sha256(token).digest())
        guess = self._guesses.look(place[0])
        # Somebody who guesses must not lock out those who ask from the same address, such as through the same proxy.
        sound = place in self._right or cannot_be_guessed(token)
        caller = self._ring.find(token) if guess.allowed or sound or place in self._wrong else None
        if caller is None:
            if not guess.allowed and place not in self._wrong:
                raise Busy("too many wrong API keys came from this address", retry_after=timedelta(seconds=guess.wait))
            self._note_wrong(asked, place)
            raise Unauthorized("this API key is not known here: it may have been taken away, or be of another server")
        _remember(self._right, place)
        asked.known = partial(self._still_known, caller)
        return caller

    def _look_again(self) -> None:
        if self._elapsed() - self._looked_at >= _LOOK_AGAIN:
            self._looked_at = self._elapsed()
            self._ring.look_again()

    def _still_known(self, caller: Caller) -> bool:
        self._look_again()
        return caller in self._ring.callers

    def _note_wrong(self, asked: Asked, place: tuple[str, bytes]) -> None:
        # A job with an old key repeats one wrong key for ever, and should not lock its neighbours out; guessing takes many.
        if place not in self._wrong:
            self._guesses.take(place[0])
            _remember(self._wrong, place)
            _log.warning("an unknown API key came from %s (request %s)", asked.address, asked.request_id)

    def _bucket_of(self, asked: Asked) -> str:
        caller = asked.caller
        return f"key {caller.name}" if caller is not None and caller is not LOCAL else f"address {asked.address}"

    def _require_room(self, grant: Grant | None) -> None:
        if grant is not None and not grant.allowed:
            message = f"more than {self._throttle.rate:g} requests a second came from one caller (server.rateLimit)"
            raise Busy(message, retry_after=timedelta(seconds=grant.wait))


class _Leaving:
    """Sends an answer on, with the headers that belong to all."""

    def __init__(self, send: Send, asked: Asked, scope: HTTPScope, burst: int) -> None:
        self._send = send
        self._asked = asked
        self._burst = burst
        self._secure = scope["scheme"] == "https"
        self._headless = scope["method"] == "HEAD"
        self.status = 0
        self.finished = False
        self.grant: Grant | None = None

    async def __call__(self, message: Message) -> None:
        """Send one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            said = with_manners(tuple(message["headers"]), self._asked, secure=self._secure)
            rate = () if self.grant is None else tuple(self._rate())
            message = {**message, "headers": [*said, *rate]}
        elif self._headless and message["type"] == "http.response.body":
            if self.finished:
                raise Gone  # what has no end, such as a stream of events, ends here
            self.finished = True
            message = {**message, "body": b"", "more_body": False}
        await self._send(message)

    def _rate(self) -> Iterator[tuple[bytes, bytes]]:
        assert self.grant is not None  # noqa: S101  (for the type checker)
        yield b"ratelimit-limit", b"%d" % self._burst
        yield b"ratelimit-remaining", b"%d" % self.grant.left
        yield b"ratelimit-reset", b"%d" % math.ceil(self.grant.full)


def _remember(places: dict[tuple[str, bytes], None], place: tuple[str, bytes]) -> None:
    places.pop(place, None)
    places[place] = None
    while len(places) > _KNOWN:
        del places[next(iter(places))]


def _neighbourhood(address: str) -> str:
    """Return what one caller may call its own: an IPv4 address, but 64 bits of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        return str(ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def _token_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    found = set()
    if plain := headers.get(b"x-api-key", b"").strip():
        found.add(plain)
    kind, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer" and rest.strip():
        found.add(rest.strip())
    if len(found) > 1:
        raise Unauthorized("X-API-Key and Authorization hold two different keys: send one")
    return found.pop() if found else None
