"""The HTTP server on sockets that are there already: limits, patience, certificates, and an end in order."""

from __future__ import annotations

import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Any, Final

import uvicorn
from litestar.types import ASGIApp

from interlock.config.project import TlsSpec
from interlock.errors import ConfigError
from interlock.server.listening import BACKLOG, close
from interlock.server.patience import PatientProtocol

KEEP_ALIVE: Final = 75
"""Seconds between two requests. Longer than the usual minute of load balancers: who closes first must be the caller."""

LARGEST_HEADERS: Final = 64 * 1024
RESERVED: Final = 512
"""So many files stay free of connections: the store, evaluators, jobs and sinks need some, too."""


class HttpServer:
    """Serves an application until it is told to stop. `run` is for a thread of its own; the rest is for any."""

    def __init__(
        self, app: ASGIApp, sockets: Sequence[socket.socket], *, tls: TlsSpec | None = None, grace: timedelta
    ) -> None:
        self._sockets = tuple(sockets)
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            limit_concurrency=connections(),
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(grace.total_seconds())),
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            ssl_context_factory=None if tls is None else lambda _config, _default: context_of(tls),
        )
        # Loaded here and now: certificates that cannot be used are told before anything else begins.
        config.load()
        self._server = _Server(config)

    @property
    def started(self) -> bool:
        """Whether requests are taken."""
        return self._server.started

    def run(self) -> None:
        """Serve until stopped, and until the requests under way have been answered or the grace is over."""
        try:
            self._server.run(list(self._sockets))
        finally:
            close(self._sockets)

    def stop(self) -> None:
        """Take no more connections, and end when what is under way is answered. Safe in a signal's handler."""
        self._server.should_exit = True

    def hurry(self) -> None:
        """End without waiting for what is under way. Safe in a signal's handler."""
        self._server.should_exit = self._server.force_exit = True


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to whoever started it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def connections() -> int:
    """Let this process have as many open files as it may, and return how many of them may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
        wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
        with contextlib.suppress(OSError, ValueError):  # it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), hard))
            soft = max(wanted, soft)
    if soft == resource.RLIM_INFINITY:
        return 65_536
    return max(soft - RESERVED, soft // 2, 1)


def context_of(tls: TlsSpec) -> ssl.SSLContext:
    """Make the TLS context of a certificate.

    Raises:
        ConfigError: one of its files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    place: Any = tls.cert_file
    try:
        # A key with a password would have to be asked for at a terminal, and a service has none.
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_refuse_to_ask)
        if tls.client_ca_file is not None:
            place = tls.client_ca_file
            context.load_verify_locations(tls.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError, ValueError) as exc:
        named = getattr(exc, "filename", None) or place
        words = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigError(
            f"server.tls cannot be used: {named} (with the key {tls.key_file}): {words}; nothing was started"
        ) from exc
    return context


def _refuse_to_ask() -> str:
    raise ValueError("the key is protected by a password; a service cannot be asked for one")
