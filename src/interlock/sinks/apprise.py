"""Send alerts to any service that Apprise knows, by its URL."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from urllib.parse import unquote

from msgspec import Meta, Struct

from interlock.clients.texts import cleaned, redacted
from interlock.core.alerts import AlertLevel, Notice, NoticeKind
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.turns import Turns
from interlock.sinks.wording import facts, others, sentence, title

_LONGEST_TITLE: Final = 200
_LONGEST_REASON: Final = 300
_PIECE: Final = re.compile(r"[^/?&=:@,#+ ]{4,}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}):/")
_STATUS: Final = re.compile(r"\berror=(4\d\d)\b")
_TRY_AGAIN: Final = ("408", "409", "425", "429")
# Apprise and what it stands on; what they log besides warnings holds addresses with tokens in them.
_TALKATIVE: Final = ("apprise", "urllib3", "requests_oauthlib", "oauthlib")


class AppriseConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which service is told."""

    url: Annotated[str, Meta(min_length=1, description="An address in Apprise's own notation, such as ntfy://topic.")]
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one notice.")] = 10


class _Outcome(NamedTuple):
    delivered: bool
    said: str = ""


class AppriseSink:
    """Hands each notice to Apprise.

    Apprise says whether a service took a message, and hardly why not: what its log names as a permanent refusal is taken for
    one, everything else is worth another try. It cannot be broken off either, so it works in a thread of its own; while an
    earlier delivery hangs, later ones are refused.
    """

    Config = AppriseConfig

    def __init__(self, config: AppriseConfig, context: SinkContext) -> None:  # noqa: ARG002  (the shape of every sink)
        self._config = config
        scheme = _SCHEME.match(config.url)
        self._name = f"apprise ({scheme[1].lower()})" if scheme else "apprise"
        # In such URLs the token may stand anywhere, also in the place of the host.
        rest = config.url[scheme.end() :] if scheme else config.url
        self._secrets = (config.url, rest.lstrip("/"), *_PIECE.findall(rest), *_PIECE.findall(unquote(rest)))
        self._turns = Turns[_Outcome]("interlock-apprise")
        self._service: Any = None
        self._patience: tuple[float | None, ...] = ()

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Hand the notice over once.

        Raises:
            MissingExtra: Apprise is not installed.
            SinkError: the service did not take it, or nobody can know.
        """
        within = min(timeout.total_seconds(), self._config.timeout)
        try:
            outcome = self._turns.run(lambda: self._hand_over(notice, within), within)
        except (MissingExtra, SinkError):
            raise
        except TimeoutError as exc:
            raise SinkError(f"{self._name}: {self._clean(str(exc))}") from None
        except Exception as exc:  # noqa: BLE001  (a hundred services, and whatever they raise)
            # Not its text, and not itself as the cause: either may quote the URL.
            raise SinkError(f"{self._name} failed: {type(exc).__name__}") from None
        if not outcome.delivered:
            status = _STATUS.search(outcome.said)
            words = f"{self._name} was not delivered: {self._clean(outcome.said) or 'Apprise does not say why'}"
            raise SinkError(words, retryable=status is None or status[1] in _TRY_AGAIN)

    def _hand_over(self, notice: Notice, within: float) -> _Outcome:
        apprise = _library()
        if self._service is None:
            self._service = self._plugged(apprise)
            self._patience = (self._service.socket_connect_timeout, self._service.socket_read_timeout)
        service = self._service
        # Each read and each write gets no more than the whole may take, so that the thread ends soon after it is given up.
        service.socket_connect_timeout, service.socket_read_timeout = (
            min(own or within, within) for own in self._patience
        )
        with _listening() as heard:
            delivered = service.notify(
                title=title(notice.alert, _LONGEST_TITLE),
                body="\n".join(line for line in (sentence(notice), others(notice), *facts(notice)) if line),
                notify_type=_kind(apprise, notice),
                body_format=apprise.NotifyFormat.TEXT,
                overflow=apprise.OverflowMode.TRUNCATE,
            )
        return _Outcome(bool(delivered), " ".join(heard))

    def _plugged(self, apprise: Any) -> Any:
        asset = apprise.AppriseAsset(storage_mode="memory")
        for name, value in _MANNERS.items():
            setattr(asset, name, value)
        with _listening():
            service = apprise.Apprise.instantiate(self._config.url, asset=asset)
        if service is None:
            words = f"{self._name}: the URL is not one that Apprise can use (it is not shown: it may hold a secret)"
            raise SinkError(words, retryable=False)
        return service

    def _clean(self, text: str) -> str:
        return redacted(cleaned(redacted(text, self._secrets), _LONGEST_REASON), self._secrets)


# No pictures from elsewhere, no files, no following to another address than the one that was configured.
_MANNERS: Final[dict[str, object]] = {
    "app_id": "Interlock",
    "app_desc": "Interlock",
    "image_url_mask": "",
    "image_url_logo": "",
    "async_mode": False,
    "http_redirects": False,
    "pgp_autogen": False,
    "pem_autogen": False,
}


def _library() -> Any:
    try:
        import apprise
    except ImportError as exc:
        raise MissingExtra("the sink 'apprise'", "alerts") from exc
    logging.getLogger("apprise").propagate = False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return apprise


def _kind(apprise: Any, notice: Notice) -> Any:
    kinds = apprise.NotifyType
    if notice.kind is NoticeKind.RESOLVED:
        return kinds.SUCCESS
    return {AlertLevel.ERROR: kinds.FAILURE, AlertLevel.WARNING: kinds.WARNING, AlertLevel.INFO: kinds.INFO}[
        notice.alert.level
    ]


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        # Another sink may be at work in another thread.
        if record.thread == self._thread:
            self._heard.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what Apprise says in this thread: its log is the only place where it says why."""
    heard: list[str] = []
    ear = _Ear(heard)
    logger = logging.getLogger("apprise")
    logger.addHandler(ear)
    try:
        yield heard
    finally:
        logger.removeHandler(ear)


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: AppriseSink) -> Sink:
        return it
