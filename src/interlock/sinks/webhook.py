"""Post alerts and lifecycle events to a URL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

from msgspec import Meta, Struct

from interlock.clients.signing import signed
from interlock.codec.alerts import lifecycle_json, notice_json
from interlock.core.alerts import LifecycleEvent, Notice
from interlock.errors import MissingExtra
from interlock.sinks.context import SinkContext
from interlock.sinks.posting import Receiver, secrets_in

# What a header cannot hold is percent-encoded: an odd name must not cost the alert.
_AS_IT_IS: Final = " !\"#$&'()*+,/:;<=>?@[]^`{|}"


class WebhookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where to post, and what the receiver knows the sender by."""

    url: Annotated[str, Meta(min_length=1, description="What is posted to.")]
    secret: Annotated[str, Meta(description="Signs each request: HMAC-SHA256 in X-Interlock-Signature.")] = ""
    headers: Annotated[dict[str, str], Meta(description="Headers added to each request.")] = {}
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one request.")] = 10


class WebhookSink:
    """Posts each notice, or each lifecycle event, as JSON.

    The receiver tells repeats by `X-Interlock-Notice-Id` (one telling) and `X-Interlock-Alert-Id` (one fact), or by
    `X-Interlock-Event-Id`.
    """

    Config = WebhookConfig

    def __init__(self, config: WebhookConfig, context: SinkContext) -> None:
        if context.http is None:
            raise MissingExtra("the sink 'webhook'", "http")
        self._config = config
        secrets = (config.secret, *secrets_in(config.url, config.headers))
        self._receiver = Receiver("the webhook", context.http, config.url, secrets)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Post the notice once; whoever calls decides about another try.

        Raises:
            SinkError: the answer was not 2xx, or there was none. `retryable` is False where another try cannot help.
        """
        named = {"x-interlock-alert-id": notice.alert.alert_id, "x-interlock-notice-id": notice.notice_id}
        self._post(notice_json(notice), named, notice.at, timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Post the event once; whoever calls decides about another try.

        Raises:
            SinkError: as for `deliver`.
        """
        self._post(lifecycle_json(event), {"x-interlock-event-id": event.event_id}, event.at, timeout)

    def _post(self, body: bytes, named: dict[str, str], at: datetime, timeout: timedelta) -> None:
        headers = {**self._config.headers, "content-type": "application/json"}
        headers |= {name: quote(text, safe=_AS_IT_IS, errors="replace") for name, text in named.items()}
        if self._config.secret:
            # At the notice's own instant, so that a repeated delivery of it is the same bytes.
            headers |= signed(self._config.secret, at, body)
        self._receiver.post(body, headers=headers, within=min(timeout, timedelta(seconds=self._config.timeout)))


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber

    def _is_both(it: WebhookSink) -> tuple[Sink, Subscriber]:
        return it, it
