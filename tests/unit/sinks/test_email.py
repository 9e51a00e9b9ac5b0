from __future__ import annotations

import io
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer
from tests.unit.sinks.stubs import MailServer, certificate

from interlock.core.alerts import NoticeKind
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.email import EmailConfig, EmailSink
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_alert

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)
SIGNED_IN: dict[str, Any] = {"username": MailServer.user, "password": MailServer.password}


def sink(port: int, root: Path = Path("/"), **keys: Any) -> EmailSink:
    given = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from": "interlock@example.com",
        "to": ["oncall@example.com"],
    }
    context = SinkContext(stream=io.StringIO(), root=root)
    return EmailSink(msgspec.convert(given | keys, EmailConfig), context)


def test_a_mail_says_what_happened_and_who_it_is_for() -> None:
    with MailServer() as server:
        sink(server.port, to=["a@example.com", "b@example.org"]).deliver(a_notice(), timeout=SOON)
    (mail,) = server.mails
    assert (mail["from"], mail["to"]) == ("interlock@example.com", "a@example.com, b@example.org")
    assert mail["subject"] == "[ERROR] daily-sales: the job failed"
    assert "slot: daily-sales:daily:2026-03-07" in mail.get_content()
    assert mail["date"].datetime == a_notice().at
    assert mail["auto-submitted"] == "auto-generated"
    assert server.recipients == [["a@example.com", "b@example.org"]]


def test_the_mails_about_one_alert_are_one_conversation() -> None:
    with MailServer() as server:
        made = sink(server.port)
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_notice(kind=NoticeKind.REMINDED, number=2), timeout=SOON)
        made.deliver(a_resolved_notice(), timeout=SOON)
    first, *answers = server.mails
    assert "in-reply-to" not in first
    assert {(mail["in-reply-to"], mail["references"]) for mail in answers} == {(first["message-id"],) * 2}
    assert {mail["subject"] for mail in answers} == {f"Re: {first['subject']}"}
    assert len({mail["message-id"] for mail in server.mails}) == 3


def test_a_fact_that_is_true_again_goes_on_with_its_conversation_as_news() -> None:
    with MailServer() as server:
        made = sink(server.port)
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_notice(number=4), timeout=SOON)
    first, again = server.mails
    assert again["subject"] == first["subject"]
    assert again["references"] == first["message-id"] != again["message-id"]


def test_a_repeated_delivery_is_the_same_mail() -> None:
    with MailServer() as server:
        made = sink(server.port)
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_notice(), timeout=SOON)
    one, two = server.mails
    assert one.as_string() == two.as_string()
    assert one["message-id"].endswith("@example.com>")


def test_nothing_in_an_alert_becomes_a_header_or_another_mail() -> None:
    hostile = "x\r\nBcc: thief@example.com\r\n\r\nbody\r\n.\r\nMAIL FROM:<thief@example.com>\r\n"
    with MailServer() as server:
        alert = an_alert(hostile, hostile, owner=hostile)
        sink(server.port).deliver(a_notice(alert=alert), timeout=SOON)
    (mail,) = server.mails
    assert mail["bcc"] is None
    assert server.recipients == [["oncall@example.com"]]


@pytest.mark.parametrize("message", ["Größe 😀 東京", "." * 5, "x" * 100_000, "\ud800", "\x00"])
def test_any_text_arrives(message: str) -> None:
    with MailServer() as server:
        sink(server.port).deliver(a_notice(message=message), timeout=SOON)
    (text,) = server.read()
    assert message.replace("\ud800", "").replace("\x00", "")[:100] in text


def test_mail_is_encrypted_and_the_certificate_is_verified(tmp_path: Path) -> None:
    cert, tls = certificate(tmp_path)
    with MailServer(tls=tls) as server:
        made = sink(server.port, tmp_path, security="starttls", caFile=cert.name, **SIGNED_IN)
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_notice("a-2"), timeout=SOON)
    assert server.signed_in == [True, True]


def test_mail_over_tls_from_the_first_byte(tmp_path: Path) -> None:
    cert, tls = certificate(tmp_path)
    with MailServer(tls=tls, immediately=True) as server:
        made = sink(server.port, tmp_path, security="ssl", caFile=cert.name, **SIGNED_IN)
        made.deliver(a_notice(), timeout=SOON)
    assert server.signed_in == [True]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_server_that_is_not_who_it_says_gets_no_password(tmp_path: Path, security: str, trusted: bool) -> None:
    """An unknown certificate, or a known one of another host."""
    cert, tls = certificate(tmp_path, "mail.example.com" if trusted else "127.0.0.1")
    keys: dict[str, Any] = {"caFile": cert.name} if trusted else {}
    with MailServer(tls=tls, immediately=security == "ssl") as server:
        with pytest.raises(SinkError, match="certificate is not trusted"):
            sink(server.port, tmp_path, security=security, **keys, **SIGNED_IN).deliver(a_notice(), timeout=SOON)
        assert server.mails == []


