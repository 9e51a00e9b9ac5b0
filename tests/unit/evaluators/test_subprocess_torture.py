"""Programs that do everything an evaluator should not."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tests.unit.evaluators.programs import BASH, PASS, PYTHON, ask, gone, write

from interlock.core.traits import FailureCategory, Origin, TraitStatus

PERMANENT = FailureCategory.PERMANENT
TRANSIENT = FailureCategory.TRANSIENT
CRASH = FailureCategory.EVALUATOR_CRASH

WRONG: dict[str, tuple[str | bytes, FailureCategory, str]] = {
    "prints nothing": (BASH, PERMANENT, "printed nothing"),
    "prints blanks": (BASH + "printf ' \\n\\t '", PERMANENT, "printed nothing"),
    "prints no JSON": (BASH + "echo fine", PERMANENT, "it printed: fine"),
    "prints invalid UTF-8": (BASH + 'printf \'{"status":"PASS\\xff"}\'', PERMANENT, "not UTF-8"),
    "prints a byte order mark": (b'#!/bin/bash\nprintf \'\\xef\\xbb\\xbf{"status":"PASS"}\'', PERMANENT, "BOM"),
    "prints NaN": (BASH + 'echo \'{"status":"PASS","value":{"x":NaN}}\'', PERMANENT, "NaN"),
    "prints a number beyond floats": (BASH + 'echo \'{"status":"PASS","value":{"x":1e999}}\'', PERMANENT, "inf"),
    "prints a key twice": (BASH + 'echo \'{"status":"FAIL","status":"PASS"}\'', PERMANENT, "twice"),
    "prints two objects": (BASH + PASS + PASS, PERMANENT, "more than one"),
    "prints text after the object": (BASH + PASS + "echo done", PERMANENT, "more than one"),
    "prints a log line first": (BASH + "echo starting\n" + PASS, PERMANENT, "no valid JSON"),
    "prints a list": (BASH + "echo '[]'", PERMANENT, "a list"),
    "prints null": (BASH + "echo null", PERMANENT, "null"),
    "prints in lower case": (BASH + 'echo \'{"status":"pass"}\'', PERMANENT, 'status is "pass"'),
    "invents a status": (BASH + 'echo \'{"status":"SKIP"}\'', PERMANENT, 'status is "SKIP"'),
    "prints an empty object": (BASH + "echo '{}'", PERMANENT, "no status"),
    "nests 100,000 deep": (
        PYTHON + "print('{\"status\":\"PASS\",\"value\":'+'['*10**5+']'*10**5+'}')",
        PERMANENT,
        "deep",
    ),
    "prints PASS and exits 1": (BASH + PASS + "exit 1", TRANSIENT, "exited with 1"),
    "exits 2": (BASH + "echo 'no such table' >&2; exit 2", PERMANENT, "its last words: no such table"),
    "exits 4": (BASH + "exit 4", TRANSIENT, "exited with 4"),
    "exits 40": (BASH + "exit 40", TRANSIENT, "exited with 40"),
    "exits 126": (BASH + "/etc/passwd", PERMANENT, "exited with 126"),
    "exits 127": (BASH + "no-such-program", PERMANENT, "exited with 127"),
    "exits 130": (BASH + "exit 130", CRASH, "exited with 130 (SIGINT"),
    "exits 255": (BASH + "exit 255", CRASH, "exited with 255"),
    "dies of a segmentation fault": (BASH + "kill -SEGV $$", CRASH, "SIGSEGV"),
    "is killed": (BASH + PASS + "kill -KILL $$", CRASH, "SIGKILL"),
    "ends itself by TERM": (BASH + "kill -TERM $$", CRASH, "SIGTERM"),
    "closes stdout and stdin at once": (BASH + "exec <&- >&-; exit 0", PERMANENT, "printed nothing"),
    "asks for an interpreter that is not there": ("#!/no/such/interpreter\n" + PASS, PERMANENT, "/no/such/interpreter"),
    "has Windows line ends": ("#!/bin/bash\r\n" + PASS, PERMANENT, "Windows line ends"),
    "has no first line": (PASS, PERMANENT, "neither a binary"),
    "is empty": ("", PERMANENT, "neither a binary"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_program_without_an_answer_fails_by_its_kind(tmp_path: Path, case: str) -> None:
    """T-19, T-25, T-111, T-112, BUG-10: by structure, not by what a text happens to contain."""
    text, category, fragment = WRONG[case]
    write(tmp_path, text)
    answer = ask(tmp_path)
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
    assert answer.category is category, answer.reason
    assert fragment in answer.reason
    assert answer.reason.isprintable()


RIGHT = {
    "never reads its input": BASH + PASS,
    "closes stdin at once": BASH + "exec <&-\n" + PASS,
    "reads a part of its input": BASH + "head -c 1 >/dev/null\n" + PASS,
    "drips its answer byte by byte": PYTHON
    + 'import os,time\nfor c in b\'{"status":"PASS"}\': os.write(1,bytes([c])); time.sleep(.005)\n',
    "prints keys of its own": BASH + 'echo \'{"status":"PASS","took":3,"value":null,"reason":null}\'',
    "writes 10 MB to stderr": PYTHON
    + "import os\nfor _ in range(160): os.write(2,b'x'*65536)\nprint('{\"status\":\"PASS\"}')\n",
    "closes stdout and lives on": PYTHON
    + 'import os,time\nos.write(1,b\'{"status":"PASS"}\')\nos.close(1)\ntime.sleep(.1)\n',
    "logs through tee": BASH + "exec > >(sleep .05; cat)\n" + PASS,
    "prints a megabyte of blanks": PYTHON + "print(' '*1000000 + '{\"status\":\"PASS\"}')\n",
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_program_with_odd_habits_still_passes(tmp_path: Path, case: str) -> None:
    write(tmp_path, RIGHT[case])
    answer = ask(tmp_path, config={"large": "x" * 300_000})
    assert answer.status is TraitStatus.PASS, answer.reason


@pytest.mark.parametrize("command", ["yes", "cat /dev/zero", "dd if=/dev/zero bs=1M count=1000 status=none"])
def test_endless_output_is_stopped_early(tmp_path: Path, command: str) -> None:
    """T-79."""
    write(tmp_path, BASH + "echo $$ > pid\n" + command)
    started = time.monotonic()
    answer = ask(tmp_path)
    assert time.monotonic() - started < 5
    assert answer.category is PERMANENT
    assert "printed more than 1048576 bytes" in answer.reason
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_flood_on_stderr_leaves_only_its_last_words(tmp_path: Path) -> None:
    """T-79."""
    write(tmp_path, BASH + "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1")
    answer = ask(tmp_path)
    assert answer.reason.endswith("the end")
    assert len(answer.reason) < 1200


def test_control_characters_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    """BUG-120."""
    write(tmp_path, BASH + "printf '\\e[2Jcleared\\nforged line' >&2; exit 1")
    reason = ask(tmp_path).reason
    assert "\\x1b[2Jcleared\\nforged line" in reason


STOPPED = {
    "sleeps for ever": BASH + "echo $$ > pids; exec sleep 600",
    "has answered and lives on": BASH + "echo $$ > pids\n" + PASS + "exec sleep 600",
    "ignores TERM": BASH + "trap '' TERM; echo $$ > pids; while :; do sleep 600; done",
    "leaves a grandchild that holds the pipe": BASH + "sleep 600 & echo $! $$ > pids; wait",
    "leaves a grandchild that ignores TERM": BASH + "(trap '' TERM; sleep 600) & echo $! $$ > pids; wait",
    "prints for ever on stderr": BASH + "echo $$ > pids; yes >&2",
    "never closes its input pipe": PYTHON
    + "import os,time\nopen('pids','w').write(str(os.getpid()))\nos.close(1); os.close(2)\ntime.sleep(600)\n",
}


@pytest.mark.parametrize("case", STOPPED)
def test_at_the_deadline_the_whole_group_is_stopped(tmp_path: Path, case: str) -> None:
    """T-80."""
    write(tmp_path, STOPPED[case])
    started = time.monotonic()
    answer = ask(tmp_path, timeout=1.0, config={"large": "x" * 300_000})
    assert time.monotonic() - started < 1.0 + 1.5
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.TIMEOUT)
    assert "within 1s" in answer.reason
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_program_may_tidy_up_when_it_is_stopped(tmp_path: Path) -> None:
    write(tmp_path, BASH + "trap 'touch tidy; exit' TERM; sleep 600 & wait")
    ask(tmp_path, timeout=0.5)
    assert (tmp_path / "tidy").exists()


def test_a_grandchild_left_behind_neither_delays_the_answer_nor_survives_it(tmp_path: Path) -> None:
    """T-80."""
    write(tmp_path, BASH + "sleep 600 & echo $! > pid\n" + PASS)
    started = time.monotonic()
    assert ask(tmp_path).status is TraitStatus.PASS
    assert time.monotonic() - started < 2
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(("ending", "status"), [("", TraitStatus.PASS), ("sleep 600\n", TraitStatus.FAIL)])
def test_a_daemon_that_leaves_the_group_does_not_delay_the_return(
    tmp_path: Path, ending: str, status: TraitStatus
) -> None:
    """T-80."""
    write(tmp_path, BASH + "setsid sleep 600 & echo $! > pid; sleep .1\n" + PASS + ending)
    started = time.monotonic()
    answer = ask(tmp_path, timeout=0.8)
    assert time.monotonic() - started < 0.8 + 1.5
    assert answer.status is status
    psutil.Process(int((tmp_path / "pid").read_text())).kill()


def test_a_daemon_that_floods_the_pipe_does_not_hold_the_runner(tmp_path: Path) -> None:
    write(tmp_path, BASH + "setsid yes >&2 & echo $! > pid; sleep .1\n" + PASS)
    started = time.monotonic()
    assert ask(tmp_path, timeout=5).status is TraitStatus.PASS
    assert time.monotonic() - started < 3
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_file_without_the_x_bit_and_a_directory_say_so(tmp_path: Path) -> None:
    """T-111."""
    write(tmp_path, BASH + PASS, mode=0o644)
    answer = ask(tmp_path)
    assert answer.category is PERMANENT
    assert "chmod +x" in answer.reason
    (tmp_path / "folder").mkdir()
    answer = ask(tmp_path, "./folder")
    assert answer.category is PERMANENT
    assert "is a directory" in answer.reason


def test_a_missing_project_directory_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, BASH + PASS)
    answer = ask(tmp_path / "gone", str(path))
    assert answer.category is PERMANENT
    assert "working directory" in answer.reason


def test_a_nul_in_an_argument_is_a_permanent_failure(tmp_path: Path) -> None:
    write(tmp_path, BASH + PASS)
    assert ask(tmp_path, "./check", "a\0b").category is PERMANENT


def test_nothing_is_leaked_by_two_hundred_evaluations_of_every_ending(tmp_path: Path) -> None:
    """T-115: eight at a time, no descriptor, no thread and no zombie stays."""
    write(tmp_path, BASH + PASS, "pass")
    write(tmp_path, BASH + "exit 1", "fail")
    write(tmp_path, BASH + "yes", "flood")
    write(tmp_path, BASH + "sleep 600", "hang")
    names = (["pass"] * 12 + ["fail"] * 10 + ["flood"] * 2 + ["hang"]) * 8

    def one(name: str) -> TraitStatus:
        return ask(tmp_path, f"./{name}", timeout=0.2 if name == "hang" else 20).status

    before = len(list(Path("/dev/fd").iterdir()))
    threads = threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, names))
    assert statuses.count(TraitStatus.PASS) == 96
    assert len(list(Path("/dev/fd").iterdir())) <= before
    assert threading.active_count() <= threads
    assert not [child for child in psutil.Process().children() if "check" in child.name() or child.status() == "zombie"]


def test_a_lost_exit_status_is_never_taken_for_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some library may reap every child of the process; `Popen` then reports exit code 0."""

    def lost(*_: object) -> None:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitid", lost)
    write(tmp_path, BASH + PASS)
    answer = ask(tmp_path)
    assert answer.category is CRASH
    assert "exit status was lost" in answer.reason


def test_without_process_descriptors_it_works_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    write(tmp_path, BASH + "sleep 600 & echo $! > pid\n" + PASS)
    assert ask(tmp_path).status is TraitStatus.PASS
    assert gone(int((tmp_path / "pid").read_text()))
    write(tmp_path, BASH + "sleep 600")
    assert ask(tmp_path, timeout=0.3).category is FailureCategory.TIMEOUT
