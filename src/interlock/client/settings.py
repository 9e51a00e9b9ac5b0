"""Which server, by which key, and how patiently: read once, refused early, and shown without the key."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from interlock.errors import ConfigError
from interlock.version import __version__

Seconds: TypeAlias = float | timedelta

SERVER: Final = "INTERLOCK_SERVER"
API_KEY: Final = "INTERLOCK_API_KEY"
PLAIN_HTTP: Final = "INTERLOCK_ALLOW_PLAIN_HTTP"

PATIENCE: Final = 30.0
"""Seconds for one answer, all tries together."""
SLOW_PATIENCE: Final = 600.0
"""The same for requests that wait for evaluators or jobs."""
CONNECT_WITHIN: Final = 10.0
"""Seconds that a server may take to accept a connection, however patient the caller is with its answer."""
MAX_ANSWER: Final = 64 << 20
"""Bytes that an answer may have."""


class Settings:
    """What every request of a client has in common."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        timeout: Seconds | None = None,
        max_answer: int = MAX_ANSWER,
        allow_plain_http: bool = False,
    ) -> None:
        url = url or os.environ.get(SERVER, "")
        self.api_key = (api_key or os.environ.get(API_KEY, "")).strip()
        self.timeout = None if timeout is None else seconds_of(timeout)
        self.max_answer = max_answer
        self.base = _address(url)
        _require_printable(self.api_key)
        if self.api_key and not (allow_plain_http or os.environ.get(PLAIN_HTTP) == "1"):
            _require_private(self.base)

    @property
    def server(self) -> str:
        """The server as it is named to people: scheme, host and port."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}"

    def patience(self, *, slow: bool, timeout: Seconds | None = None) -> float:
        """Return how many seconds one request may take, all tries together."""
        if timeout is not None:
            return seconds_of(timeout)
        if self.timeout is not None:
            return self.timeout
        return SLOW_PATIENCE if slow else PATIENCE

    def headers(self, request_id: str) -> dict[str, str]:
        """Return the headers that every request carries."""
        found = {"accept": "application/json", "user-agent": f"interlock/{__version__}", "x-request-id": request_id}
        if self.api_key:
            found["x-api-key"] = self.api_key
        return found

    def __repr__(self) -> str:
        return f"{self.base!r}, {'with' if self.api_key else 'without'} a key"


def seconds_of(given: Seconds) -> float:
    """Return a time to wait in seconds.

    Raises:
        ConfigError: it is not above nothing, or nobody waits so long.
    """
    seconds = given.total_seconds() if isinstance(given, timedelta) else float(given)
    if not 0 < seconds <= 7 * 86_400:
        raise ConfigError(f"a timeout of {given} cannot be kept: give seconds above 0, and at most a week")
    return seconds


def tls_of(*, ca_file: str | os.PathLike[str] | None, certificate: Certificate | None) -> ssl.SSLContext | None:
    """Return how the server is to be recognised, and how to show who we are; None for the system's certificates alone.

    Raises:
        ConfigError: a file cannot be used.
    """
    if ca_file is None and certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else Path(ca_file))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"the certificates in {ca_file} cannot be used: {_reason(exc)}") from exc
    if certificate is not None:
        chain, key = (certificate, None) if isinstance(certificate, str | os.PathLike) else certificate
        try:
            # An empty password: a key that needs one is an error here, and not a question at a terminal.
            context.load_cert_chain(chain, key, password="")
        except (OSError, ValueError) as exc:
            raise ConfigError(f"the client certificate in {chain} cannot be used: {_reason(exc)}") from exc
    return context


Certificate: TypeAlias = str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]]


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


def _address(url: str) -> str:
    if not url:
        raise ConfigError(f"no server is named: give its address, such as http://127.0.0.1:3000, or set {SERVER}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ConfigError("the server's address is no URL (it is not shown: it may hold a secret)") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the server's address must not hold a password: give the key as api_key or in {API_KEY}")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"{url[:200]!r} is no server: give its address, such as http://127.0.0.1:3000")
    if parts.query or parts.fragment:
        raise ConfigError("the server's address has a '?' or a '#': give scheme, host, port and perhaps a path")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _require_printable(key: str) -> None:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("the API key holds characters that cannot be sent: was it copied whole, and nothing with it?")


def _require_private(base: str) -> None:
    parts = urlsplit(base)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return
    raise ConfigError(
        f"the API key would go to {parts.hostname} unencrypted: use https://, or, where the network between is trusted, "
        f"allow_plain_http=True or {PLAIN_HTTP}=1"
    )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def traceparent(modules: Mapping[str, object]) -> dict[str, str]:
    """Return the headers that tie a request to the current span of OpenTelemetry, if there is one.

    Nothing is imported for it: where OpenTelemetry is not loaded, there is no span.
    """
    api = modules.get("opentelemetry.trace")
    current = getattr(api, "get_current_span", None)
    if current is None:
        return {}
    span = current().get_span_context()
    if not span.is_valid:
        return {}
    headers = {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"}
    state = span.trace_state.to_header()
    return headers | ({"tracestate": state} if state else {})