def test_a_server_without_starttls_gets_nothing() -> None:
    with MailServer() as server, pytest.raises(SinkError, match="STARTTLS") as caught:
        sink(server.port, security="starttls", **SIGNED_IN).deliver(a_notice(), timeout=SOON)
    assert server.mails == []
    assert not caught.value.retryable


def test_a_wrong_password_is_wrong_for_good_and_is_not_shown(tmp_path: Path) -> None:
    cert, tls = certificate(tmp_path)
    wrong = {"username": MailServer.user, "password": "wrong-password"}
    with MailServer(tls=tls) as server, pytest.raises(SinkError, match="535") as caught:
        sink(server.port, tmp_path, security="starttls", caFile=cert.name, **wrong).deliver(a_notice(), timeout=SOON)
    assert not caught.value.retryable
    assert "wrong-password" not in str(caught.value)


def test_a_recipient_who_was_refused_is_named_and_the_others_get_it(tmp_path: Path) -> None:
    """BUG-179."""
    with MailServer(refuse=("gone@example.com",)) as server, pytest.raises(SinkError, match="1 of 2") as caught:
        sink(server.port, to=["gone@example.com", "here@example.com"]).deliver(a_notice(), timeout=SOON)
    assert server.recipients == [["here@example.com"]]
    assert "gone@example.com: 550" in str(caught.value)
    assert not caught.value.retryable


def test_when_all_are_refused_it_is_said() -> None:
    with MailServer(refuse=("oncall@example.com",)) as server, pytest.raises(SinkError, match="1 of 1"):
        sink(server.port).deliver(a_notice(), timeout=SOON)
    assert server.mails == []


def test_a_server_that_never_stops_talking_is_broken_off() -> None:
    def talk(peer: socket.socket, request: bytes) -> None:
        while True:
            peer.sendall(b"220-and another thing\r\n" * 500)

    with RawServer(talk, read=False) as server, pytest.raises(SinkError, match=r"closed|talking"):
        sink(server.port).deliver(a_notice(), timeout=SOON)


def test_a_mail_that_was_taken_is_delivered_whatever_comes_after() -> None:
    taken: list[bytes] = []

    def speak(peer: socket.socket, request: bytes) -> None:
        lines = peer.makefile("rb")
        peer.sendall(b"220 hello\r\n")
        for answer in (b"250 hello", b"250 yes", b"250 yes", b"354 go on"):
            lines.readline()
            peer.sendall(answer + b"\r\n")
        while (line := lines.readline()) != b".\r\n":
            taken.append(line)
        peer.sendall(b"250 taken\r\n")

    with RawServer(speak, read=False) as server:
        sink(server.port).deliver(a_notice(), timeout=SOON)
    assert b"".join(taken).startswith(b"From: interlock@example.com\r\n")


@pytest.mark.parametrize(
    "keys",
    [
        {"from": "interlock"},
        {"from": "a@example.com\r\nBcc: b@example.com"},
        {"from": "a@example.com\n"},
        {"to": []},
        {"to": ["A Person <a@example.com>"]},
        {"to": ["a@example.com", "b@example.com,c@example.com"]},
        {"to": "a@example.com"},
        {"host": ""},
        {"port": 70000},
        {"security": "tls"},
        {"security": "none", "username": "u", "password": "p"},
        {"username": "u"},
        {"password": "p"},
        {"subject": "x"},
    ],
)
def test_what_could_never_be_sent_is_refused(keys: dict[str, Any]) -> None:
    given = {"host": "mail.example.com", "from": "a@example.com", "to": ["b@example.com"]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given | keys, EmailConfig)


def test_an_address_from_the_environment_is_looked_at_when_it_is_there() -> None:
    convert = {"host": "h", "from": "${env:SENDER}", "to": ["${env:ONCALL}"]}
    unfilled = msgspec.convert(convert, EmailConfig)
    with pytest.raises(ValueError, match="not a mail address"):
        EmailSink(unfilled, SinkContext(stream=io.StringIO(), root=Path("/")))


def test_certificates_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with MailServer() as server, pytest.raises(SinkError, match="No such file"):
        sink(server.port, tmp_path, security="starttls", caFile="nothing.pem").deliver(a_notice(), timeout=SOON)


def test_a_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SinkError, match=r"was not sent by no-such-host\.invalid") as caught:
        sink(25, host="no-such-host.invalid").deliver(a_notice(), timeout=timedelta(seconds=3))
    assert caught.value.retryable
