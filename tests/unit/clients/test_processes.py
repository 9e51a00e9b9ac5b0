from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from tests.unit.clients.joblab import TIMEOUT, Lab, gone

from interlock.clients import processes, supervisor
from interlock.clients.environment import small_environment
from interlock.clients.processes import category_of
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.triggers import until

T = FailureCategory.TRANSIENT
P = FailureCategory.PERMANENT


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("code", "category"), [(1, T), (2, P), (4, T), (40, T), (75, T), (126, P), (127, P), (128, T), (143, T), (255, T)]
)
def test_the_category_of_a_failure_comes_from_the_exit_status(lab: Lab, code: int, category: FailureCategory) -> None:
    """T-19: a text that holds `status 4` decides nothing."""
    report = lab.run(f"echo exit status 4; exit {code}")
    assert (report.state, report.category) == (JobState.FAILED, category)
    assert f"exit status {code};" in report.reason


def test_a_job_killed_by_a_signal_failed_for_now(lab: Lab) -> None:
    report = lab.run("kill -9 $$")
    assert (report.state, report.category) == (JobState.FAILED, T)
    assert "signal 9" in report.reason
    assert category_of("exited", -11) is T


def test_a_job_past_its_timeout_is_stopped_with_all_its_children(lab: Lab) -> None:
    """T-80."""
    handle = lab.start("sleep 60 & echo $! > child; wait", timeout=0.3)
    child = lab.pid_in("child")
    report = lab.end(handle)
    assert (report.state, report.category) == (JobState.FAILED, FailureCategory.TIMEOUT)
    until(lambda: gone(child), "the child's end")


def test_a_job_that_will_not_listen_is_killed_after_its_grace(lab: Lab) -> None:
    handle = lab.start("trap '' TERM; echo $$ > self; while :; do sleep 1; done", timeout=0.2, grace=0.2)
    job = lab.pid_in("self")
    assert lab.end(handle).category is FailureCategory.TIMEOUT
    until(lambda: gone(job), "the job's end")


def test_a_job_that_listens_has_its_grace_to_clean_up(lab: Lab) -> None:
    """The shell dies at once; the program it runs must still have its time."""
    program = "import signal,sys,time\nsignal.signal(15, lambda *a: (time.sleep(0.3), print('cleaned'), sys.exit()))\n"
    program += "open('up', 'w').write('1\\n')\nsignal.pause()"
    (lab.root / "polite.py").write_text(program)
    handle = lab.start(f"{sys.executable} polite.py; :", grace=10)
    lab.wait_for("up")
    lab.jobs.cancel(handle)
    report = lab.end(handle)
    assert (report.state, report.category) == (JobState.FAILED, P)
    assert "cleaned" in report.reason


def test_what_a_job_leaves_in_the_background_ends_with_it(lab: Lab) -> None:
    handle = lab.start("sleep 60 & echo $! > child; exit 0")
    assert lab.end(handle).state is JobState.SUCCEEDED
    assert gone(lab.pid_in("child"))


def test_a_child_that_left_the_group_does_not_hold_the_outcome_for_ever(lab: Lab) -> None:
    handle = lab.start("setsid sleep 60 & echo $! > child; exit 0")
    assert lab.end(handle).state is JobState.SUCCEEDED
    lab.pid_in("child").kill()


def test_a_child_that_floods_the_output_does_not_hold_the_outcome_for_ever(lab: Lab) -> None:
    handle = lab.start("setsid yes & echo $! > child; exit 3")
    report = lab.end(handle)
    assert report.state is JobState.FAILED
    until(lambda: gone(lab.pid_in("child")), "the flood's end: nobody reads it any more")


def test_a_supervisor_that_is_told_to_end_ends_its_job_and_says_so(lab: Lab) -> None:
    """T-68: the machine shuts down."""
    handle = lab.start("echo $$ > self; sleep 60")
    job = lab.pid_in("self")
    watcher = job.parent()
    assert watcher is not None
    watcher.terminate()
    report = lab.end(handle)
    assert (report.state, report.category) == (JobState.FAILED, T)
    assert gone(job)


