"""Post alerts to a URL."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from interlock.clients.http import HttpForbidden, HttpTrouble
from interlock.clients.texts import cleaned, redacted
from interlock.codec.alerts import alert_json
from interlock.core.alerts import Alert
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext

_LONGEST_REASON: Final = 512
_TRY_AGAIN: Final = (408, 409, 425, 429)


class WebhookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where to post, and what the receiver knows the sender by."""

    url: Annotated[str, Meta(min_length=1, description="What is posted to.")]
    secret: Annotated[str, Meta(description="Signs each alert: HMAC-SHA256 in X-Interlock-Signature.")] = ""
    headers: Annotated[dict[str, str], Meta(description="Headers added to each request.")] = {}
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one request.")] = 10


class WebhookSink:
    """Posts each alert as JSON. The receiver tells repeats by `alertId`, which is also in `X-Interlock-Alert-Id`."""

    Config = WebhookConfig

    def __init__(self, config: WebhookConfig, context: SinkContext) -> None:
        if context.http is None:
            raise MissingExtra("the sink 'webhook'", "http")
        self._config = config
        self._http = context.http

    def deliver(self, alert: Alert, *, timeout: timedelta) -> None:
        """Post the alert once; whoever calls decides about another try.

        Raises:
            SinkError: the answer was not 2xx, or there was none. `retryable` is False where another try cannot help.
        """
        body = alert_json(alert)
        headers = {**self._config.headers, "content-type": "application/json", "x-interlock-alert-id": alert.alert_id}
        if self._config.secret:
            at = str(int(alert.at.timestamp()))
            headers["x-interlock-timestamp"] = at
            headers["x-interlock-signature"] = signature(self._config.secret, at, body)
        within = min(timeout, timedelta(seconds=self._config.timeout))
        try:
            reply = self._http.send("POST", self._config.url, headers=headers, body=body, timeout=within)
        except HttpTrouble as exc:
            if exc.status is not None and 200 <= exc.status < 300:
                return  # it was taken; only what was said about it is missing
            raise SinkError(f"the alert was not posted: {exc}", retryable=not isinstance(exc, HttpForbidden)) from exc
        if not 200 <= reply.status < 300:
            retryable = reply.status >= 500 or reply.status in _TRY_AGAIN
            said = redacted(reply.body[:4096].decode(errors="replace"), [self._config.secret])
            words = f"the webhook answered {reply.status}: {cleaned(said, _LONGEST_REASON)}"
            raise SinkError(words.removesuffix(": "), retryable=retryable)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA256, in hex, of the timestamp, a full stop and the body.

    The timestamp is the alert's own, in seconds since 1970: a receiver that refuses old ones is safe from replays, and a
    repeated delivery of one alert is the same bytes.
    """
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: WebhookSink) -> Sink:
        return it
