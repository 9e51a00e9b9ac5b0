"""Connections to AWS: each for one request, and to whom they are made."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_http import Listener, Reply
from tests.servers.base import ServerMissing
from tests.servers.certificates import certificate
from tests.unit.clients.awsdoors import PERMANENT, Doors, ask, trouble
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.aws import AwsDoor

pytestmark = pytest.mark.enable_socket
Places: TypeAlias = Callable[..., tuple[str, bytes]]


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Return what puts up a server that starts jobs over TLS: its address, and its certificate."""
    with ExitStack() as stack:

        def put_up(host: str = "127.0.0.1") -> tuple[str, bytes]:
            try:
                cert, key = certificate(tmp_path_factory.mktemp("tls"), host)
            except ServerMissing as exc:
                pytest.skip(str(exc))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server = stack.enter_context(RawServer(reply("200 OK", b'{"JobRunId": "jr_1"}'), tls=context))
            return f"https://127.0.0.1:{server.port}", cert.read_bytes()

        yield put_up


@pytest.fixture
def bundle(aws_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the certificates that are trusted."""
    path = aws_home / "bundle.pem"
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    return path


class Patient(Listener):
    """Counts connections, and keeps each open for as long as its client likes."""

    def __init__(self) -> None:
        self.connections = 0
        super().__init__(lambda _request: Reply(200, {}, b'{"JobRunId": "jr_1"}'))

    def _serve(self, peer: socket.socket) -> None:
        self.connections += 1
        super()._serve(peer)


def start(door: AwsDoor) -> str:
    return str(ask(door, service="glue")["JobRunId"])


def test_a_connection_that_the_server_keeps_open_is_not_used_again(door_to: Doors) -> None:
    with closing(Patient()) as server:
        door = door_to(endpoint=f"http://127.0.0.1:{server.port}", region=REGION)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(start, [door] * 8)) == ["jr_1"] * 8
        start(door)
        assert server.connections == 9


# ------------------------------------------------------------ whom they trust


def test_certificates_are_not_read_for_every_call(door_to: Doors, place: Places, bundle: Path) -> None:
    url, trusted = place()
    bundle.write_bytes(trusted)
    door = door_to(endpoint=url, region=REGION)
    start(door)
    stamp = bundle.stat()
    with bundle.open("r+b") as file:
        file.write(b"x" * len(trusted))
    os.utime(bundle, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert start(door) == "jr_1"


def test_certificates_are_read_again_when_their_file_has_changed(door_to: Doors, place: Places, bundle: Path) -> None:
    (url, renewed), (_, before) = place(), place()
    bundle.write_bytes(before)
    door = door_to(endpoint=url, region=REGION)
    assert "CERTIFICATE_VERIFY_FAILED" in str(trouble(door, service="glue"))
    bundle.write_bytes(before + renewed)
    assert start(door) == "jr_1"


def test_one_server_s_certificate_vouches_for_no_other(door_to: Doors, place: Places, bundle: Path) -> None:
    (url, trusted), (stranger, _) = place(), place()
    bundle.write_bytes(trusted)
    start(door_to(endpoint=url, region=REGION))
    found = trouble(door_to(endpoint=stranger, region=REGION), service="glue")
    assert "CERTIFICATE_VERIFY_FAILED" in str(found)
    assert (found.done, found.category) == (False, PERMANENT)


def test_a_trusted_certificate_of_another_name_is_refused(door_to: Doors, place: Places, bundle: Path) -> None:
    url, trusted = place("glue.example.com")
    bundle.write_bytes(trusted)
    found = trouble(door_to(endpoint=url, region=REGION), service="glue")
    assert "doesn't match 'glue.example.com'" in str(found)
    assert found.done is not True


@pytest.mark.parametrize("broken", [Path.unlink, lambda path: path.write_bytes(b"no certificate")])
def test_without_a_file_of_certificates_nobody_is_trusted(
    door_to: Doors, place: Places, bundle: Path, broken: Callable[[Path], object]
) -> None:
    url, trusted = place()
    bundle.write_bytes(trusted)
    door = door_to(endpoint=url, region=REGION)
    start(door)
    broken(bundle)
    assert "SSL validation failed" in str(trouble(door, service="glue"))
