"""Send alerts by mail: one conversation per alert."""

from __future__ import annotations

import re
import smtplib
import ssl
import threading
from base64 import b64encode
from datetime import UTC, timedelta
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from msgspec import Meta, Struct, field

from interlock.clients.smtp import SmtpDialogue
from interlock.clients.texts import cleaned, redacted
from interlock.core.alerts import Notice, NoticeKind
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.wording import facts, sentence, title

# Everything that could end a header or an address is missing from this: one address, and nothing but it.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_PORTS: Final = {"starttls": 587, "ssl": 465, "none": 25}
_LONGEST_SUBJECT: Final = 200
_LONGEST_TEXT: Final = 20_000
_LONGEST_REASON: Final = 512
_POLICY: Final = WIRE.clone(cte_type="7bit")


class EmailConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which server takes the mail, and who gets it."""

    host: Annotated[str, Meta(min_length=1, max_length=255, description="The mail server.")]
    sender: Annotated[str, Meta(min_length=1, description="The sender's address.")] = field(name="from")
    to: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100, description="The addresses that get it.")]
    security: Annotated[
        Literal["starttls", "ssl", "none"],
        Meta(description="How the line is protected. Never less than asked for; certificates are verified."),
    ] = "starttls"
    port: Annotated[int, Meta(ge=0, le=65535, description="0: 587 for starttls, 465 for ssl, 25 for none.")] = 0
    username: Annotated[str, Meta(description="Who signs in; nobody if empty.")] = ""
    password: Annotated[str, Meta(description="With which password: ${env:NAME}.")] = ""
    ca_file: Annotated[
        str, Meta(description="Certificates to trust instead of the system's, as PEM; relative to the project.")
    ] = ""
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one mail.")] = 10

    def __post_init__(self) -> None:
        """Refuse what could never be sent, or would give a password away."""
        for address in (self.sender, *self.to):
            # What is filled in from the environment is looked at once it is filled in.
            if "${" not in address:
                _require_address(address)
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password are given together or not at all")
        if self.username and self.security == "none":
            raise ValueError("a password is not sent over an open line: use security: starttls or ssl")


class EmailSink:
    """Sends each notice as a mail of plain text.

    The mails about one alert are one conversation: each is named after its notice, so that a repeat is the same mail, and
    answers the mail that opened it.
    """

    Config = EmailConfig

    def __init__(self, config: EmailConfig, context: SinkContext) -> None:
        for address in (config.sender, *config.to):
            _require_address(address)
        self._config = config
        self._ca_file = context.root / config.ca_file if config.ca_file else None
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        pair = f"\0{config.username}\0{config.password}".encode()
        encoded = (b64encode(pair).decode(), b64encode(config.password.encode()).decode())
        self._secrets = (config.password, *encoded) if config.password else ()

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Send the mail once, to all.

        Raises:
            SinkError: not everybody gets it, or nobody can know. `retryable` is False where another try cannot help.
        """
        deadline = monotonic() + min(timeout.total_seconds(), self._config.timeout)
        try:
            refused = self._send(_mail(notice, self._config), deadline)
        except smtplib.SMTPRecipientsRefused as exc:
            self._lost(exc.recipients, exc)
        except smtplib.SMTPResponseException as exc:
            code = exc.smtp_code if exc.smtp_code > 0 else "what is not SMTP"
            words = f"the mail server answered {code}: {self._said(exc.smtp_error)}".removesuffix(": ")
            raise SinkError(words, retryable=exc.smtp_code < 500) from exc
        except smtplib.SMTPNotSupportedError as exc:
            words = f"the mail server cannot do what is asked of it: {self._said(str(exc))}"
            raise SinkError(words, retryable=False) from exc
        except (OSError, ValueError) as exc:
            # The text of a protocol error may quote what was sent.
            raise SinkError(f"the mail was not sent by {self._config.host}: {self._said(_reason(exc))}") from None
        if refused:
            self._lost(refused, None)

    def _send(self, mail: EmailMessage, deadline: float) -> dict[str, tuple[int, bytes]]:
        config = self._config
        tls = self._context() if config.security != "none" else None
        port = config.port or _PORTS[config.security]
        immediately = tls if config.security == "ssl" else None
        dialogue = SmtpDialogue(config.host, port, deadline=deadline, tls=immediately)
        try:
            if tls is not None and immediately is None:
                dialogue.starttls(context=tls)
            if config.username:
                dialogue.login(config.username, config.password)
            return dialogue.send_message(mail, config.sender, list(config.to))
        finally:
            dialogue.leave()

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
            return self._tls

    def _lost(self, refused: dict[str, tuple[int, bytes]], cause: Exception | None) -> NoReturn:
        each = [f"{address}: {code} {self._said(said)}" for address, (code, said) in sorted(refused.items())]
        words = f"the mail server refused {len(refused)} of {len(self._config.to)} addresses: {'; '.join(each)}"
        retryable = any(code < 500 for code, _ in refused.values())
        raise SinkError(cleaned(words, _LONGEST_REASON), retryable=retryable) from cause

    def _said(self, said: bytes | str) -> str:
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return redacted(cleaned(redacted(text, self._secrets), _LONGEST_REASON), self._secrets)


def _mail(notice: Notice, config: EmailConfig) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    subject = title(notice.alert, _LONGEST_SUBJECT)
    mail["From"] = config.sender
    mail["To"] = ", ".join(config.to)
    # Mail clients put mails together that have one subject and refer to one another: what is new stands in the text.
    mail["Subject"] = subject if notice.kind is NoticeKind.OPENED else f"Re: {subject}"
    mail["Date"] = format_datetime(notice.at.astimezone(UTC))
    mail["Message-ID"] = _message_id(notice.notice_id, config)
    if notice.number > 1:
        opening = _message_id(f"{notice.alert.alert_id}#1", config)
        mail["In-Reply-To"] = opening
        mail["References"] = opening
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Interlock-Notice"] = notice.kind.value
    text = "\n".join((sentence(notice), "", *facts(notice)))
    mail.set_content(text[:_LONGEST_TEXT] + "\n")
    return mail


def _message_id(notice_id: str, config: EmailConfig) -> str:
    name = blake2b(notice_id.encode(errors="replace"), digest_size=16).hexdigest()
    return f"<interlock.{name}@{config.sender.rpartition('@')[2]}>"


def _require_address(text: str) -> None:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{cleaned(text, 80)!r} is not a mail address, expected such as oncall@example.com")


def _reason(exc: Exception) -> str:
    # smtplib turns whatever ends a wait for an answer into a lost connection.
    if isinstance(exc, TimeoutError) or isinstance(exc.__context__, TimeoutError):
        return "it did not answer in time"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({exc.verify_message})"
    if isinstance(exc, smtplib.SMTPServerDisconnected):
        return "it closed the connection early"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: EmailSink) -> Sink:
        return it
