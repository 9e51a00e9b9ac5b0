"""Requests to a Databricks workspace, with a token that is got and renewed when it must be.

An OAuth token is kept for every trigger of this process until shortly before its end, which is reckoned from `expires_in` on
this machine's own monotonic clock: what dates say, here or there, does not count. One that the workspace does not accept any
more is renewed once; a request answered 401 or 403 has done nothing, so that it may be sent again.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from math import isnan
from time import monotonic
from typing import Any, Final

from msgspec import Struct

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpSender, HttpTrouble
from interlock.clients.redaction import fit
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.triggers.answers import ERROR_BODY, JsonApi, described, json_of, secrets_of, unanswered, verdict
from interlock.triggers.context import TriggerContext
from interlock.triggers.databricks_config import DatabricksConfig

WHO: Final = "Databricks"
_FORM: Final = b"grant_type=client_credentials&scope=all-apis"
# Databricks refuses tokens some time before their end: half a minute has been seen.
_MARGIN: Final = 120.0
_UNSAID: Final = 300.0
_LONGEST: Final = 86_400.0


class Token(Struct, frozen=True):
    """An OAuth token, and for how many seconds it is good."""

    text: str
    seconds: float

    def __repr__(self) -> str:
        return "Token(***)"


class Tokens:
    """The newest OAuth token of one service principal. Safe to use from many threads: one of them renews, others wait."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._text = ""
        self._until = 0.0

    def get(self, fetch: Callable[[timedelta], Token], *, timeout: timedelta, refused: str = "") -> str:
        """Return a token that is good for a while, and is not the `refused` one.

        Raises:
            TriggerError: there is none; nothing was started.
        """
        deadline = Deadline(timeout)
        if not self._lock.acquire(timeout=deadline.left().total_seconds()):
            raise _no_token("another request for it did not end in time", FailureCategory.TIMEOUT)
        try:
            if self._now() >= self._until or self._text == refused:
                asked = self._now()
                token = fetch(deadline.left())
                self._text = token.text
                self._until = asked + max(token.seconds - _MARGIN, token.seconds / 2)
            return self._text
        finally:
            self._lock.release()


@lru_cache(maxsize=64)
def kept_tokens(_workspace: str, _client_id: str, _client_secret: str) -> Tokens:
    """Return what this process keeps for a service principal."""
    return Tokens()


class Workspace:
    """The API of a workspace, as one configuration sees it."""

    def __init__(
        self, http: HttpSender, config: DatabricksConfig, context: TriggerContext, tokens: Tokens | None
    ) -> None:
        self.base = config.base
        self._http = http
        self._config = config
        self._context = context
        self._tokens = tokens
        if config.client_id and tokens is None:
            self._tokens = kept_tokens(config.base, config.client_id, config.client_secret)
        self._api = JsonApi(
            http,
            f"{config.base}/api/{config.api_version}/jobs",
            who=WHO,
            within=timedelta(seconds=config.timeout),
        )
        self._used: deque[str] = deque(maxlen=8)

    def ask(self, method: str, path: str, *, timeout: timedelta, body: Any = None) -> HttpReply:
        """Send a request of the Jobs API, and return its answer, whatever its status.

        Raises:
            HttpTrouble: no complete answer was had.
            TriggerError: there is no token to send it with, so that it had no effect.
        """
        deadline = Deadline(timeout)
        bearer = self._bearer(deadline)
        reply = self._send(method, path, bearer, deadline, body)
        if reply.status in (401, 403) and self._config.client_id:
            reply = self._send(method, path, self._bearer(deadline, refused=bearer), deadline, body)
        return reply

    def fit(self, text: str, limit: int = ERROR_BODY) -> str:
        """Return a text of the workspace as people may see it."""
        return fit(text, self._secrets(), limit)

    def described(self, reply: HttpReply) -> str:
        """Return an answer in words."""
        return described(reply, self._secrets(), WHO)

    def _send(self, method: str, path: str, bearer: str, deadline: Deadline, body: Any) -> HttpReply:
        headers = dict(self._config.headers)
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        return self._api.send(method, path, headers=headers, timeout=deadline.left(), body=body)

    def _bearer(self, deadline: Deadline, *, refused: str = "") -> str:
        if self._tokens is None:
            return self._config.token
        bearer = self._tokens.get(self._fetched, timeout=deadline.left(), refused=refused)
        self._used.append(bearer)
        return bearer

    def _fetched(self, timeout: timedelta) -> Token:
        headers = {
            "accept": "application/json",
            "authorization": f"Basic {self._basic()}",
            "content-type": "application/x-www-form-urlencoded",
        }
        within = min(timeout, timedelta(seconds=self._config.timeout))
        try:
            reply = self._http.send("POST", f"{self.base}/oidc/v1/token", headers=headers, body=_FORM, timeout=within)
        except HttpTrouble as exc:
            raise _no_token(str(exc), FailureCategory(unanswered(exc).category)) from exc
        if not 200 <= reply.status < 300:
            words = f"{self.described(reply)} (check `clientId` and `clientSecret`)"
            raise _no_token(words, verdict(reply).category)
        return _read(reply)

    def _basic(self) -> str:
        return b64encode(f"{self._config.client_id}:{self._config.client_secret}".encode()).decode("ascii")

    def _secrets(self) -> list[str]:
        mine = self._config
        own = [mine.token, mine.client_secret, *secrets_of(mine.headers), *self._used]
        if mine.client_secret:
            own.append(self._basic())
        return [*self._context.secrets(), *own]


def _read(reply: HttpReply) -> Token:
    found = json_of(reply)
    text = found.get("access_token") if isinstance(found, dict) else None
    # What cannot be a header's value must not become one.
    if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable() or " " in text:
        raise _no_token("its answer holds none", FailureCategory.TRANSIENT)
    try:
        seconds = float(found.get("expires_in", _UNSAID))
    except (TypeError, ValueError, OverflowError):
        seconds = _UNSAID
    return Token(text, _UNSAID if isnan(seconds) else min(max(seconds, 0.0), _LONGEST))


def _no_token(why: str, category: FailureCategory) -> TriggerError:
    return TriggerError(f"{WHO} gave no OAuth token: {why}", category=category.value, started=False)
