"""What a person sees of the server behind the store: a loud warning where it may forget, one line where it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, interlock
from tests.acceptance.living import until
from tests.acceptance.providers import PROVIDERS, store_lines
from tests.acceptance.serving import Server, free_port, serving
from tests.servers.fixtures import have
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.timeout(120)]

NOWHERE = {
    "redis": "provider: redis\nredis: {{url: 'redis://me:geheim@127.0.0.1:{port}', timeout: 2s}}\n",
    "postgres": "provider: postgres\npostgres: {{dsn: 'postgresql://me:geheim@127.0.0.1:{port}/d', connectTimeout: 2s}}\n",
    "dynamodb": "provider: dynamodb\ndynamodb: {{tableName: interlock, region: eu-west-1, "
    "endpoint: 'http://127.0.0.1:{port}', timeout: 2s}}\n",
}


def on(root: Path, store: str) -> Path:
    a_project(root)
    (root / "interlock.yaml").write_text(store + "alerts:\n  - type: console\n")
    return root


@pytest.mark.parametrize("command", ["watch --once", "doctor"])
def test_a_server_that_may_forget_is_warned_of(command: str, redis_server: RedisServer, tmp_path: Path) -> None:
    root = on(tmp_path, f'provider: redis\nredis: {{url: "{redis_server.url}", keyPrefix: "warned:"}}\n')
    said = interlock(*command.split(), cwd=root)
    assert "appendonly" in said.out + said.err


@pytest.mark.parametrize("provider", sorted(NOWHERE))
@pytest.mark.parametrize("command", ["run orders", "status", "watch --once", "store check"])
def test_a_server_that_is_not_there_is_one_line_and_starts_nothing(provider: str, command: str, tmp_path: Path) -> None:
    """T-118."""
    root = on(tmp_path, NOWHERE[provider].format(port=free_port()))
    said = interlock(*command.split(), cwd=root, timeout=25)
    assert said.code == 75, "it can be tried again later"
    assert len([line for line in said.err.splitlines() if line.startswith("interlock: ")]) == 1, said.err
    assert "127.0.0.1" in said.err
    assert "geheim" not in said.out + said.err
    assert "Traceback" not in said.err
    assert not (root / "started").exists()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_doctor_finds_nothing_wrong_with_a_store_that_works(
    provider: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = on(tmp_path, store_lines(provider, request))
    assert interlock("run", "orders", cwd=root).code == 0
    findings = {each["name"]: each for each in interlock("doctor", "--json", cwd=root).document["checks"]}
    assert findings["store"]["outcome"] != "fail", findings["store"]
    assert interlock("store", "check", cwd=root).code == 0


SECRET = "hush-7Q"
ASKED = (
    "/readyz",
    "/livez",
    "/metrics",
    "/debug/vars",
    "/openapi.json",
    "/api/health",
    "/api/pipelines",
    "/api/alerts",
    "/docs",
)


@pytest.mark.parametrize("provider", ["redis", "postgres"])
def test_a_server_unplugged_from_its_store_says_so_comes_back_and_never_tells_the_password(
    provider: str, tmp_path: Path
) -> None:
    """Whatever is asked, before, meanwhile and after: no answer, no log and no metric has it."""
    with _guarded(provider) as store:
        dsn = store.url if isinstance(store, RedisServer) else store.dsn
        key = "url" if provider == "redis" else "dsn"
        root = on(tmp_path, f'provider: {provider}\n{provider}: {{{key}: "{dsn}"}}\nwatchdog: {{interval: 1s}}\n')
        assert SECRET in (root / "interlock.yaml").read_text()
        with serving(root, "--log-format", "json") as server:
            server.ready()
            told = [_told(server)]
            store.kill()
            until(lambda: server.status_of("/readyz") == 503, lambda: "a server that is not ready")
            assert server.status_of("/livez") == 200
            told.append(_told(server))
            store.start()
            server.ready()
            told.append(_told(server))
            assert server.end() == 0
            assert SECRET not in "".join(told) + server.said


@contextmanager
def _guarded(provider: str) -> Iterator[RedisServer | PostgresServer]:
    """A server that asks for a password, and forgets nothing when it is killed."""
    if provider == "redis":
        with have("redis", lambda: RedisServer("redis", appendonly="always", password=SECRET)) as redis:
            yield redis
    else:
        with have("postgres", lambda: PostgresServer("system", password=SECRET)) as postgres:
            yield postgres


def _told(server: Server) -> str:
    replies = [server.ask(path) for path in ASKED]
    replies.append(server.ask("/api/pipelines/orders/run", "POST", {}))
    return "".join(reply.body.decode(errors="replace") for reply in replies)
