"""Ask an HTTP endpoint: POST the same JSON object that a program gets on stdin, read the same answer from the body."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from interlock.clients.http import (
    HttpForbidden,
    HttpReply,
    HttpSender,
    HttpTimeout,
    HttpTooLarge,
    HttpTrouble,
)
from interlock.clients.redaction import without_secrets
from interlock.codec.evaluator_protocol import encode_question, failure, parse_output, shown
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory
from interlock.ports.evaluators import Answer, Evaluator, Question

TRIES: Final = 3

_RETRIED: Final = {429, 502, 503, 504}
_PASSING: Final = {408, 425, 429}
_FIRST_PAUSE: Final = 0.5
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}


class HttpEvaluator:
    """Posts a question, at most `TRIES` times: again after 429, 502, 503 and 504, with growing pauses, inside the timeout.

    A `Retry-After` that fits into the timeout is respected; one that does not ends the matter at once. `pace` waits for a
    number of seconds and says whether it was interrupted.
    """

    def __init__(
        self,
        client: HttpSender,
        *,
        base_url: str = "",
        pace: Callable[[float], bool] | None = None,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._stopping = threading.Event()
        self._pace = pace or self._stopping.wait
        self._elapsed = elapsed

    def close(self) -> None:
        """End every pause between two tries; no further try is made."""
        self._stopping.set()

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Post the question and read the answer; see `Evaluator.evaluate`."""
        url = self.url_of(question.trait.evaluator[0])
        if not url:
            return failure(
                FailureCategory.PERMANENT,
                f"{shown(question.trait.evaluator[0])!r} is no address, and no base URL is set to put in front of it",
            )
        deadline = self._elapsed() + timeout.total_seconds()
        try:
            reply = self._post(url, question, deadline)
        except HttpTrouble as exc:
            return trouble_answer(url, exc, timeout)
        return refusal(url, reply) or parse_output(reply.body)

    def url_of(self, path: str) -> str:
        """Return the address that an evaluator's path means; nothing when there is no base for it."""
        if path.lower().startswith(("http://", "https://")):
            return path
        if not self._base_url:
            return ""
        return f"{self._base_url}/{quote(path.removeprefix('./').lstrip('/'), safe='/%?=&:@+,;~')}"

    def _post(self, url: str, question: Question, deadline: float) -> HttpReply:
        tries, pause = 1, _FIRST_PAUSE
        body, headers = encode_question(question), {**_HEADERS, **traced(question)}
        while True:
            budget = timedelta(seconds=max(0.0, deadline - self._elapsed()))
            reply = self._client.send("POST", url, headers=headers, body=body, timeout=budget)
            if reply.status not in _RETRIED or tries == TRIES:
                return reply
            wait = max(pause, _retry_after(reply))
            if self._elapsed() + wait >= deadline or self._pace(wait):
                return reply
            tries, pause = tries + 1, pause * 2


def traced(question: Question) -> dict[str, str]:
    """Return the header that names the step of the trace in which a question is asked, if it is one of a trace."""
    return {"traceparent": question.traceparent} if question.traceparent else {}


def trouble_answer(url: str, exc: HttpTrouble, timeout: timedelta) -> Answer:
    """Answer for an exchange that brought no reply."""
    where = place_of(url)
    if isinstance(exc, HttpTimeout):
        return failure(FailureCategory.TIMEOUT, f"{where} gave no answer within {format_duration(timeout)}")
    if isinstance(exc, HttpForbidden | HttpTooLarge):
        return failure(FailureCategory.PERMANENT, f"{where}: {shown(str(exc))}")
    return failure(FailureCategory.TRANSIENT, f"{where}: {shown(str(exc))}")


def refusal(url: str, reply: HttpReply) -> Answer | None:
    """Answer for a reply whose status says that it holds no answer; None for 2xx."""
    if 200 <= reply.status < 300:
        return None
    words = shown(without_secrets(reply.body[:2000].decode(errors="replace")))
    said = f"{place_of(url)} answered with status {reply.status}" + (f": {words}" if words else "")
    if 300 <= reply.status < 400:
        return failure(FailureCategory.PERMANENT, f"{said} (redirects are not followed)")
    passing = reply.status >= 500 or reply.status in _PASSING
    return failure(FailureCategory.TRANSIENT if passing else FailureCategory.PERMANENT, said)


def place_of(url: str) -> str:
    """Return what may be shown of an address: no user, no password, no query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the evaluator's address"
    return shown(f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}")


def _retry_after(reply: HttpReply) -> float:
    """Return for how many seconds the server wants to be left alone. A date counts from the server's own Date."""
    text = reply.header("retry-after").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(reply.header("date"))
        return (until - now).total_seconds()
    except (TypeError, ValueError):
        return 0.0


if TYPE_CHECKING:

    def _is_an_evaluator(it: HttpEvaluator) -> Evaluator:
        return it
