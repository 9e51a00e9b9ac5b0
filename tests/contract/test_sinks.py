from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.unit.clients.rawserver import RawServer
from tests.unit.sinks.stubs import (
    JsonStub,
    MailServer,
    PagerDutyStub,
    SlackStub,
    apprise_is_there,
    nobody,
    rude_http,
    rude_mail,
)

from interlock.clients.http import HttpClient
from interlock.ports.sinks import Sink
from interlock.sinks.apprise import AppriseConfig, AppriseSink
from interlock.sinks.console import ConsoleConfig, ConsoleSink
from interlock.sinks.context import SinkContext
from interlock.sinks.email import EmailConfig, EmailSink
from interlock.sinks.file import FileConfig, FileSink
from interlock.sinks.pagerduty import PagerDutyConfig, PagerDutySink
from interlock.sinks.slack import SlackConfig, SlackSink
from interlock.sinks.webhook import WebhookConfig, WebhookSink
from interlock.testing.conformance.sinks import Behaviour, RemoteSinkBench, RemoteSinkContract, SinkBench, SinkContract


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


class RemoteBench:
    """A sink at a good server, and sinks at servers that are rude in every way; `make` takes the port."""

    def __init__(
        self,
        stack: ExitStack,
        make: Callable[[int], Sink],
        port: int,
        read: Callable[[], list[str]],
        rude: Callable[[Behaviour], RawServer] = rude_http,
    ) -> None:
        self._stack = stack
        self._make = make
        self._port = port
        self._rude = rude
        self.received = read

    def sink(self) -> Sink:
        return self._make(self._port)

    def broken(self) -> Sink:
        return self.behaving(Behaviour.IN_TROUBLE)

    def behaving(self, how: Behaviour) -> Sink:
        if how is Behaviour.REFUSES:
            return self._make(nobody())
        return self._make(self._stack.enter_context(self._rude(how)).port)


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def put(self, key: str, thread: str) -> None:
        self.kept[key] = thread


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def context(stack: ExitStack) -> SinkContext:
    client = HttpClient(allow=["127.0.0.1"])
    stack.callback(client.close)
    return SinkContext(stream=io.StringIO(), root=Path("/"), http=client, threads=Memory())


def texts(stub: JsonStub) -> Callable[[], list[str]]:
    return lambda: [json.dumps(one, ensure_ascii=False) for one in stub.taken]


class TestConsoleSink(SinkContract):
    @pytest.fixture
    def bench(self) -> SinkBench:
        return ConsoleBench()


class TestFileSink(SinkContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> SinkBench:
        return FileBench(tmp_path)


@pytest.mark.enable_socket
class TestWebhookSink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            return WebhookSink(WebhookConfig(url=f"http://127.0.0.1:{port}/alerts", secret="s3cret"), context)

        stub = stack.enter_context(JsonStub())
        return RemoteBench(stack, make, stub.port, texts(stub))


@pytest.mark.enable_socket
class TestSlackSink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            api = f"http://127.0.0.1:{port}/api"
            return SlackSink(SlackConfig(token=SlackStub.token, channel=SlackStub.channel, api_url=api), context)

        stub = stack.enter_context(SlackStub())
        return RemoteBench(stack, make, stub.port, stub.read)


@pytest.mark.enable_socket
class TestSlackSinkByWebhook(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            return SlackSink(SlackConfig(url=f"http://127.0.0.1:{port}{SlackStub.hook}"), context)

        stub = stack.enter_context(SlackStub())
        return RemoteBench(stack, make, stub.port, stub.read)


@pytest.mark.enable_socket
class TestPagerDutySink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            url = f"http://127.0.0.1:{port}/v2/enqueue"
            return PagerDutySink(PagerDutyConfig(routing_key=PagerDutyStub.key, url=url), context)

        stub = stack.enter_context(PagerDutyStub())
        return RemoteBench(stack, make, stub.port, texts(stub))


@pytest.mark.enable_socket
class TestEmailSink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            config = EmailConfig(
                host="127.0.0.1", port=port, security="none", sender="interlock@example.com", to=("a@example.com",)
            )
            return EmailSink(config, context)

        server = stack.enter_context(MailServer())
        return RemoteBench(stack, make, server.port, server.read, rude_mail)


@pytest.mark.enable_socket
class TestAppriseSink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, context: SinkContext) -> RemoteSinkBench:
        def make(port: int) -> Sink:
            return AppriseSink(AppriseConfig(url=f"json://user:secret-pass@127.0.0.1:{port}/hook"), context)

        apprise_is_there()
        stub = stack.enter_context(JsonStub())
        return RemoteBench(stack, make, stub.port, texts(stub))
