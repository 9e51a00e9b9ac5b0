from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.http import HttpClient
from interlock.ports.sinks import Sink
from interlock.sinks.console import ConsoleConfig, ConsoleSink
from interlock.sinks.context import SinkContext
from interlock.sinks.file import FileConfig, FileSink
from interlock.sinks.webhook import WebhookConfig, WebhookSink
from interlock.testing.conformance.sinks import SinkBench, SinkContract


class ConsoleBench:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    def sink(self) -> Sink:
        return ConsoleSink(ConsoleConfig(), SinkContext(stream=self.stream, root=Path("/")))

    def broken(self) -> Sink:
        closed = io.StringIO()
        closed.close()
        return ConsoleSink(ConsoleConfig(), SinkContext(stream=closed, root=Path("/")))

    def received(self) -> list[str]:
        return self.stream.getvalue().splitlines()


class FileBench:
    def __init__(self, root: Path) -> None:
        self.root = root

    def sink(self) -> Sink:
        context = SinkContext(stream=io.StringIO(), root=self.root)
        return FileSink(FileConfig(path="alerts.jsonl"), context)

    def broken(self) -> Sink:
        context = SinkContext(stream=io.StringIO(), root=self.root)
        return FileSink(FileConfig(path="missing/alerts.jsonl"), context)

    def received(self) -> list[str]:
        return (self.root / "alerts.jsonl").read_text().splitlines()


class WebhookBench:
    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.good = RawServer(reply("204 No Content"))
        self.bad = RawServer(reply("500 Oops"))

    def made(self, server: RawServer) -> Sink:
        context = SinkContext(stream=io.StringIO(), root=Path("/"), http=self.client)
        return WebhookSink(WebhookConfig(url=server.url), context)

    def sink(self) -> Sink:
        return self.made(self.good)

    def broken(self) -> Sink:
        return self.made(self.bad)

    def received(self) -> list[str]:
        return [request.decode().partition("\r\n\r\n")[2] for request in self.good.requests]


class TestConsoleSink(SinkContract):
    @pytest.fixture
    def bench(self) -> SinkBench:
        return ConsoleBench()


class TestFileSink(SinkContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> SinkBench:
        return FileBench(tmp_path)


@pytest.mark.enable_socket
class TestWebhookSink(SinkContract):
    @pytest.fixture
    def bench(self) -> Iterator[SinkBench]:
        client = HttpClient(allow=["127.0.0.1"])
        bench = WebhookBench(client)
        with bench.good, bench.bad:
            yield bench
        client.close()
