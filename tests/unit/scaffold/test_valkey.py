"""`interlock init --redis`: the project, and the server behind it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.cli.main import run_cli
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.scaffold import valkey
from interlock.scaffold.valkey import SAFE, ensure_server, with_redis

# Docker stands at a boundary that no test here can cross: a program that says what it was asked, and does as it is told.
DOCKER = """#!/bin/sh
echo "$@" >> "$0.asked"
case "$1" in start) exit {start};; run) echo "{words}" >&2; exit {run};; esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def made(start: int = 1, run: int = 0, words: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "docker"
        program.write_text(DOCKER.format(start=start, run=run, words=words))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder / "docker.asked"

    return made


@pytest.fixture
def closed() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_server_that_answers_is_taken_and_nothing_is_started(docker: Callable[..., Path]) -> None:
    asked = docker()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            there, _ = server.accept()
            with there:
                there.recv(64)
                there.sendall(b"-NOAUTH Authentication required.\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        said = ensure_server(port=server.getsockname()[1])
        thread.join()
    assert "a server answers at" in said
    assert not asked.exists()


def test_the_container_of_an_earlier_project_is_started_again(docker: Callable[..., Path], closed: int) -> None:
    asked = docker(start=0)
    assert "the container interlock-valkey keeps the state" in ensure_server(port=closed)
    assert asked.read_text() == "start interlock-valkey\n"


def test_a_new_container_forgets_nothing_and_listens_on_this_machine_alone(
    docker: Callable[..., Path], closed: int
) -> None:
    asked = docker()
    assert "the container interlock-valkey keeps the state" in ensure_server(port=closed)
    run = asked.read_text().splitlines()[1]
    assert f"--publish 127.0.0.1:{closed}:6379" in run
    assert run.endswith(f"--volume interlock-valkey:/data valkey/valkey:8 valkey-server {' '.join(SAFE)}")


def test_a_docker_that_cannot_is_told_with_what_to_do_by_hand(docker: Callable[..., Path], closed: int) -> None:
    docker(run=125, words="Cannot connect to the Docker daemon\n\nRun docker run --help for more information")
    said = ensure_server(port=closed)
    assert "Docker did not start one (Cannot connect to the Docker daemon)" in said
    assert said.endswith(f"Start one: valkey-server {' '.join(SAFE)}")


def test_without_docker_the_same_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: int) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no Docker to start one with. Start one: valkey-server --appendonly yes" in ensure_server(port=closed)


def test_the_project_of_init_with_redis_is_sound_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-88."""
    monkeypatch.setattr(valkey, "_answers", lambda *_: True)
    assert run_cli(["init", str(tmp_path / "p"), "--redis"]) == 0
    settings = load_project(tmp_path / "p", settings=Settings(no_cache=True)).settings
    assert (settings.provider, settings.redis.url) == ("redis", "redis://localhost:6379")


def test_without_the_driver_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.cli.init.find_spec", lambda _: None)
    assert run_cli(["init", str(tmp_path / "p"), "--redis"]) == 2
    assert not (tmp_path / "p").exists()


def test_a_scaffold_that_names_no_provider_is_noticed() -> None:
    with pytest.raises(ValueError, match="does not name its provider"):
        with_redis("timezone: UTC\n")
