"""A server in this process, asked without a network: every request goes through the whole application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import replace
from tests.acceptance.cli import a_project

from interlock.config.build_server import digest_of
from interlock.config.load import load_project
from interlock.config.project import KeySpec, ServerSpec
from interlock.runtime.wiring import Interlock
from interlock.server.app import Bounds, Gauges, create_app

HOST = "127.0.0.1:3000"
PLAIN, NO_GAUGES, USUAL = ServerSpec(), Gauges(), Bounds()


def a_key(token: str, *roles: str, name: str = "", pipelines: Sequence[str] = ()) -> KeySpec:
    """Return a key as a file of the project gives it."""
    return KeySpec(name=name or token, digest=digest_of(token), roles=roles, pipelines=tuple(pipelines))


class Reply(NamedTuple):
    """What came back."""

    status: int
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in small letters."""
        return {name.decode(): value.decode() for name, value in self.raw_headers}

    @property
    def document(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Rig:
    """A project at work with its application; everything is closed at the end of the `with` statement."""

    def __init__(
        self,
        root: Path,
        spec: ServerSpec = PLAIN,
        *,
        env: Mapping[str, str] = {},
        extra: Sequence[HTTPRouteHandler] = (),
        gauges: Gauges = NO_GAUGES,
        bounds: Bounds = USUAL,
    ) -> None:
        self.root = root if (root / "interlock.yaml").exists() else a_project(root, timezone="UTC")
        self.runner = asyncio.Runner()
        self.work = Interlock(load_project(self.root, tolerant=True)[0], env={})
        self.app: Litestar = create_app(self.work, spec, env=env, extra=extra, gauges=gauges, bounds=bounds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self.app.on_shutdown:
            hook()  # type: ignore[call-arg, unused-ignore]
        self.runner.close()
        self.work.__exit__(kind, error, trace)

    def ask(self, method: str, target: str, json_body: object = None, **more: Any) -> Reply:
        """Ask one thing and wait for the answer."""
        return self.runner.run(self.asking(method, target, json_body, **more))

    async def asking(
        self,
        method: str,
        target: str,
        json_body: object = None,
        *,
        key: str = "",
        headers: Mapping[str, str] = {},
        raw_headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes | Iterable[bytes] | None = None,
        address: str = "127.0.0.1",
        scheme: str = "http",
    ) -> Reply:
        """Ask one thing."""
        if json_body is not None:
            body = json.dumps(json_body).encode()
        said = {"host": HOST, **({"x-api-key": key} if key else {}), **headers}
        if isinstance(body, bytes):
            said.setdefault("content-length", str(len(body)))
        parts = [body] if isinstance(body, bytes) else list(body or [b""])
        plain = [*((name.encode(), value.encode()) for name, value in said.items()), *raw_headers]
        return await self._exchanged(a_scope(method, target, plain, address, scheme), parts)

    async def _exchanged(self, scope: dict[str, Any], parts: list[bytes]) -> Reply:
        waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        waiting[-1]["more_body"] = False
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop(0)
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)  # type: ignore[arg-type]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Reply(sent[0]["status"], tuple(sent[0]["headers"]), content)


def a_scope(
    method: str,
    target: str,
    headers: Sequence[tuple[bytes, bytes]],
    address: str = "127.0.0.1",
    scheme: str = "http",
) -> Any:
    """Return a request as a server hands it to an application."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers),
        "client": (address, 1234),
        "server": ("127.0.0.1", 3000),
        "state": {},
    }


def with_keys(*keys: KeySpec) -> ServerSpec:
    """Return what a project says that has these keys."""
    return replace(ServerSpec(), keys=keys)
