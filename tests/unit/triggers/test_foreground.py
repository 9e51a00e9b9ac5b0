from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock.clients.supervisor import start_ticks
from interlock.codec.documents import document, mapping
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState, starts_here
from interlock.testing.conformance.triggers import TIMEOUT, a_job, until
from interlock.testing.fakes import FakeTrigger
from interlock.triggers import foreground
from interlock.triggers.context import TriggerContext
from interlock.triggers.foreground import (
    NO_PROGRAM,
    NOT_RUNNABLE,
    ForegroundConfig,
    ForegroundTrigger,
    Stage,
    ended,
    shell_status,
)

CONTEXT = TriggerContext(state_dir=Path("/"), root=Path("/"))
LINGERS = (sys.executable, "-c", "import time; time.sleep(300)")


def a_trigger(stage: Stage | None = None) -> ForegroundTrigger:
    return ForegroundTrigger(ForegroundConfig(), CONTEXT, stage)


def a_handle(**said: Any) -> JobHandle:
    return JobHandle(id="pid", details=document({"host": os.uname().nodename, "group": False, **said}))


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(LINGERS)
    yield stage
    if stage.began:
        stage.pass_on(signal.SIGKILL)
        stage.wait()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that this one has not started as a job."""
    process = subprocess.Popen(LINGERS)
    yield process
    process.kill()
    process.wait()


def test_only_the_process_with_the_stage_can_start() -> None:
    assert starts_here(a_trigger(Stage(LINGERS)))
    assert not starts_here(a_trigger())
    assert starts_here(FakeTrigger()), "a trigger that says nothing starts anywhere"
    with pytest.raises(TriggerError, match="only by it") as raised:
        a_trigger().start(a_job(), timeout=TIMEOUT)
    assert raised.value.started is False


def test_a_second_start_of_the_same_job_returns_the_first_and_another_is_refused(stage: Stage) -> None:
    trigger = a_trigger(stage)
    first = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.start(a_job(), timeout=TIMEOUT) == first
    with pytest.raises(TriggerError, match="another attempt"):
        trigger.start(a_job(attempt=2), timeout=TIMEOUT)


def test_the_command_is_found_only_where_and_for_what_it_was_started(stage: Stage) -> None:
    trigger = a_trigger(stage)
    assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.find(a_job(), timeout=TIMEOUT) == handle
    assert trigger.find(a_job(attempt=2), timeout=TIMEOUT) is Absent.UNKNOWN
    assert a_trigger().find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_a_stage_that_is_closed_starts_nothing() -> None:
    stage = Stage(LINGERS)
    assert stage.close()
    with pytest.raises(TriggerError, match="interrupted"):
        a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    assert not stage.began
    assert not stage.pass_on(signal.SIGTERM)


def test_a_stage_whose_command_runs_is_not_closed(stage: Stage) -> None:
    a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    assert not stage.close()


def test_a_signal_after_the_end_hurries_what_is_left_to_do_and_goes_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """By then its number may be another process's."""
    stage = Stage(("true",))
    a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    assert stage.wait() == 0
    sent: list[int] = []
    monkeypatch.setattr(foreground, "_send", lambda pid, number, *, group: sent.append(pid))
    assert not stage.hurried
    assert stage.pass_on(signal.SIGTERM)
    assert (stage.hurried, sent) == (True, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCONT])
def test_what_a_terminal_sends_to_both_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(foreground, "_on_terminal", lambda: True)
    sent: list[int] = []
    stage = Stage(LINGERS)
    a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    with monkeypatch.context() as patched:
        patched.setattr(foreground, "_send", lambda pid, number, *, group: sent.append(number))
        assert stage.pass_on(number)
        assert stage.pass_on(signal.SIGTERM)
    stage.pass_on(signal.SIGKILL)
    stage.wait()
    assert sent == [signal.SIGTERM]


@pytest.mark.parametrize(
    ("argv", "code"), [(("/no/such/program",), NO_PROGRAM), (("/",), NOT_RUNNABLE), (("a\0b",), NOT_RUNNABLE)]
)
def test_a_command_that_cannot_be_run_was_not_started_for_certain(argv: tuple[str, ...], code: int) -> None:
    stage = Stage(argv)
    with pytest.raises(TriggerError) as raised:
        a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    assert (raised.value.started, raised.value.category, stage.refused) == (False, "PERMANENT", code)


def test_the_handle_tells_everybody_what_to_look_at(stage: Stage) -> None:
    said = mapping(a_trigger(stage).start(a_job(), timeout=TIMEOUT).details)
    assert said["host"] == os.uname().nodename
    assert said["parent"] == os.getpid()
    assert said["started"] == start_ticks(said["pid"]) != ""
    assert said["program"] == sys.executable, "its arguments may hold what nobody should keep"


