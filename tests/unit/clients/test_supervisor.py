"""Death at every point: of whoever starts a job, and of whoever watches it. Never two jobs under one key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from tests.unit.clients.joblab import TIMEOUT, Lab

from interlock.clients import supervisor
from interlock.ports.triggers import Absent, JobState
from interlock.testing.conformance.triggers import until

SOURCE = str(Path(supervisor.__file__).parents[2])
STARTER = f"""
import os, signal, subprocess, sys
sys.path.insert(0, {SOURCE!r})
from datetime import timedelta
from pathlib import Path
from interlock.clients import processes, supervisor
def die(*args, **options): os.kill(os.getpid(), signal.SIGKILL)
def then_die(function):
    def call(*args, **options):
        function(*args, **options)
        die()
    return call
root, point = Path(sys.argv[1]), sys.argv[2]
if point == "the directory is made": supervisor.sync_directory = die
if point == "the epoch is read": supervisor.read_epoch = then_die(supervisor.read_epoch)
if point == "the supervisor is about to be launched": subprocess.Popen = die
if point == "the supervisor is launched": subprocess.Popen.communicate = die
if point == "the request is sent": subprocess.Popen.communicate = then_die(subprocess.Popen.communicate)
if point == "the answer is read": processes._said = die
jobs = processes.SupervisedJobs(root / "jobs", root=root)
launch = processes.Launch(argv=("/bin/sh", "-c", f"printf x >> {{root / 'counter'}}"), env={{"PATH": "/bin:/usr/bin"}},
                          cwd=str(root), timeout=timedelta(seconds=60))
print("ready", flush=True)
sys.stdin.readline()
jobs.start("k", launch, timeout=timedelta(seconds=20))
"""
STARTER_POINTS = [
    "the directory is made",
    "the epoch is read",
    "the supervisor is about to be launched",
    "the supervisor is launched",
    "the request is sent",
    "the answer is read",
]
SABOTAGED = f"""
import os, runpy, signal, sys
sys.path.insert(0, {SOURCE!r})
from interlock.clients import supervisor as s
def die(*args, **options): os.kill(os.getpid(), signal.SIGKILL)
def then_die(function):
    def call(*args, **options):
        function(*args, **options)
        die()
    return call
point = sys.argv.pop(1)
if point == "it has the lock": s.claim = die
if point == "it has claimed the job": s.claim = then_die(s.claim)
if point == "the guard stands": s.Family.start = die
if point == "the job is started": s.Family.start = then_die(s.Family.start)
if point == "it is about to say so": s.tell = die
if point == "it has said so": s.tell = then_die(s.tell)
if point == "it copies output": s.Output.write = die
if point == "the job has ended": s.Watch._let_the_rest_go = die
if point == "the group is ended": s.Family.end = then_die(s.Family.end)
s.main()
"""
SUPERVISOR_POINTS = [
    "nothing happens",
    "it has the lock",
    "it has claimed the job",
    "the guard stands",
    "the job is started",
    "it is about to say so",
    "it has said so",
    "it copies output",
    "the job has ended",
    "the group is ended",
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


def recovered(lab: Lab) -> JobState:
    """Do what Interlock does after a crash: look for the job, start it where there certainly is none, see it end."""
    found = lab.jobs.find("k", timeout=TIMEOUT)
    assert found is not Absent.UNKNOWN
    if found is Absent.CERTAINLY:
        found = lab.start(lab.mark)
    return lab.end(found).state


def starter(lab: Lab, point: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(lab.root), point],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("point", STARTER_POINTS)
def test_a_starter_that_dies_leaves_at_most_one_job(lab: Lab, point: str) -> None:
    """G2, LAT-46."""
    with starter(lab, point) as child:
        child.communicate("go\n")
        assert child.returncode == -9
    assert recovered(lab) is JobState.SUCCEEDED
    assert lab.count == 1


@pytest.mark.parametrize("delay", [n / 1000 for n in range(0, 60, 5)])
def test_a_starter_killed_at_any_moment_leaves_at_most_one_job(lab: Lab, delay: float) -> None:
    """G2."""
    with starter(lab, "") as child:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        try:
            child.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            child.kill()
    assert recovered(lab) is JobState.SUCCEEDED
    assert lab.count == 1


def by_hand(lab: Lab, *, point: str = "", epoch: int = 0, begin_by: float | None = None) -> bytes:
    """Launch a supervisor for the key `k` as a starter would, and return what it says."""
    place = lab.jobs.result_path("k").parent
    place.mkdir(parents=True, exist_ok=True)
    launch = lab.launch(f"{lab.mark}; echo hello")
    request = {**msgspec.to_builtins(launch), "timeout": 60, "grace": 0.3, "cap": 1000}
    ends = monotonic() + 20 if begin_by is None else begin_by
    program = ["-c", SABOTAGED, point] if point else ["-I", "-S", supervisor.__file__]
    with subprocess.Popen(
        [sys.executable, *program, str(place), str(epoch), repr(ends)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        return child.communicate(json.dumps(request).encode())[0]


@pytest.mark.parametrize("point", SUPERVISOR_POINTS)
def test_a_supervisor_that_dies_leaves_at_most_one_job(lab: Lab, point: str) -> None:
    by_hand(lab, point=point)
    state = recovered(lab)
    assert state in (JobState.SUCCEEDED, JobState.VANISHED)
    assert lab.count <= 1
    assert (lab.count, state) != (0, JobState.SUCCEEDED)
    if point in SUPERVISOR_POINTS[:2]:
        assert (lab.count, state) == (1, JobState.SUCCEEDED)


def test_a_supervisor_still_on_its_way_when_the_job_was_declared_absent_does_nothing(lab: Lab) -> None:
    lab.jobs.result_path("k").parent.mkdir(parents=True)
    assert lab.jobs.find("k", timeout=TIMEOUT) is Absent.CERTAINLY
    assert b"given up" in by_hand(lab, epoch=0)
    assert lab.count == 0
    assert b"begun" in by_hand(lab, epoch=1)


def test_a_supervisor_that_comes_too_late_does_nothing(lab: Lab) -> None:
    """The call that wanted it is over, and somebody may have decided by now that nothing was started."""
    assert b"time for starting was up" in by_hand(lab, begin_by=monotonic())
    assert lab.jobs.find("k", timeout=TIMEOUT) is Absent.CERTAINLY
    assert lab.count == 0


def test_a_second_supervisor_of_a_job_that_has_begun_does_nothing(lab: Lab) -> None:
    lab.run(lab.mark)
    assert b"before" in by_hand(lab)
    assert lab.count == 1


def test_a_request_cut_short_starts_nothing(lab: Lab) -> None:
    place = lab.jobs.result_path("k").parent
    place.mkdir(parents=True)
    program = [sys.executable, "-I", "-S", supervisor.__file__, str(place), "0", repr(monotonic() + 20)]
    done = subprocess.run(program, input=b'{"argv": ["/bin/sh"', capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert not (place / supervisor.BEGUN).exists()


def test_the_supervisor_starts_with_the_standard_library_alone() -> None:
    """It is run without site-packages, so that it starts fast and nothing installed can break it."""
    code = f"import runpy; runpy.run_path({supervisor.__file__!r}, run_name='x')"
    assert subprocess.run([sys.executable, "-I", "-S", "-c", code], check=False).returncode == 0


def test_a_finished_job_leaves_no_process_behind(lab: Lab) -> None:
    import psutil

    handle = lab.start(lab.mark)
    lab.end(handle)
    place = str(lab.place(handle))

    def left() -> bool:
        return any(place in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    until(lambda: not left(), "the end of the supervisor and its guard")
