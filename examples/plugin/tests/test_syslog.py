"""Alerts go out as datagrams, to a receiver that lives in the test."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interlock.testing.conformance.contexts import a_sink_context
from interlock.testing.conformance.sinks import SLOT, TIMEOUT, SinkContract, a_notice, a_resolved_notice, an_event
from interlock_example_plugin.syslog import LONGEST, SyslogConfig, SyslogSink

_DONE = b"nothing more was sent"


class Bench:
    """A daemon on a socket, which reads in a thread of its own as daemons do."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._daemon.bind(str(place / "log"))
        self._found: list[bytes] = []
        self._all_read = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def sink(self) -> SyslogSink:
        return SyslogSink(SyslogConfig(address=f"unix://{self.place}/log"), a_sink_context(self.place))

    def broken(self) -> SyslogSink:
        return SyslogSink(SyslogConfig(address=f"unix://{self.place}/nobody"), a_sink_context(self.place))

    def received(self) -> list[str]:
        self._all_read.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(TIMEOUT.total_seconds())
            line.sendto(_DONE, str(self.place / "log"))
        assert self._all_read.wait(TIMEOUT.total_seconds())
        return [data.decode() for data in self._found]

    def close(self) -> None:
        self.received()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(b"", str(self.place / "log"))
        self._thread.join()
        self._daemon.close()

    def _read(self) -> None:
        while data := self._daemon.recv(65536):
            if data == _DONE:
                self._all_read.set()
            else:
                self._found.append(data)


@pytest.fixture
def bench() -> Iterator[Bench]:
    # The name of a socket is short, and that of a test's own directory need not be.
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Bench(Path(place))) as bench:
        yield bench


class TestSyslog(SinkContract):
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        return bench


def test_a_message_is_one_of_rfc_5424(bench: Bench) -> None:
    sink = bench.sink()
    sink.deliver(a_notice(), timeout=TIMEOUT)
    sink.deliver(a_resolved_notice(), timeout=TIMEOUT)
    sink.publish(an_event(), timeout=TIMEOUT)
    assert bench.received() == [
        f"<11>1 2026-03-07T12:00:00+00:00 - interlock - run_failed - [ERROR] {SLOT} the job failed",
        f"<13>1 2026-03-07T13:00:00+00:00 - interlock - run_failed - [RESOLVED] {SLOT} the job failed (the rerun completed)",
        f"<13>1 2026-03-07T12:00:00+00:00 - interlock - PIPELINE_COMPLETED - {SLOT} {SLOT}:1 COMPLETED",
    ]


def test_no_message_is_longer_than_receivers_take(bench: Bench) -> None:
    bench.sink().deliver(a_notice(message="ä" * 5000), timeout=TIMEOUT)
    (found,) = bench.received()
    assert LONGEST - 2 <= len(found.encode()) <= LONGEST


@pytest.mark.parametrize("address", ["/dev/log", "tcp://host:514", "udp://", "udp://host:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"address": address}, SyslogConfig)


def test_an_address_may_come_from_a_variable() -> None:
    assert msgspec.convert({"address": "${env:SYSLOG}"}, SyslogConfig).address == "${env:SYSLOG}"