def test_a_programs_name_that_is_no_text_is_no_trouble(tmp_path: Path) -> None:
    """The handle must be kept, or the start would seem to have been cut short."""
    name = os.fsdecode(bytes(tmp_path) + b"/job-\xff")
    Path(name).write_text("#!/bin/sh\n")
    Path(name).chmod(0o755)
    stage = Stage((name,))
    handle = a_trigger(stage).start(a_job(), timeout=TIMEOUT)
    assert stage.wait() == 0
    assert mapping(handle.details)["program"].endswith("/job-\ufffd")


def test_it_runs_as_long_as_its_parent_lives_to_tell_of_its_end(stranger: subprocess.Popen[bytes]) -> None:
    """Between the end of a command and the record of it nobody may take the outcome for lost."""
    own = os.getpid()
    gone = a_handle(pid=2**22 - 3, started="1", parent=own, parentStarted=start_ticks(own))
    assert a_trigger().poll(a_job(), gone, timeout=TIMEOUT).state is JobState.RUNNING
    orphan = a_handle(pid=stranger.pid, started=start_ticks(stranger.pid), parent=2**22 - 3, parentStarted="1")
    report = a_trigger().poll(a_job(), orphan, timeout=TIMEOUT)
    assert report.state is JobState.RUNNING
    assert "is gone" in report.reason


def test_a_command_that_is_gone_with_its_parent_has_vanished() -> None:
    """A number that was used again is not the process it was."""
    said = a_handle(pid=os.getpid(), started="1", parent=os.getppid(), parentStarted="1")
    assert a_trigger().poll(a_job(), said, timeout=TIMEOUT).state is JobState.VANISHED


def test_where_the_system_tells_no_start_time_the_number_alone_counts(stranger: subprocess.Popen[bytes]) -> None:
    alive = a_handle(pid=stranger.pid, started="", parent=2**22 - 3, parentStarted="")
    assert a_trigger().poll(a_job(), alive, timeout=TIMEOUT).state is JobState.RUNNING
    gone = a_handle(pid=2**22 - 3, started="", parent=2**22 - 3, parentStarted="")
    assert a_trigger().poll(a_job(), gone, timeout=TIMEOUT).state is JobState.VANISHED


def test_a_command_of_another_machine_is_not_taken_for_ended() -> None:
    said = JobHandle(id="pid-1", details=document({"host": "elsewhere", "pid": 1, "started": "1"}))
    report = a_trigger().poll(a_job(), said, timeout=TIMEOUT)
    assert (report.state, "elsewhere" in report.reason) == (JobState.RUNNING, True)
    with pytest.raises(TriggerError, match="elsewhere"):
        a_trigger().cancel(a_job(), said, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "said", [{}, {"pid": "1"}, {"pid": None}, {"pid": -1, "started": ""}, {"pid": 0, "started": ""}]
)
def test_a_handle_that_names_no_process_is_neither_looked_at_nor_stopped(said: dict[str, Any]) -> None:
    """Number 0 would be this process's own group, and -1 every process there is."""
    handle = a_handle(**said)
    assert a_trigger().poll(a_job(), handle, timeout=TIMEOUT).state is JobState.VANISHED
    a_trigger().cancel(a_job(), handle, timeout=TIMEOUT)


def test_a_command_that_heeds_no_request_is_killed_when_the_grace_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.triggers.foreground.GRACE", TIMEOUT / 100)
    up = tmp_path / "up"
    deaf = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(up)!r}, 'w').close(); time.sleep(300)"
    stage = Stage((sys.executable, "-c", deaf))
    trigger = a_trigger(stage)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    until(up.exists, "the command")
    trigger.cancel(a_job(), handle, timeout=TIMEOUT)
    assert stage.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("code", "status", "state", "category"),
    [
        (0, 0, JobState.SUCCEEDED, None),
        (1, 1, JobState.FAILED, FailureCategory.TRANSIENT),
        (2, 2, JobState.FAILED, FailureCategory.PERMANENT),
        (127, 127, JobState.FAILED, FailureCategory.PERMANENT),
        (-9, 137, JobState.FAILED, FailureCategory.TRANSIENT),
    ],
)
def test_an_end_is_told_as_what_it_was(
    code: int, status: int, state: JobState, category: FailureCategory | None
) -> None:
    assert shell_status(code) == status
    assert (ended(code).state, ended(code).category) == (state, category)
