"""What lies under `deploy/` for systemd and containers says what is true of the rest of the repository."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tests.docs.samples import ROOT

from interlock.cli import serve
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.times import parse_duration
from interlock.scaffold.valkey import SAFE
from interlock.server.keys import VARIABLE
from interlock.server.listening import address_of
from interlock.server.serving import LAST_WORDS

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd/interlock.service"
DOCKERFILE = DEPLOY / "docker/Dockerfile"
COMPOSE = DEPLOY / "docker/compose.yaml"
STORES = {"postgres": DEPLOY / "docker/compose.postgres.yaml", "valkey": DEPLOY / "docker/compose.valkey.yaml"}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines)]


def last(name: str) -> str:
    return [rest for each, rest in instructions() if each == name][-1]


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def services() -> Any:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def options_of(argv: list[str]) -> dict[str, Any]:
    """Read a command line as the command would, and return its options."""
    assert argv[0] == "serve"
    ctx: click.Context = serve.command.make_context("serve", argv[1:])
    return ctx.params


def test_the_image_serves_as_a_user_of_its_own_and_stops_by_the_signal_that_drains() -> None:
    assert last("USER") == "10001:10001"
    assert last("STOPSIGNAL") == "SIGTERM"
    assert yaml.safe_load(last("ENTRYPOINT")) == ["interlock"]
    port = address_of(options_of(yaml.safe_load(last("CMD")))["addr"]).port
    assert last("EXPOSE") == str(port)
    assert f"http://127.0.0.1:{port}/livez" in last("HEALTHCHECK")


def test_the_image_installs_only_what_is_pinned_and_hashed() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in each or "--no-deps --no-build-isolation" in each for each in installs)
    assert len(installs) == 2


def test_what_is_copied_into_the_image_exists_and_is_let_in() -> None:
    let_in = {line.lstrip("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    for path in (each for paths in copied for each in paths):
        assert (ROOT / path).exists()
        assert path in let_in


def test_the_lock_of_the_image_holds_what_a_server_needs() -> None:
    lock = (ROOT / "requirements/serve.lock").read_text()
    for name in ("litestar", "uvicorn", "httpx2", "prometheus-client", "hatchling"):
        assert re.search(rf"^{name}==\S+ ", lock, re.MULTILINE)
    for name in ("redis", "psycopg", "psycopg-binary", "boto3"):
        assert re.search(rf"^{name}==\S+ ", lock, re.MULTILINE), f"who chose that store needs {name}"


def test_the_demo_is_for_this_machine_alone_and_needs_a_key() -> None:
    server = services()["interlock"]
    options = options_of(server["command"])
    assert not options["allow_public"]
    port = address_of(options["addr"]).port
    assert server["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert server["environment"][VARIABLE].startswith(f"${{{VARIABLE}:?")
    assert server["cap_drop"] == ["ALL"]
    assert parse_duration(server["stop_grace_period"]) > options["grace"] + LAST_WORDS


def test_the_demo_keeps_its_project_and_builds_from_where_the_files_are() -> None:
    document = yaml.safe_load(COMPOSE.read_text())
    assert set(document["volumes"]) == {"project"}
    build = services()["init"]["build"]
    assert (COMPOSE.parent / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]) == DOCKERFILE
    assert all(service["volumes"] == [f"project:{last('WORKDIR')}"] for service in services().values())
    assert last("VOLUME") == last("WORKDIR")


@pytest.mark.parametrize("store", sorted(STORES))
def test_the_demo_with_a_server_makes_a_project_that_keeps_its_state_there(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load(STORES[store].read_text())
    server, (volume,) = document["services"][store], document["volumes"]
    assert document["services"]["interlock"]["depends_on"] == {store: {"condition": "service_healthy"}}
    assert server["volumes"][0].startswith(f"{volume}:")
    assert "ports" not in server
    (script,) = document["services"]["init"]["command"]
    (shell, option) = services()["init"]["entrypoint"]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    for _ in range(2):  # the second time it leaves the project alone
        subprocess.run([shell, option, script.replace("$$", "$")], cwd=tmp_path, check=True, timeout=60)
    settings = load_project(tmp_path, settings=Settings.of({})).settings
    if store == "valkey":
        assert (settings.provider, settings.redis.url) == ("redis", f"redis://{store}:6379")
        assert server["command"][1:] == list(SAFE)
    else:
        assert settings.provider == store
        assert settings.postgres.dsn == "postgresql://interlock:${env:POSTGRES_PASSWORD}@postgres:5432/interlock"
        assert set(document["services"]["interlock"]["environment"]) == {"POSTGRES_PASSWORD"}


def test_the_service_waits_longer_than_the_server_does() -> None:
    (start,) = unit()["ExecStart"]
    options = options_of(shlex.split(start)[1:])
    assert shlex.split(start)[0] == "/opt/interlock/bin/interlock"
    patience = timedelta(seconds=int(unit()["TimeoutStopSec"][0]))
    assert patience > options["grace"] + LAST_WORDS / 2 + timedelta(seconds=serve.LAST)


def test_the_service_may_do_little() -> None:
    said = unit()
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "LockPersonality", "RestrictNamespaces"):
        assert said[name] == ["yes"]
    assert said["ProtectSystem"] == ["strict"]
    assert said["CapabilityBoundingSet"] == [""]
    assert said["User"] == ["interlock"]
    assert said["StateDirectory"] == ["interlock"]
    assert said["WorkingDirectory"] == ["/var/lib/interlock"]
    assert said["Restart"] == ["on-failure"]
    assert said["StartLimitIntervalSec"] == ["0"], "a store that is away for an hour is no reason to be dead for good"
    name = said["LoadCredential"][0].partition(":")[0]
    assert f"keysFile: /run/credentials/{UNIT.name}/{name}" in UNIT.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_service(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/interlock/bin/interlock", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
