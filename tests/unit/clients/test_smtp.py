from __future__ import annotations

import smtplib
import socket
from time import monotonic

import pytest
from tests.unit.clients.rawserver import RawServer, raw

from interlock.clients import smtp
from interlock.clients.smtp import SmtpDialogue

pytestmark = pytest.mark.enable_socket


def test_a_greeting_in_many_pieces_is_one_answer() -> None:
    def speak(peer: socket.socket, request: bytes) -> None:
        for piece in (b"22", b"0-hel", b"lo\r", b"\n220 there\r\n"):
            peer.sendall(piece)
        peer.recv(100)
        peer.sendall(b"221 bye\r\n")

    with RawServer(speak, read=False) as server:
        dialogue = SmtpDialogue("127.0.0.1", server.port, deadline=monotonic() + 10)
        dialogue.leave()
    assert dialogue.sock is None


def test_a_line_that_never_ends_is_broken_off() -> None:
    with RawServer(raw(b"220 " + b"x" * 100_000), read=False) as server, pytest.raises(smtplib.SMTPResponseException):
        SmtpDialogue("127.0.0.1", server.port, deadline=monotonic() + 10)


def test_the_time_counts_from_the_beginning_and_not_from_each_answer() -> None:
    def speak(peer: socket.socket, request: bytes) -> None:
        while not server.stopping.wait(0.1):
            peer.sendall(b"220-still here\r\n")

    began = monotonic()
    with RawServer(speak, read=False) as server, pytest.raises(OSError, match=r"the time is up|timed out"):
        SmtpDialogue("127.0.0.1", server.port, deadline=began + 0.4)
    assert monotonic() - began < 3


def test_when_the_time_is_up_before_it_begins_nothing_is_connected() -> None:
    with RawServer(raw(b"220 hello\r\n"), read=False) as server, pytest.raises(TimeoutError):
        SmtpDialogue("127.0.0.1", server.port, deadline=monotonic() - 1)
    assert server.connections == 0


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "resolve", lambda *_args, **_keys: ("127.0.0.2", "127.0.0.1"))
    with RawServer(raw(b"220 hello\r\n"), read=False) as server:
        SmtpDialogue("two.example.com", server.port, deadline=monotonic() + 10).close()
    assert server.connections == 1


def test_a_name_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "resolve", lambda *_args, **_keys: ())
    with pytest.raises(ConnectionError, match="no address"):
        SmtpDialogue("none.example.com", 25, deadline=monotonic() + 10)


@pytest.mark.parametrize(
    ("own", "said"),
    [("host.example.com", "host.example.com"), ("laptop", "[127.0.0.1]"), ("größe.example", "[127.0.0.1]")],
)
def test_the_name_of_this_machine_is_said_without_asking_anybody(
    own: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: own)
    with RawServer(raw(b"220 hello\r\n"), read=False) as server:
        dialogue = SmtpDialogue("127.0.0.1", server.port, deadline=monotonic() + 10)
        dialogue.close()
    assert dialogue.local_hostname == said
