"""`interlock exec`: a cron job behind the interlock, in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.acceptance.cli import INTERLOCK, a_project, a_script, begin, environment, interlock

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''
PASS = 'echo \'{"status":"PASS"}\''
OFTEN = "watch: {interval: 1s}\n"


def _until(path: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() or not path.read_text().strip():
        assert time.monotonic() < deadline, f"waited in vain for {path}"
        time.sleep(0.02)


def _until_running(project: Path) -> None:
    """Wait until the start is on record: a kill before that leaves the start itself in doubt."""
    deadline = time.monotonic() + 20
    while _runs(project) != ["RUNNING"]:
        assert time.monotonic() < deadline, "waited in vain for the run"


def _runs(project: Path) -> list[str]:
    said = interlock("history", "orders", "--json", cwd=project)
    return [run["status"] for run in said.document["items"]]


def test_the_command_runs_with_the_callers_own_surroundings_and_leaves_with_its_status(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    script = 'cat; echo "$MINE $INTERLOCK_RUN_ID"; pwd; echo aside >&2; exit 23'
    command = ("--project", str(project), "exec", "orders", "--", "sh", "-c", script)
    said = interlock(*command, cwd=tmp_path, env={"MINE": "own"}, stdin="typed\n")
    assert said.code == 23
    assert said.out.startswith("typed\nown orders:daily:")
    assert said.out.rstrip().endswith(str(tmp_path))
    assert said.err.startswith("aside"), "nothing of Interlock's own stands before what the command prints"
    assert _runs(project) == ["FAILED"]


def test_a_slot_that_is_done_is_left_in_silence(tmp_path: Path) -> None:
    """Cron mails whatever is printed."""
    project = a_project(tmp_path)
    assert interlock("exec", "orders", "--", "true", cwd=project) == (0, "", "")
    assert interlock("exec", "orders", "--", "touch", "again", cwd=project) == (0, "", "")
    assert not (project / "again").exists()
    assert interlock("exec", "orders", "--skip-exit", "42", "--", "true", cwd=project) == (42, "", "")


def test_what_is_not_ready_is_not_run_and_says_why(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    said = interlock("exec", "orders", "--", "touch", "ran", cwd=project)
    assert said.code == 1
    assert "blocked by data-check (3 of 4 files)" in said.err
    assert not (project / "ran").exists()
    a_script(project / "evaluators" / "check", PASS)
    assert interlock("exec", "orders", "--", "touch", "ran", cwd=project).code == 0
    assert (project / "ran").exists()
    assert _runs(project) == ["COMPLETED"]


def test_it_waits_until_the_slot_is_ready(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=f"if test -e landed; then {PASS}; else {FAIL}; fi", pipeline=OFTEN)
    process = begin("exec", "orders", "--timeout", "40s", "--", "touch", "ran", cwd=project)
    time.sleep(1.5)
    assert not (project / "ran").exists()
    (project / "landed").touch()
    _, err = process.communicate(timeout=40)
    assert (process.returncode, (project / "ran").exists()) == (0, True), err


def test_a_time_that_is_over_leaves_with_6(tmp_path: Path) -> None:
    said = interlock("exec", "orders", "--timeout", "1s", "--", "true", cwd=a_project(tmp_path, check=FAIL))
    assert said.code == 6


def test_a_pipeline_without_a_trigger_can_be_run_so_even_after_it_was_only_judged(tmp_path: Path) -> None:
    """A slot that was only asked to be ready is not done: its command would never run."""
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().partition("trigger:")[0])
    assert interlock("run", "orders", cwd=project).code == 0
    assert interlock("exec", "orders", "--", "touch", "ran", cwd=project).code == 0
    assert (project / "ran").exists()


def test_a_command_that_failed_is_run_again_only_when_asked_with_a_reason(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("exec", "orders", "--", "false", cwd=project).code == 1
    refused = interlock("exec", "orders", "--", "true", cwd=project)
    assert (refused.code, "--again" in refused.err) == (7, True)
    assert interlock("exec", "orders", "--again", "--", "true", cwd=project).code == 2
    assert interlock("exec", "orders", "--again", "--reason", "disk", "--", "true", cwd=project).code == 0
    assert _runs(project) == ["COMPLETED", "FAILED"]
    assert "disk" in interlock("events", "orders", cwd=project).out


def test_a_program_that_is_not_there_leaves_with_127_as_a_shell_would(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    said = interlock("exec", "orders", "--", "./no-such-program", cwd=project)
    assert (said.code, "no-such-program" in said.err) == (127, True)
    assert _runs(project) == ["FAILED"]


def test_the_exit_map_is_for_interlocks_own_codes(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("--exit-map", "not_ready=99", "exec", "orders", "--", "false", cwd=project).code == 1
    other = a_project(tmp_path / "other", check=FAIL)
    assert interlock("--exit-map", "not_ready=99", "exec", "orders", "--", "true", cwd=other).code == 99


def test_two_at_once_run_the_command_once(tmp_path: Path) -> None:
    """G2."""
    project = a_project(tmp_path)
    script = "echo x >> ran; sleep 1"
    both = [begin("exec", "orders", "--", "sh", "-c", script, cwd=project) for _ in range(2)]
    codes = sorted(process.wait(timeout=40) for process in both)
    for process in both:
        process.communicate()
    assert (project / "ran").read_text() == "x\n"
    assert codes in ([0, 7], [0, 0]), "the other found it under way, or done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_the_commands(tmp_path: Path, number: signal.Signals) -> None:
    project = a_project(tmp_path)
    script = f"trap 'echo got it > got; exit 9' {number.value}; echo up > up; while :; do sleep 0.05; done"
    process = begin("exec", "orders", "--", "sh", "-c", script, cwd=project)
    _until(project / "up")
    os.kill(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode == 9
    assert (project / "got").read_text() == "got it\n"
    assert _runs(project) == ["FAILED"]


def test_stopping_and_going_on_are_the_commands_too(tmp_path: Path) -> None:
    """Else whoever suspends the line of a crontab suspends all but the work."""
    project = a_project(tmp_path)
    script = "echo $$ > up; until test -e go; do sleep 0.05; done; exit 9"
    process = begin("exec", "orders", "--", "sh", "-c", script, cwd=project)
    _until(project / "up")
    child = int((project / "up").read_text())
    os.kill(process.pid, signal.SIGTSTP)
    _until_state("T", process.pid, child)
    (project / "go").touch()
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=20)
    assert process.returncode == 9


def _until_state(wanted: str, *pids: int) -> None:
    deadline = time.monotonic() + 20
    while {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids} != {wanted}:
        assert time.monotonic() < deadline, f"waited in vain for state {wanted}"
        time.sleep(0.02)


def test_a_store_that_goes_away_meanwhile_harms_no_command_and_says_what_to_report(tmp_path: Path) -> None:
    """G3: what cannot be recorded is told, with the words that record it."""
    project = a_project(tmp_path)
    process = begin(
        "exec", "orders", "--", "sh", "-c", "echo up > up; until test -e go; do sleep 0.05; done; exit 9", cwd=project
    )
    _until(project / "up")
    _until_running(project)
    (project / ".interlock").rename(project / "elsewhere")
    (project / "go").touch()
    _, err = process.communicate(timeout=40)
    assert process.returncode == 9
    (project / "elsewhere").rename(project / ".interlock")
    told = err.rpartition("again: interlock ")[2].split()
    assert interlock(*told, cwd=project).code == 0, err
    assert _runs(project) == ["FAILED"]


def test_a_command_killed_by_a_signal_leaves_as_in_a_shell(tmp_path: Path) -> None:
    said = interlock("exec", "orders", "--", "sh", "-c", "kill -9 $$", cwd=a_project(tmp_path))
    assert said.code == 137


def test_an_interruption_before_the_command_begins_leaves_with_130_and_runs_nothing(tmp_path: Path) -> None:
    project = a_project(tmp_path, check="echo up > up; sleep 30")
    process = begin("exec", "orders", "--", "touch", "ran", cwd=project)
    _until(project / "up")
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert (process.returncode, (project / "ran").exists()) == (130, False)


def test_a_run_left_waiting_is_held_so_that_nobody_else_starts_its_command(tmp_path: Path) -> None:
    """A watcher would let it through, and could not start it: the verdict on its deadline would lie."""
    project = a_project(tmp_path, check=FAIL)
    interlock("exec", "orders", "--", "true", cwd=project)
    assert "RUN_HELD" in interlock("events", "orders", cwd=project).out
    a_script(project / "evaluators" / "check", PASS)
    assert interlock("exec", "orders", "--", "true", cwd=project).code == 0


def test_cancel_stops_the_command_and_all_that_it_has_started(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    process = begin("exec", "orders", "--", "sh", "-c", "sleep 300 & echo $! > inner; wait", cwd=project)
    _until(project / "inner")
    _until_running(project)
    said = interlock("cancel", "orders", "--reason", "mistake", cwd=project)
    assert (said.code, "its job has stopped" in said.out) == (0, True), said
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    inner = Path(f"/proc/{(project / 'inner').read_text().strip()}/stat")
    assert not inner.exists() or inner.read_text().rpartition(")")[2].split()[0] == "Z"
    assert _runs(project) == ["CANCELLED"]


def test_the_command_outlives_no_kill_unseen(tmp_path: Path) -> None:
    """G2, G5: after `kill -9` of `interlock exec` the slot is in nobody's hands, and is not started again."""
    project = a_project(tmp_path)
    process = begin("exec", "orders", "--", "sh", "-c", "echo $$ > up; exec sleep 300 >/dev/null 2>&1", cwd=project)
    _until(project / "up")
    _until_running(project)
    process.kill()
    process.communicate()
    again = interlock("exec", "orders", "--", "touch", "ran", cwd=project)
    assert (again.code, (project / "ran").exists()) == (7, False)
    os.kill(int((project / "up").read_text()), signal.SIGKILL)
    lost = interlock("exec", "orders", "--", "touch", "ran", cwd=project)
    assert (lost.code, (project / "ran").exists()) == (3, False), lost.err
    assert "in doubt" in interlock("status", "orders", cwd=project).out


