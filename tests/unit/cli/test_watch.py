"""`interlock watch`, in this process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.cli import PIPELINE, a_project

from interlock.cli.main import run_cli
from interlock.runtime.bell import place_of, ring
from interlock.runtime.watching import Watching

NAMES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in NAMES}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def watch(root: Path, *argv: str) -> int:
    return run_cli(["--project", str(root), "watch", *argv])


def test_what_is_due_is_done_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = a_project(tmp_path)
    assert watch(root, "--until-idle") == 0
    said = capsys.readouterr()
    assert [line.partition(" ")[0] for line in said.err.splitlines()] == ["watching", "opened", "started", "completed"]
    assert said.out == ""
    assert (root / "started").read_text() == "1\n"


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = a_project(tmp_path)
    watch(root, "--until-idle")
    capsys.readouterr()
    assert watch(root, "--once") == 0
    assert capsys.readouterr().err.splitlines()[1:] == []


def test_once_does_not_wait_for_the_job(tmp_path: Path) -> None:
    root = a_project(tmp_path, job="sleep 2; touch ended")
    assert watch(root, "--once") == 0
    assert (root / "started").exists()
    assert not (root / "ended").exists()


def test_a_broken_file_keeps_no_other_from_working_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LAT-27."""
    root = a_project(tmp_path)
    (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns") + "tears: 3\n")
    assert watch(root, "--until-idle") == 0
    said = capsys.readouterr().err
    assert "completed orders:" in said
    assert "alert error config_rejected" in said
    assert "returns.yaml" in said


def test_a_removed_pipeline_is_started_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T-61."""
    root = a_project(tmp_path)
    (root / "pipelines" / "orders.yaml").rename(root / "orders.bak")
    assert watch(root, "--until-idle") == 0
    (root / "orders.bak").rename(root / "pipelines" / "orders.yaml")
    assert not (root / "started").exists()
    capsys.readouterr()


def test_a_project_file_that_cannot_be_used_is_an_error_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").write_text("provider: nowhere\n")
    assert watch(tmp_path) == 2


def test_a_grace_that_is_no_duration_is_a_mistake_of_usage(tmp_path: Path) -> None:
    assert watch(a_project(tmp_path), "--grace", "soon") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_what_does_not_end_within_the_grace_is_said_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    root = a_project(tmp_path)
    monkeypatch.setattr(Watching, "drain", lambda _self, _grace: False)
    monkeypatch.setattr(Watching, "watch", lambda _self, **_rest: signal.raise_signal(number))
    assert watch(root, "--grace", "1s") == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_waits_for_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    root, told = a_project(tmp_path), list[str]()

    def drain(_self: Watching, _grace: timedelta) -> bool:
        signal.raise_signal(number)
        return not told

    monkeypatch.setattr(Watching, "hurry", lambda _self: told.append("hurry"))
    monkeypatch.setattr(Watching, "watch", lambda _self, **_rest: signal.raise_signal(number))
    monkeypatch.setattr(Watching, "drain", drain)
    assert watch(root) == code
    assert told == ["hurry"]
    assert "told twice to stop" in capsys.readouterr().err


def test_a_signal_ends_the_watching_with_nothing_half_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T-68."""
    root = a_project(tmp_path)
    main = threading.main_thread().ident
    assert main is not None
    ending = threading.Thread(target=_stop_when_started, args=(root, main))
    ending.start()
    assert watch(root) == 0
    ending.join()
    assert "nothing is left half done" in capsys.readouterr().err


def _stop_when_started(root: Path, main: int) -> None:
    for _ in range(400):
        if (root / "started").exists():
            break
        threading.Event().wait(0.02)
    signal.pthread_kill(main, signal.SIGHUP)
    signal.pthread_kill(main, signal.SIGTERM)


def test_its_bell_is_taken_away_with_it(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    watch(root, "--once")
    assert ring(place_of(root / ".interlock")) == 0
    assert list(place_of(root / ".interlock").glob("*.sock")) == []
