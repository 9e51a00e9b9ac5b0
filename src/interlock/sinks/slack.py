"""Post alerts to Slack: one thread per slot with a bot token, or single messages through an incoming webhook."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final
from zlib import crc32

import msgspec
from msgspec import Meta, Struct

from interlock import reading
from interlock.core.alerts import Alert, AlertLevel, Notice, NoticeKind
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.posting import Receiver, secrets_in
from interlock.sinks.wording import about, facts, others, sentence, tag

_ICONS: Final = {AlertLevel.ERROR: "🔴", AlertLevel.WARNING: "🟡", AlertLevel.INFO: "🔵"}
_RESOLVED: Final = "✅"
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack cuts what is longer than 40,000 characters, and asks for no more than 4,000.
_LONGEST: Final = 4000
_TS: Final = re.compile(r"\d{1,12}\.\d{1,12}")
_STRIPES: Final = 32

# What Slack means by these cannot be mended by asking again; anything else that it may say is worth another try.
_FOR_GOOD: Final = frozenset(
    {
        "account_inactive",
        "access_denied",
        "accesslimited",
        "channel_not_found",
        "deprecated_endpoint",
        "ekm_access_denied",
    }
    | {"is_archived", "message_limit_exceeded", "messages_tab_disabled", "method_deprecated", "msg_too_long"}
    | {"org_login_required", "team_access_not_granted", "two_factor_setup_required"}
)
_FOR_GOOD_BEGINNINGS: Final = ("invalid_", "missing_", "no_", "not_", "restricted_action", "token_")
_NO_SUCH_THREAD: Final = frozenset(
    {"thread_not_found", "message_not_found", "invalid_thread_ts", "cannot_reply_to_message"}
    | {"restricted_action_non_threadable_channel", "restricted_action_thread_locked"}
)


class SlackConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Either a bot's token and a channel, or the URL of an incoming webhook."""

    token: Annotated[str, Meta(description="A bot token (xoxb-…) with the scope chat:write.")] = ""
    channel: Annotated[str, Meta(description="The channel's id, such as C0123456789; the bot must be in it.")] = ""
    url: Annotated[str, Meta(description="An incoming webhook, instead of token and channel: no threads.")] = ""
    api_url: Annotated[str, Meta(min_length=1, description="Where Slack's API is.")] = "https://slack.com/api"
    broadcast: Annotated[bool, Meta(description="Show a new error that goes into a thread in the channel as well.")] = (
        True
    )
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one notice.")] = 10

    def __post_init__(self) -> None:
        """Refuse what could never be delivered."""
        if not self.token and not self.url:
            raise ValueError("slack needs a token and a channel, or the url of an incoming webhook")
        if self.token and self.url:
            raise ValueError("slack takes a token or a url, not both")
        if self.token and not self.channel:
            raise ValueError("slack needs a channel beside the token")
        if self.url and self.channel:
            raise ValueError("an incoming webhook has a channel of its own: remove channel, or give a token")


class _Answer(Struct, frozen=True):
    """What Slack's API says, whatever the HTTP status."""

    ok: bool
    ts: str = ""
    error: str = ""


class _Said(SinkError):
    """Slack understood the request and declined it."""

    def __init__(self, error: str) -> None:
        self.error = error
        for_good = error in _FOR_GOOD or error.startswith(_FOR_GOOD_BEGINNINGS)
        super().__init__(f"Slack declined the message: {error or 'it does not say why'}", retryable=not for_good)


