"""One POST of JSON to a receiver of alerts, and what its answer means for another try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from interlock.clients.http import HttpForbidden, HttpReply, HttpTrouble
from interlock.clients.texts import cleaned, redacted
from interlock.errors import SinkError

if TYPE_CHECKING:
    from interlock.clients.http import HttpSender

TRY_AGAIN: Final = (408, 409, 425, 429)
_LONGEST_REASON: Final = 512
_LONGEST_LOOK: Final = 4096
_SHORTEST_SECRET: Final = 8
_NOTHING: Final[Mapping[str, str]] = {}


class Receiver(NamedTuple):
    """Who is posted to: `name` as people know it, and every text that must not come back in an error."""

    name: str
    http: HttpSender
    url: str
    secrets: Sequence[str] = ()

    def post(self, body: bytes, *, headers: Mapping[str, str] = _NOTHING, within: timedelta) -> HttpReply:
        """Post once, and return an answer of 2xx; its body is empty when it was cut short.

        Raises:
            SinkError: the answer was another, or there was none. `retryable` is False where another try cannot help, and
                `retry_after` is how long the receiver asks to be left alone.
        """
        fields = {"content-type": "application/json", **headers}
        try:
            reply = self.http.send("POST", self.url, headers=fields, body=body, timeout=within)
        except HttpTrouble as exc:
            if exc.status is not None and 200 <= exc.status < 300:
                return HttpReply(exc.status, (), b"")  # it was taken; only what was said about it is missing
            raise SinkError(f"{self.name}: {exc}", retryable=not isinstance(exc, HttpForbidden)) from exc
        if 200 <= reply.status < 300:
            return reply
        wait = retry_after(reply)
        words = f"{self.name} answered {reply.status}: {self.quoted(reply.body)}".removesuffix(": ")
        if wait is not None:
            words += f" (try again in {int(wait.total_seconds())} s)"
        raise SinkError(words, retryable=may_help(reply.status), retry_after=wait)

    def quoted(self, said: bytes) -> str:
        """Return what a receiver said in a form that is fit for an error: short, in one line, without any secret."""
        text = redacted(said[:_LONGEST_LOOK].decode(errors="replace"), self.secrets)
        return redacted(cleaned(text, _LONGEST_REASON), self.secrets)


def may_help(status: int) -> bool:
    """Say whether another try may help after an answer of this status."""
    return status >= 500 or status in TRY_AGAIN


def retry_after(reply: HttpReply) -> timedelta | None:
    """Return how long a receiver asks to be left alone, when it says so in seconds and within reason."""
    text = reply.header("retry-after").strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 6:
        return None
    return timedelta(seconds=int(text))


def secrets_in(url: str, headers: Mapping[str, str] = _NOTHING) -> tuple[str, ...]:
    """Return everything in a URL and in headers that may be a secret: receivers like to echo what they were sent."""
    found = [url, *headers.values(), *(word for value in headers.values() for word in value.split())]
    try:
        parts = urlsplit(url)
        found += [parts.path, parts.query, f"{parts.path}?{parts.query}", parts.username or "", parts.password or ""]
        found += parts.path.split("/")
        found += [value for _, value in parse_qsl(parts.query)]
    except ValueError:
        pass  # not a URL: nothing of it is sent, and the whole of it is among the secrets already
    found += [unquote(text) for text in found]
    return tuple(dict.fromkeys(text for text in found if len(text) >= _SHORTEST_SECRET))
