"""`interlock watch` in a process of its own, with evaluators and jobs that are real programs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.cli import PIPELINE, a_project, a_script, begin, interlock, starts


@pytest.fixture
def watchers() -> Iterator[list[subprocess.Popen[str]]]:
    made: list[subprocess.Popen[str]] = []
    yield made
    for each in made:
        if each.poll() is None:
            os.killpg(each.pid, signal.SIGKILL)
        each.communicate()


def soon(happens: Callable[[], bool], within: float = 20) -> bool:
    ends = time.monotonic() + within
    while not happens() and time.monotonic() < ends:
        time.sleep(0.05)
    return happens()


def status_of(root: Path, name: str = "orders") -> str:
    said = interlock("history", name, "--json", cwd=root)
    items = said.document["items"] if said.code == 0 else []
    return str(items[0]["status"]) if items else ""


def stopped(watcher: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    os.kill(watcher.pid, number)
    _, err = watcher.communicate(timeout=40)
    return watcher.returncode, err


def test_a_freshly_made_project_runs_its_example_by_itself(tmp_path: Path) -> None:
    """T-88."""
    assert interlock("init", "fresh", cwd=tmp_path).code == 0
    said = interlock("watch", "--until-idle", cwd=tmp_path / "fresh")
    assert said.code == 0, said.err
    assert "completed example:daily:" in said.err
    assert status_of(tmp_path / "fresh", "example") == "COMPLETED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watcher_that_is_told_to_stop_lets_a_start_end_and_leaves_in_order(
    tmp_path: Path, watchers: list[subprocess.Popen[str]], number: signal.Signals
) -> None:
    root = a_project(tmp_path, job="sleep 1")
    watchers.append(begin("watch", cwd=root))
    assert soon(lambda: starts(root) == ["1"])
    code, err = stopped(watchers[0], number)
    assert (code, "nothing is left half done" in err) == (0, True), err
    assert soon(lambda: _completes(root))
    assert starts(root) == ["1"]


def _completes(root: Path) -> bool:
    interlock("watch", "--until-idle", cwd=root)
    return status_of(root) == "COMPLETED"


def test_an_evaluator_that_hangs_is_broken_off_at_the_end_and_its_answer_not_believed(
    tmp_path: Path, watchers: list[subprocess.Popen[str]]
) -> None:
    """BUG-121."""
    root = a_project(tmp_path, check="echo $$ >> asked; sleep 15")
    watchers.append(begin("watch", cwd=root))
    assert soon((root / "asked").exists)
    begins = time.monotonic()
    code, err = stopped(watchers[0])
    assert code == 0, err
    assert time.monotonic() - begins < 8
    said = interlock("events", "orders", "--json", cwd=root)
    assert "TRAIT_EVALUATED" not in said.out
    pid = int((root / "asked").read_text().split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_another_process_wrote_is_acted_upon_beside_the_watcher(
    tmp_path: Path, watchers: list[subprocess.Popen[str]]
) -> None:
    root = a_project(tmp_path, check='test -f data && echo \'{"status":"PASS"}\' || echo \'{"status":"FAIL"}\'')
    watchers.append(begin("watch", cwd=root))
    assert soon(lambda: "READINESS_CHECKED" in interlock("events", "orders", "--json", cwd=root).out)
    (root / "data").write_text("here")
    # Asking again is what a person does who knows that the data is there; the watcher is woken by what it wrote.
    interlock("run", "orders", "--no-wait", cwd=root)
    assert soon(lambda: starts(root) == ["1"], within=5)
    assert stopped(watchers[0])[0] == 0


def test_files_that_change_are_followed_without_a_restart(
    tmp_path: Path, watchers: list[subprocess.Popen[str]]
) -> None:
    root = a_project(tmp_path)
    watchers.append(begin("watch", cwd=root))
    assert soon(lambda: starts(root) == ["1"])
    (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
    os.kill(watchers[0].pid, signal.SIGHUP)
    assert soon(lambda: len(starts(root)) == 2)
    assert stopped(watchers[0])[0] == 0


@pytest.mark.timeout(200)  # a claim that a killed watcher left behind is waited for until its call is surely over
def test_a_watcher_that_is_killed_anywhere_loses_no_slot_and_starts_no_job_twice(
    tmp_path: Path, watchers: list[subprocess.Popen[str]]
) -> None:
    """T-60: six pipelines, a watcher that is killed and started again; every job is started once."""
    root = a_project(tmp_path, job="sleep 0.2")
    names = [f"p-{number}" for number in range(6)]
    for name in names:
        text = PIPELINE.replace("orders", name).replace("./job", f"./job-{name}")
        (root / "pipelines" / f"{name}.yaml").write_text(text)
        a_script(root / f"job-{name}", f'echo "{name}:$INTERLOCK_ATTEMPT" >> started\nsleep 0.2')
    dice = random.Random(7)
    for _ in range(6):
        watcher = begin("watch", cwd=root)
        watchers.append(watcher)
        time.sleep(dice.uniform(0.1, 0.9))
        os.killpg(watcher.pid, signal.SIGKILL)
        watcher.communicate()
    assert soon(lambda: _all_done(root, names), within=150)
    begun = [line for line in starts(root) if line != "1"]
    assert sorted(begun) == sorted(f"{name}:1" for name in names)


def _all_done(root: Path, names: list[str]) -> bool:
    interlock("watch", "--until-idle", cwd=root)
    return all(status_of(root, name) == "COMPLETED" for name in names)


def test_two_watchers_of_one_project_start_every_job_once(
    tmp_path: Path, watchers: list[subprocess.Popen[str]]
) -> None:
    root = a_project(tmp_path)
    names = [f"p-{number}" for number in range(8)]
    for name in names:
        (root / "pipelines" / f"{name}.yaml").write_text(
            PIPELINE.replace("orders", name).replace("./job", f"./job-{name}")
        )
        a_script(root / f"job-{name}", f'echo "{name}:$INTERLOCK_ATTEMPT" >> started')
    watchers += [begin("watch", cwd=root) for _ in range(2)]
    assert soon(lambda: len(starts(root)) == 9)
    codes = [stopped(each)[0] for each in watchers]
    assert codes == [0, 0]
    assert sorted(starts(root)) == sorted(["1", *(f"{name}:1" for name in names)])