class SlackSink:
    """Posts each notice as a message; with a token, all of one slot in one thread.

    What thread a slot has is kept in `SinkContext.threads`. If that cannot be read or written, or the thread is gone, the
    message stands in the channel on its own: a thread is never worth an alert.
    """

    Config = SlackConfig

    def __init__(self, config: SlackConfig, context: SinkContext) -> None:
        if context.http is None:
            raise MissingExtra("the sink 'slack'", "http")
        self._config = config
        self._threads = context.threads
        url = config.url or f"{config.api_url.rstrip('/')}/chat.postMessage"
        secrets = (config.token, *secrets_in(config.url)) if config.url else (config.token,)
        self._receiver = Receiver("Slack", context.http, url, secrets)
        self._beginning = tuple(threading.Lock() for _ in range(_STRIPES))

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Post the notice once, or a second time where its thread turned out to be gone.

        Raises:
            SinkError: Slack did not take it, or nobody can know. `retryable` is False where another try cannot help.
        """
        deadline = monotonic() + min(timeout.total_seconds(), self._config.timeout)
        if self._config.url:
            self._post({"text": _text(notice)}, deadline)
        elif self._threads is None:
            self._say(notice, deadline)
        else:
            self._thread(notice, deadline)

    def _thread(self, notice: Notice, deadline: float) -> None:
        key = _key(self._config.channel, notice.alert)
        thread = self._known(key)
        if not thread:
            # Two first notices of a slot at once must not open two threads.
            with self._alone(key, deadline):
                thread = self._known(key)
                if not thread:
                    self._remember(key, self._say(notice, deadline))
                    return
        try:
            self._say(notice, deadline, thread)
        except _Said as exc:
            if exc.error not in _NO_SUCH_THREAD:
                raise
            self._remember(key, self._say(notice, deadline))

    @contextmanager
    def _alone(self, key: str, deadline: float) -> Iterator[None]:
        lock = self._beginning[crc32(key.encode(errors="replace")) % _STRIPES]
        if not lock.acquire(timeout=max(deadline - monotonic(), 0)):
            raise SinkError("Slack: the first message of this thread is still under way")
        try:
            yield
        finally:
            lock.release()

    def _known(self, key: str) -> str:
        try:
            found = self._threads.get(key) if self._threads else None
        except Exception:  # noqa: BLE001  (the store's trouble, of whatever kind, costs the thread and not the alert)
            return ""
        return found if found and _TS.fullmatch(found) else ""

    def _remember(self, key: str, thread: str) -> None:
        if self._threads is None or not thread:
            return
        try:
            self._threads.put(key, thread)
        except Exception:  # noqa: BLE001  (the message is there; the next one starts a thread of its own)
            return

    def _say(self, notice: Notice, deadline: float, thread: str = "") -> str:
        message: dict[str, Any] = {
            "channel": self._config.channel,
            "text": _text(notice),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread:
            message["thread_ts"] = thread
            loud = notice.kind is NoticeKind.OPENED and notice.alert.level is AlertLevel.ERROR
            if loud and self._config.broadcast:
                message["reply_broadcast"] = True
        answer = self._understood(self._post(message, deadline))
        if not answer.ok:
            raise _Said(self._receiver.quoted(answer.error.encode(errors="replace")))
        return answer.ts if _TS.fullmatch(answer.ts) else ""

    def _post(self, message: dict[str, Any], deadline: float) -> bytes:
        headers = {"content-type": "application/json; charset=utf-8"}
        if self._config.token:
            headers["authorization"] = f"Bearer {self._config.token}"
        body = msgspec.json.encode(message)
        return self._receiver.post(body, headers=headers, within=timedelta(seconds=deadline - monotonic())).body

    def _understood(self, body: bytes) -> _Answer:
        try:
            return reading.parsed(body, _Answer)
        except (ValueError, RecursionError):
            said = self._receiver.quoted(body)
            raise SinkError(f"Slack's answer is not what it should be, so the message may be lost: {said}") from None


def _key(channel: str, alert: Alert) -> str:
    return f"slack/{channel}/{alert.slot or alert.alert_id}"


def _text(notice: Notice) -> str:
    """Return the message, in Slack's markup and of a length that it takes.

    Nothing in it can name people or open a link of its own: `<`, `>` and `&` are what Slack's markup is made of.
    """
    alert = notice.alert
    icon = _RESOLVED if notice.kind is NoticeKind.RESOLVED else _ICONS[alert.level]
    head = f"{icon} *{tag(notice)}* *{about(alert)}*\n"
    said = (
        [sentence(notice), others(notice)] if notice.kind is NoticeKind.REMINDED else [sentence(notice), *facts(notice)]
    )
    return head + _escaped("\n".join(line for line in said if line), _LONGEST - len(head))


def _escaped(text: str, limit: int) -> str:
    kept: list[str] = []
    room = limit - 1
    for character in text:
        piece = _ENTITIES.get(character, character)
        room -= len(piece)
        if room < 0:
            return "".join(kept) + "…"
        kept.append(piece)
    return "".join(kept)


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: SlackSink) -> Sink:
        return it
