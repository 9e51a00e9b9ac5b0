"""Receivers on real sockets that speak as the vendors do, and refuse whatever a vendor would refuse."""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import json
import re
import socket
import ssl
import threading
import warnings
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.servers.base import ServerMissing
from tests.servers.certificates import certificate as made_certificate
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.testing.conformance.sinks import Behaviour


class JsonStub:
    """Takes JSON by POST. Subclasses look at it in `answer`, and keep in `taken` what they take."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"]))
                with stub.lock:
                    status, said = stub.answer(self.path, dict(self.headers.items()), json.loads(text))
                body = said.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, path: str, headers: dict[str, str], said: dict[str, Any]) -> tuple[int, str]:
        """Return status and body of the answer."""
        self.taken.append(said)
        return 200, "{}"


class SlackStub(JsonStub):
    """One workspace with one channel and one bot."""

    token = "xoxb-0123-secret-token"
    channel = "C0123456789"
    hook = "/services/T0001/B0001/hook-secret-token"

    def __init__(self) -> None:
        super().__init__()
        self.next_errors: list[str] = []

    def answer(self, path: str, headers: dict[str, str], said: dict[str, Any]) -> tuple[int, str]:
        if path == self.hook:
            return self._hooked(said)
        fault = self._fault(path, {name.lower(): text for name, text in headers.items()}, said)
        if fault:
            return 200, json.dumps({"ok": False, "error": fault})
        ts = f"1700000000.{len(self.taken):06d}"
        self.taken.append({**said, "ts": ts})
        return 200, json.dumps({"ok": True, "channel": self.channel, "ts": ts, "message": {"text": said["text"]}})

    def _hooked(self, said: dict[str, Any]) -> tuple[int, str]:
        if set(said) != {"text"}:
            return 400, "invalid_payload"
        self.taken.append(said)
        return 200, "ok"

    def _fault(self, path: str, headers: dict[str, str], said: dict[str, Any]) -> str:
        if self.next_errors:
            return self.next_errors.pop(0)
        known = {"channel", "text", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"}
        roots = [one["ts"] for one in self.taken if "thread_ts" not in one]
        faults = {
            "unknown_method": path != "/api/chat.postMessage",
            "invalid_auth": headers["authorization"] != f"Bearer {self.token}",
            "invalid_post_type": headers["content-type"] != "application/json; charset=utf-8",
            "invalid_arguments": not set(said) <= known or ("reply_broadcast" in said and "thread_ts" not in said),
            "channel_not_found": said["channel"] != self.channel,
            "no_text": not said["text"].strip(),
            "msg_too_long": len(said["text"]) > 4000,
            "thread_not_found": said.get("thread_ts", roots[:1] and roots[0]) not in [*roots, []],
        }
        return next((name for name, wrong in faults.items() if wrong), "")

    def read(self) -> list[str]:
        """Return the messages as people see them."""
        assert not [one for one in self.taken if re.search(r"<|>|&(?!amp;|lt;|gt;)", one["text"])], "unescaped markup"
        return [html.unescape(one["text"]) for one in self.taken]


class PagerDutyStub(JsonStub):
    """The Events API v2, for one service."""

    key = "0123456789abcdef0123456789abcdef"

    def answer(self, path: str, headers: dict[str, str], said: dict[str, Any]) -> tuple[int, str]:
        errors = self._errors(path, said)
        if errors:
            return 400, json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": errors})
        self.taken.append(said)
        return 202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": said["dedup_key"]})

    def _errors(self, path: str, said: dict[str, Any]) -> list[str]:
        payload = said.get("payload", {})
        fields = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
        wrong = {
            "path": path != "/v2/enqueue",
            "routing_key": said.get("routing_key") != self.key,
            "dedup_key": not 0 < len(said.get("dedup_key", "")) <= 255,
            "event_action": said.get("event_action") not in {"trigger", "resolve"},
            "keys": not set(said) <= {"routing_key", "dedup_key", "event_action", "payload", "client", "links"},
            "payload": ("payload" in said) != (said.get("event_action") == "trigger") or not set(payload) <= fields,
            "summary": "payload" in said and not 0 < len(payload["summary"]) <= 1024,
            "severity": "payload" in said and payload["severity"] not in {"critical", "error", "warning", "info"},
            "size": len(json.dumps(said)) > 512_000,
        }
        return [f"'{name}' is wrong" for name, is_wrong in wrong.items() if is_wrong]


class MailServer:
    """A mail server, by aiosmtpd, on a loop in a thread of its own."""

    user, password = "interlock", "mail-secret-password"

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, immediately: bool = False, refuse: tuple[str, ...] = ()
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.signed_in: list[bool] = []
        self._tls = tls
        self._immediately = immediately
        self._refuse = refuse
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        tls = self._tls if self._immediately else None
        server = loop.run_until_complete(loop.create_server(self._dialogue, sock=self._listener, ssl=tls))
        self._ready.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _dialogue(self) -> SMTP:
        return SMTP(
            self,
            loop=self._loop,
            tls_context=None if self._immediately else self._tls,
            authenticator=self._authenticate,
            auth_require_tls=not self._immediately,
        )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.login.decode() == self.user
        return AuthResult(success=good and data.password.decode() == self.password, handled=False)

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self._refuse:
            return f"550 no such person, and {self.password} is a secret"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.signed_in.append(bool(session.authenticated))
        return "250 taken"

    def read(self) -> list[str]:
        """Return subject and text of the mails, as people see them."""
        return [f"{mail['subject']}\n{mail.get_content()}" for mail in self.mails]


def certificate(folder: Path, host: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for a host, and what a server needs to show it."""
    try:
        cert, key = made_certificate(folder, host)
    except ServerMissing as exc:
        pytest.skip(str(exc))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def apprise_is_there() -> None:
    """Load Apprise's hundred services once, so that no test waits for them; one warns of a module that will be removed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise

        assert apprise.Apprise.instantiate("json://localhost")


def nobody() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def rude_http(how: Behaviour) -> RawServer:
    """Make an HTTP server that behaves in a way, whatever it is asked."""
    if how in (Behaviour.HANGS, Behaviour.DRIPS):
        return _tedious(how, b"HTTP/1.1 200 OK\r\nX-Slow: ")
    answers = {
        Behaviour.BREAKS_OFF: raw(b"HTTP/1.1 20"),
        Behaviour.IN_TROUBLE: reply("500 Oops", b'{"ok": false, "error": "internal_error"}'),
        Behaviour.OVERLOADED: reply("429 Slow Down", b'{"ok": false, "error": "ratelimited"}', "Retry-After: 30"),
        Behaviour.DECLINES: reply("400 Bad", b'{"ok": false, "error": "invalid_arguments"}'),
        Behaviour.TALKS_NONSENSE: reply("200 OK", b"<html>Sign in to the network</html>"),
        Behaviour.NOT_TEXT: reply("200 OK", b'{"ok": "\xff\xfe"}'),
    }
    return RawServer(answers[how])


def rude_mail(how: Behaviour) -> RawServer:
    """Make a mail server that behaves in a way, whatever it is told."""
    if how in (Behaviour.HANGS, Behaviour.DRIPS):
        return _tedious(how, b"220 slow", read=False)
    greetings = {
        Behaviour.BREAKS_OFF: b"220 hel",
        Behaviour.IN_TROUBLE: b"421 try later\r\n",
        Behaviour.OVERLOADED: b"450 too many connections\r\n",
        Behaviour.DECLINES: b"554 no service for you\r\n",
        Behaviour.TALKS_NONSENSE: b"<html>Sign in to the network</html>\r\n",
        Behaviour.NOT_TEXT: b"\xff\xfe\xfd\xfc\r\n",
    }
    return RawServer(raw(greetings[how]), read=False)


def _tedious(how: Behaviour, beginning: bytes, *, read: bool = True) -> RawServer:
    def answer(peer: socket.socket, request: bytes) -> None:
        if how is Behaviour.DRIPS:
            peer.sendall(beginning)
        while not server.stopping.wait(0.05):
            if how is Behaviour.DRIPS:
                peer.sendall(b"x")

    server = RawServer(answer, read=read)
    return server