def test_in_shadow_mode_the_command_runs_whatever_the_verdict_is(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL, pipeline="mode: shadow\n")
    assert interlock("exec", "orders", "--", "sh", "-c", "touch ran; exit 5", cwd=project).code == 5
    assert (project / "ran").exists()
    report = interlock("shadow", "report", "orders", cwd=project).out
    assert "would not have started" in report
    assert "Interlock would have held it back" in report
    assert "exit status 5" in report


def test_a_file_handed_down_is_the_commands_too(tmp_path: Path) -> None:
    """A lock taken by the crontab's line must still be held by what it runs."""
    project = a_project(tmp_path)
    line = f"exec 9>lock; {' '.join(INTERLOCK)} exec orders -- sh -c 'echo kept >&9'"
    subprocess.run(["sh", "-c", line], cwd=project, env=environment(), check=True, timeout=40)
    assert (project / "lock").read_text() == "kept\n"


def test_nobody_is_mailed_because_it_took_a_while(tmp_path: Path) -> None:
    """Progress is for people at a terminal: cron mails it."""
    project = a_project(
        tmp_path, check=f"sleep 1.3; if test -e landed; then {PASS}; else touch landed; {FAIL}; fi", pipeline=OFTEN
    )
    said = interlock("exec", "orders", "--timeout", "40s", "--", "true", cwd=project)
    assert said == (0, "", "")
