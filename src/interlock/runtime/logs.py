"""Log lines: plain text, or one JSON object a line, with the run and the request they are about. No secret is in either."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

import msgspec

from interlock.clients.texts import Redactor
from interlock.telemetry.about import REQUEST, RUN

Format: TypeAlias = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TELLING: Final = re.compile(r"SECRET|TOKEN|PASSW|API_?KEY|CREDENTIAL|PRIVATE|_DSN$", re.IGNORECASE)
_IN_TEXT: Final = re.compile(
    r"""(?ix)
    ( ["']? (?: authorization | (?:x-)?api[-_]?key | passw(?:or)?d | secret | [a-z_-]*token ) ["']? \s* [:=] \s* ["']?
      (?: (?:bearer|basic) \s+ )? )
    [^\s"',;&}]+
    """
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_IN_URL: Final = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@]+@")
_QUIET: Final = ("completed", "opened", "recovered", "reload", "retrying", "skipped", "started")
_LOUD: Final = {"trouble": logging.WARNING, "failed": logging.WARNING, "cancelled": logging.WARNING}
_MARKS: Final = {"[ERROR]": logging.ERROR, "[WARNING]": logging.WARNING}
_EVENTS: Final = frozenset({"alert", *_QUIET, *_LOUD})
_ALERTS: Final = {"error": logging.ERROR, "warning": logging.WARNING}


class _Clean(logging.Formatter):
    """What both forms have in common: secrets are replaced in the finished text."""

    def __init__(self, redact: Callable[[str], str], form: str | None = None) -> None:
        super().__init__(form)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        return self._redact(super().format(record))


class JsonFormatter(_Clean):
    """One JSON object: `at`, `level`, `logger`, `message`, then `run`, `requestId`, `error` and whatever came as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record as one line."""
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if run := RUN.get():
            fields["run"] = run
        if request := REQUEST.get():
            fields["requestId"] = request
        for name, value in vars(record).items():
            if name not in _OWN and name not in fields:
                fields[name] = self._without_secrets(value, name)
        if record.exc_info:
            fields["error"] = self._redact(self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack"] = self._redact(record.stack_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()

    def _without_secrets(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return "***" if _TELLING.search(name) else self._redact(value)
        if isinstance(value, Mapping):
            return {str(key): self._without_secrets(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple | set):
            return [self._without_secrets(inner, name) for inner in value]
        return value


def configure_logging(
    form: Format, *, level: int = logging.INFO, secrets: Mapping[str, str] | None = None, stream: TextIO | None = None
) -> None:
    """Send all log lines of this process to a stream, stderr by default, in one form. Called again, it replaces itself.

    `secrets` are taken out of every line, each replaced by what stands for it; what looks like one goes, too.
    """
    redact = redactor(secrets or {})
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else _Clean(redact, _TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    if form == "json":
        logging.captureWarnings(capture=True)
        threading.excepthook = _dying


def secrets_of(env: Mapping[str, str], allow: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the values of an environment that no line should hold: those that are let in, and those that sound like it."""
    return {env[name]: f"${{{name}}}" for name in env if name in allow or _TELLING.search(name)}


def redactor(secrets: Mapping[str, str]) -> Callable[[str], str]:
    """Return what takes known secrets out of a text, and whatever looks like one by the word before it."""
    known = Redactor(secrets)

    def redact(text: str) -> str:
        clean = _IN_URL.sub(r"\1***@", known(text))
        clean = _BEARER.sub(r"\1 ***", _IN_TEXT.sub(r"\1***", clean))
        return clean.encode("utf-8", "backslashreplace").decode()  # half a character could not be written

    return redact


def news_of(logger: logging.Logger) -> Callable[[str], None]:
    """Return what writes the lines of a watcher as log lines: `event` is their first word, troubles and alerts are loud."""

    def news(line: str) -> None:
        event, _, rest = line.partition(" ")
        level = _ALERTS.get(rest.partition(" ")[0].lower()) if event == "alert" else _LOUD.get(event)
        extra = {"event": event} if event in _EVENTS else {}
        logger.log(level or logging.INFO, "%s", line, extra=extra)

    return news


class LineStream(io.StringIO):
    """A stream whose lines become log lines: for what is written for people where only programs read."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def write(self, text: str, /) -> int:
        """Log what is written, as one line."""
        words = text.strip()
        level = next((level for mark, level in _MARKS.items() if words.startswith(mark)), logging.INFO)
        if words:
            self._logger.log(level, "%s", words)
        return len(text)


def _dying(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread else "a thread"
    logging.getLogger("interlock").error("%s died", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
