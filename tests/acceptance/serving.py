"""`interlock serve` in a process of its own, and what can be asked of it with nothing but HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.acceptance.cli import INTERLOCK, environment
from tests.acceptance.living import PATIENCE, until


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes

    @property
    def document(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def free_port() -> int:
    """Return a port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server process. What it says is in `said`."""

    def __init__(self, root: Path, *options: str, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.port = port or free_port()
        argv = [*INTERLOCK, "serve", "--addr", f"127.0.0.1:{self.port}", *options]
        self.process = subprocess.Popen(
            argv,
            cwd=root,
            env=environment(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.append(line)

    @property
    def said(self) -> str:
        """Everything that it wrote on stderr."""
        return "".join(self._lines)

    def ask(self, path: str, method: str = "GET", body: Any = None, timeout: float = PATIENCE) -> Reply:
        """Ask one thing."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {} if sent is None else {"content-type": "application/json"})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read())
        finally:
            connection.close()

    def status_of(self, path: str) -> int:
        """Return the status of an answer; 0 where there is none."""
        try:
            return self.ask(path).status
        except (OSError, HTTPException):
            return 0

    def ready(self) -> Self:
        """Wait until it says that it is."""

        def there() -> bool:
            assert self.process.poll() is None, self.said
            return self.status_of("/readyz") == 200

        until(there, lambda: f"a server that is ready; it said {self.said}")
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and return the code with which it left."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.left()

    def left(self) -> int:
        """Wait until it has left, and return its code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def kill(self) -> None:
        """Kill it and whatever it started that is still in its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.left()


@contextmanager
def serving(root: Path, *options: str, port: int = 0, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Have a server at work meanwhile, killed at the end if it is still there."""
    server = Server(root, *options, port=port, env=env)
    try:
        yield server
    finally:
        server.kill()