@pytest.mark.parametrize("guarded", [True, False], ids=["guard lives", "guard killed too"])
def test_a_job_dies_with_its_supervisor_and_the_outcome_is_lost(lab: Lab, guarded: bool) -> None:
    handle = lab.start("sleep 60 & echo $! > child; echo $$ > self; wait")
    job, child = lab.pid_in("self"), lab.pid_in("child")
    watcher = job.parent()
    assert watcher is not None
    if not guarded:
        psutil.Process(os.getpgid(job.pid)).kill()
    watcher.kill()
    until(lambda: gone(job), "the job's end")
    if guarded:
        until(lambda: gone(child), "the child's end")
    else:
        child.kill()
    report = lab.end(handle)
    assert report.state is JobState.VANISHED
    assert "outcome is lost" in report.reason


def test_a_vanished_job_is_not_started_again_under_its_key(lab: Lab) -> None:
    handle = lab.start(f"{lab.mark}; echo $$ > self; sleep 60")
    watcher = lab.pid_in("self").parent()
    assert watcher is not None
    watcher.kill()
    assert lab.end(handle).state is JobState.VANISHED
    assert lab.start(lab.mark).id == handle.id
    found = lab.jobs.find("k", timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert lab.count == 1


def test_a_job_whose_watchers_died_but_that_lives_is_still_running(lab: Lab) -> None:
    handle = lab.start("exit 0")
    lab.end(handle)
    (lab.place(handle) / supervisor.OUTCOME).unlink()
    me = {"pid": os.getpid(), "ticks": supervisor.start_ticks(os.getpid())}
    (lab.place(handle) / supervisor.BEGUN).write_bytes(msgspec.json.encode(me))
    until(lambda: "still runs" in lab.jobs.poll(handle).reason, "the supervisor's end")
    assert lab.jobs.poll(handle).state is JobState.RUNNING

    def is_refused() -> bool:
        try:
            lab.jobs.cancel(handle)
        except TriggerError as exc:
            return f"process {os.getpid()} still runs" in str(exc)
        return False

    until(is_refused, "a refusal: nobody reads the wish any more")
    (lab.place(handle) / supervisor.BEGUN).unlink()


def test_a_number_that_now_belongs_to_another_process_is_not_the_job(lab: Lab) -> None:
    handle = lab.start("exit 0")
    lab.end(handle)
    (lab.place(handle) / supervisor.OUTCOME).unlink()
    (lab.place(handle) / supervisor.BEGUN).write_bytes(msgspec.json.encode({"pid": os.getpid(), "ticks": "1"}))
    assert lab.end(handle).state is JobState.VANISHED
    lab.jobs.cancel(handle)


@pytest.mark.parametrize("argv", [("no-such-program",), ("./plain.txt",), ("/",)])
def test_a_program_that_cannot_be_run_was_certainly_not_started(lab: Lab, argv: tuple[str, ...]) -> None:
    """BUG-74: the same key may be started again once the program is there."""
    (lab.root / "plain.txt").write_text("not a program")
    launch = msgspec.structs.replace(lab.launch(""), argv=argv)
    with pytest.raises(TriggerError, match="the program") as caught:
        lab.jobs.start("k", launch, timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
    assert lab.jobs.find("k", timeout=TIMEOUT) is Absent.CERTAINLY
    assert lab.run(lab.mark).state is JobState.SUCCEEDED
    assert lab.count == 1


def test_a_missing_working_directory_is_said_by_name(lab: Lab) -> None:
    launch = msgspec.structs.replace(lab.launch(""), cwd=str(lab.root / "nowhere"))
    with pytest.raises(TriggerError, match="nowhere") as caught:
        lab.jobs.start("k", launch, timeout=TIMEOUT)
    assert caught.value.started is False


def test_a_state_directory_that_cannot_be_made_starts_nothing(lab: Lab) -> None:
    lab.directory.write_text("a file in the way")
    with pytest.raises(TriggerError) as caught:
        lab.start(lab.mark)
    assert caught.value.started is False


def test_secrets_and_control_characters_do_not_reach_the_reason(lab: Lab) -> None:
    """T-73, BUG-120."""
    handle = lab.start("printf 'hunter2\\n\\033[31mred\\033[0m\\a'; exit 1")
    reason = lab.end(handle, secrets=("hunter2",)).reason
    assert reason == "the job ended with exit status 1; its last output: *** | red"


def test_a_secret_at_the_edge_of_the_tail_is_still_recognised(lab: Lab) -> None:
    secret = "s3cret" * 200
    handle = lab.start(f"i=0; while [ $i -lt 9 ]; do printf {secret}; i=$((i+1)); done; exit 1")
    assert "s3cret" not in lab.end(handle, secrets=(secret,)).reason


def test_a_reason_is_short_and_keeps_the_end(lab: Lab) -> None:
    reason = lab.run("seq 100000; echo the last word; exit 1").reason
    assert len(reason.encode()) <= 2048
    assert reason.endswith("the last word")


def test_output_on_disk_is_bounded_and_keeps_the_end(lab: Lab) -> None:
    """T-79."""
    handle = lab.start("head -c 25000000 /dev/zero | tr '\\0' a; echo; echo the last word")
    assert lab.end(handle).state is JobState.SUCCEEDED
    logs = [lab.place(handle) / name for name in (supervisor.LOG, supervisor.OLD_LOG)]
    assert 5 << 20 <= sum(log.stat().st_size for log in logs) <= (10 << 20) + 2 * 65536
    assert logs[0].read_bytes().endswith(b"the last word\n")


def test_what_a_job_is_given_is_not_written_to_disk(lab: Lab) -> None:
    launch = msgspec.structs.replace(lab.launch("cat; exit 0", env={"TOKEN": "hunter2"}), stdin="stdin-secret")
    handle = lab.jobs.start("k", launch, timeout=TIMEOUT)
    assert lab.end(handle).state is JobState.SUCCEEDED
    files = {path.name: path.read_bytes() for path in lab.place(handle).iterdir() if path.is_file()}
    assert files.pop(supervisor.LOG) == b"stdin-secret"
    assert not any(b"hunter2" in data or b"stdin-secret" in data for data in files.values())


def test_the_environment_of_a_job_is_small() -> None:
    """T-73, BUG-119."""
    own = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "REGION": "eu", "PYTHONPATH": "/x"}
    made = small_environment(own, ("REGION",), {"MINE": "1"})
    assert made == {"PATH": f"/bin:{Path(sys.executable).parent}", "LC_ALL": "C", "REGION": "eu", "MINE": "1"}


def test_a_job_ignores_no_signals_that_its_supervisor_ignores(lab: Lab) -> None:
    handle = lab.start("grep -E 'Sig(Ign|Blk)' /proc/self/status > signals; echo >> signals")
    lab.end(handle)
    for line in (lab.root / "signals").read_text().split("\n"):
        if line:
            assert int(line.split()[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGTERM - 1) == 0


def test_an_outcome_written_during_the_look_is_seen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job ended between reading the outcome and asking for the lock: that is no lost outcome."""
    handle = lab.start("exit 0")
    lab.end(handle)
    outcome, aside = lab.place(handle) / supervisor.OUTCOME, lab.root / "aside"
    outcome.rename(aside)

    def ends_meanwhile(lock: Path) -> bool:
        aside.rename(outcome)
        return False

    monkeypatch.setattr(processes, "_is_held", ends_meanwhile)
    assert lab.jobs.poll(handle).state is JobState.SUCCEEDED


def test_a_file_that_cannot_be_read_is_a_look_that_failed(lab: Lab) -> None:
    handle = lab.start("exit 0")
    lab.end(handle)
    (lab.place(handle) / supervisor.OUTCOME).write_text("{half")
    assert lab.jobs.poll(handle).state is JobState.UNSEEN


@pytest.mark.parametrize("name", ["../../etc", "", "x" * 32, "A" * 32])
def test_a_handle_never_leads_out_of_the_directory(lab: Lab, name: str) -> None:
    assert lab.jobs.poll(JobHandle(id=name)).state is JobState.UNSEEN
    with pytest.raises(TriggerError):
        lab.jobs.cancel(JobHandle(id=name))


def test_only_a_job_that_has_ended_is_forgotten(lab: Lab) -> None:
    old, running = lab.start("exit 0", key="old"), lab.start("sleep 60", key="running")
    lab.end(old)
    assert [lab.jobs.forget(key) for key in ("old", "old", "running", "never")] == [True, False, False, False]
    assert [lab.place(handle).exists() for handle in (old, running)] == [False, True]
