"""The real application on the real server, in a thread of this process, with a project in a folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from msgspec.structs import replace
from tests.acceptance.cli import a_project

from interlock.config.build_server import digest_of
from interlock.config.load import load_project
from interlock.config.project import KeySpec, ServerSpec
from interlock.runtime.wiring import Interlock
from interlock.server.app import create_app
from interlock.server.httpd import HttpServer
from interlock.server.hub import Hub
from interlock.server.listening import Address, listen
from interlock.server.stream import stream_of

PATIENCE = 30.0

PUSHED = """\
name: fed
archetype: one-check
traits:
  data-check:
    evaluator: push
"""


class Served(NamedTuple):
    """A server at work on a project."""

    url: str
    root: Path
    work: Interlock
    hub: Hub


def a_key(token: str, *roles: str) -> KeySpec:
    """Return a key as a file of the project gives it."""
    return KeySpec(name=roles[0], digest=digest_of(token), roles=roles, pipelines=())


@contextmanager
def serving(root: Path, *, keys: Sequence[KeySpec] = (), check: str = 'echo \'{"status":"PASS"}\'') -> Iterator[Served]:
    """Have the server at work meanwhile."""
    if not (root / "interlock.yaml").exists():
        a_project(root, check=check)
        (root / "pipelines" / "fed.yaml").write_text(PUSHED)
    work = Interlock(load_project(root), env={})
    hub = Hub(work)
    spec = replace(ServerSpec(), keys=tuple(keys))
    app = create_app(work, spec, extra=[stream_of(hub, work)], env={})
    sockets = listen(Address("127.0.0.1", 0))
    port = sockets[0].getsockname()[1]
    server = HttpServer(app, sockets, grace=timedelta(seconds=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Served(f"http://127.0.0.1:{port}", root, work, hub)
    finally:
        hub.close()
        server.stop()
        thread.join(PATIENCE)
        work.__exit__(None, None, None)
        assert not thread.is_alive()


def until(comes_true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    ends, pause = monotonic() + PATIENCE, threading.Event()
    while not comes_true():
        assert monotonic() < ends, "waited in vain"
        pause.wait(0.01)
