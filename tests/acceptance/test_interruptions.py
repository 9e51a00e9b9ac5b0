"""Ctrl-C, SIGTERM, kill -9 and two of everything at once, on the real command line."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from tests.acceptance.cli import a_project, begin, interlock, starts


def _until(condition: object, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while callable(condition) and not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_evaluation_ends_at_once_and_leaves_no_process(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    project = a_project(tmp_path, check="echo $$ > checking; sleep 100")
    running = begin("run", "orders", cwd=project)
    _until((project / "checking").exists)
    os.kill(running.pid, number)
    began = time.monotonic()
    _, err = running.communicate(timeout=15)
    assert (running.returncode, starts(project)) == (code, [])
    assert time.monotonic() - began < 5
    assert "Traceback" not in err
    assert not _alive(int((project / "checking").read_text()))


def test_an_interruption_does_not_wait_for_a_function_or_a_server_that_hangs(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    (project / "checks.py").write_text(
        "import time\n\ndef slow(ask):\n    open('asked', 'w').close()\n    time.sleep(100)\n"
    )
    archetype = (
        "name: one-check\nrequiredTraits: [{type: data-check}, {type: page-check}]\nreadinessRule: all-required-pass\n"
    )
    (project / "archetypes" / "one-check.yaml").write_text(archetype)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        file = project / "pipelines" / "orders.yaml"
        both = f"python:checks:slow\n    timeout: 90\n  page-check:\n    evaluator: {url}\n    timeout: 90\n#"
        file.write_text(file.read_text().replace("./evaluators/check\n    timeout: 20", both))
        running = begin("run", "orders", cwd=project)
        server.settimeout(30)
        asking, _ = server.accept()
        _until((project / "asked").exists)
        os.kill(running.pid, signal.SIGINT)
        began = time.monotonic()
        try:
            _, err = running.communicate(timeout=30)
        finally:
            running.kill()
            asking.close()
    assert (running.returncode, starts(project)) == (130, []), err
    assert time.monotonic() - began < 5


def test_an_interrupted_follower_leaves_the_job_running_and_its_end_is_learned_later(tmp_path: Path) -> None:
    """T-68."""
    project = a_project(tmp_path, job="until test -e go; do sleep 0.05; done")
    running = begin("run", "orders", cwd=project)
    _until(lambda: starts(project))
    os.kill(running.pid, signal.SIGINT)
    assert (running.communicate(timeout=15)[0] is not None, running.returncode) == (True, 130)
    assert interlock("run", "orders", cwd=project).code == 7, "it is running"
    (project / "go").touch()
    _until(lambda: "completed at" in interlock("run", "orders", cwd=project).err, seconds=30)
    assert interlock("run", "orders", cwd=project).code == 7
    assert interlock("history", "orders", "--json", cwd=project).document["items"][0]["status"] == "COMPLETED"
    assert starts(project) == ["1"]


def test_many_runs_of_one_slot_at_once_start_one_job(tmp_path: Path) -> None:
    """T-04, T-14."""
    project = a_project(tmp_path, job="sleep 0.3")
    racing = [begin("run", "orders", cwd=project) for _ in range(6)]
    codes = [process.wait(50) for process in racing]
    assert starts(project) == ["1"], codes
    assert set(codes) <= {0, 7}
    assert 0 in codes
    for process in racing:
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_kill_9_anywhere_in_a_run_never_starts_a_job_twice(seed: int, tmp_path: Path) -> None:
    """T-01, T-10, BUG-106."""
    dice = random.Random(seed)
    project = a_project(tmp_path, job="sleep 0.2")
    for _ in range(4):
        victim = begin("run", "orders", cwd=project)
        try:
            victim.wait(dice.uniform(0.1, 0.9))
        except subprocess.TimeoutExpired:
            os.killpg(victim.pid, signal.SIGKILL)
        victim.communicate()
    # Whoever comes last finds a slot that can be finished: at once, or when the claim of the dead is over.
    _until(lambda: _finished(project), seconds=100)
    assert starts(project) == ["1"]


def _finished(project: Path) -> bool:
    said = interlock("run", "orders", cwd=project)
    assert said.code in (0, 7), said
    return said.code == 0 or "completed" in said.err
