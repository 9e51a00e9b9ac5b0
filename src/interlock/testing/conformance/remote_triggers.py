"""What every trigger of another system must do when that system, or the way to it, fails.

Subclass `RemoteTriggerContract` (it holds `TriggerContract` too), give it a `bench` fixture that can break the target, and
run pytest.
"""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final, Protocol

import pytest

from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobState, Trigger
from interlock.testing.conformance.triggers import TIMEOUT, Kind, TriggerBench, TriggerContract, a_job, the_end, until

SECRET: Final = "hunter2-never-shown"
"""Every credential that a bench configures contains this text; no word that a trigger says may."""

_BRIEF: Final = timedelta(seconds=0.5)


class Fault(enum.Enum):
    """What is wrong with the target, or with the way to it, for every request of a kind."""

    LOST_ANSWER = "it does what is asked, and the connection breaks before it answers"
    LOST_REQUEST = "the connection breaks before it has done anything"
    FROZEN = "it does what is asked, and never answers"
    THROTTLED = "it refuses because it is asked too often"
    UNAUTHORIZED = "it does not accept the credentials"
    BROKEN = "it answers with an error of its own, whatever it has done"
    SKEWED = "it refuses because this machine's clock is wrong"
    GARBAGE = "it answers what nobody can read"


class Verb(enum.Enum):
    """Which requests a fault is about."""

    START = "those that start a job"
    LOOK = "those that look for a job, or at one"
    STOP = "those that stop a job"
    ALL = "every request, those for credentials included"


class RemoteBench(TriggerBench, Protocol):
    """A bench whose target can be broken.

    `faults` are those that can happen to it. `sees_vanished` says whether a look can tell that a job is gone.
    """

    faults: frozenset[Fault]
    sees_vanished: bool

    def broken(self, fault: Fault, verb: Verb) -> AbstractContextManager[None]:
        """Return a context in which the target fails so."""
        ...

    def forget(self) -> None:
        """Make the target lose every job, as if they had been deleted."""
        ...

    def held(self, kind: Kind) -> AbstractContextManager[Callable[[], None]]:
        """Return a context in which a request that starts a job is acted on and not answered.

        What it gives waits until such a request has been acted on.
        """
        ...

    def child(self, kind: Kind) -> dict[str, Any]:
        """Return what `interlock.testing.conformance.trigger_child` makes the trigger of: see there."""
        ...


class RemoteTriggerContract(TriggerContract):
    """The laws of the trigger port when things go wrong, each a test."""

    @pytest.fixture
    def bench(self) -> RemoteBench:
        """Override this with a bench of your trigger."""
        raise RuntimeError("RemoteTriggerContract needs a `bench` fixture")

    # ------------------------------------------------------------ starting

    @pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.FROZEN, Fault.GARBAGE])
    def test_a_start_without_an_answer_starts_one_job_however_it_goes_on(
        self, bench: RemoteBench, fault: Fault
    ) -> None:
        """LAT-46: what may have been started is found, or joined by its key, or said to be unknown; never repeated."""
        _has(bench, fault)
        with bench.broken(fault, Verb.START):
            error = _unanswered_start(bench) if fault is Fault.FROZEN else _refused_start(bench)
        assert error.started is None
        _goes_on(bench, a_job())

    def test_a_request_that_never_arrived_starts_one_job_when_it_is_repeated(self, bench: RemoteBench) -> None:
        """From here it looks like a lost answer; a second call must not be taken for the first one's."""
        _has(bench, Fault.LOST_REQUEST)
        with bench.broken(Fault.LOST_REQUEST, Verb.START):
            error = _refused_start(bench)
        assert error.started is not True
        assert bench.starts() == 0
        found = bench.trigger(Kind.SUCCEEDS).find(a_job(), timeout=TIMEOUT)
        assert not isinstance(found, JobHandle)
        assert found is (Absent.CERTAINLY if bench.can_find else Absent.UNKNOWN)

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.SKEWED])
    def test_a_refused_start_is_known_to_have_started_nothing(self, bench: RemoteBench, fault: Fault) -> None:
        """T-20: and whether trying again can help follows from why it was refused."""
        _has(bench, fault)
        with bench.broken(fault, Verb.START):
            error = _refused_start(bench)
        assert error.started is False
        assert bench.starts() == 0
        if fault is Fault.THROTTLED:
            assert error.category == FailureCategory.TRANSIENT
        handle = bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
        assert the_end(bench.trigger(Kind.SUCCEEDS), a_job(), handle).state is JobState.SUCCEEDED
        assert bench.starts() == 1

    def test_an_error_of_the_target_itself_leaves_open_whether_it_started_the_job(self, bench: RemoteBench) -> None:
        """A server that says 500 may have done everything before."""
        _has(bench, Fault.BROKEN)
        with bench.broken(Fault.BROKEN, Verb.START):
            error = _refused_start(bench)
        assert error.started is None
        assert error.category == FailureCategory.TRANSIENT
        _goes_on(bench, a_job())

    def test_a_process_killed_between_the_call_and_its_answer_leaves_one_job(self, bench: RemoteBench) -> None:
        """T-01: whoever comes next knows the key alone."""
        with bench.held(Kind.SUCCEEDS) as acted:
            argv = [sys.executable, "-m", "interlock.testing.conformance.trigger_child"]
            with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True) as child:
                assert child.stdin is not None
                child.stdin.write(json.dumps(bench.child(Kind.SUCCEEDS)))
                child.stdin.close()
                try:
                    acted()
                finally:
                    child.kill()
        _goes_on(bench, a_job())

    def test_a_handle_holds_no_credential(self, bench: RemoteBench) -> None:
        """It is stored, and shown to whoever may look at the run."""
        assert SECRET not in repr(bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT))

    # ------------------------------------------------------------ looking

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.LOST_ANSWER,
            Fault.THROTTLED,
            Fault.UNAUTHORIZED,
            Fault.BROKEN,
            Fault.SKEWED,
            Fault.GARBAGE,
            Fault.FROZEN,
        ],
    )
    def test_a_look_that_fails_is_neither_an_end_nor_a_loss(self, bench: RemoteBench, fault: Fault) -> None:
        """T-22: the job goes on whatever becomes of our question, and is seen when it can be asked again."""
        _has(bench, fault)
        trigger = bench.trigger(Kind.SUCCEEDS)
        if not trigger.watchable:
            pytest.skip("this trigger cannot look at its jobs")
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with bench.broken(fault, Verb.LOOK):
            within = _BRIEF if fault is Fault.FROZEN else TIMEOUT
            report = bench.trigger(Kind.SUCCEEDS).poll(a_job(), handle, timeout=within)
        assert report.state is JobState.UNSEEN
        assert report.reason
        assert SECRET not in report.reason
        assert the_end(bench.trigger(Kind.SUCCEEDS), a_job(), handle).state is JobState.SUCCEEDED

    @pytest.mark.parametrize(
        "fault", [Fault.LOST_ANSWER, Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.BROKEN, Fault.GARBAGE]
    )
    def test_a_search_that_fails_never_says_that_nothing_was_started(self, bench: RemoteBench, fault: Fault) -> None:
        """What could not be asked is not known."""
        _has(bench, fault)
        bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
        with bench.broken(fault, Verb.LOOK):
            try:
                found = bench.trigger(Kind.SUCCEEDS).find(a_job(), timeout=TIMEOUT)
            except TriggerError as exc:
                assert SECRET not in str(exc)  # noqa: PT017  (raising and UNKNOWN are both right)
                return
        assert found is Absent.UNKNOWN

    def test_a_vanished_job_is_said_to_have_vanished_and_not_to_have_ended(self, bench: RemoteBench) -> None:
        """T-22: somebody deleted it; how it ended, nobody can know."""
        trigger = bench.trigger(Kind.LINGERS)
        if not trigger.watchable:
            pytest.skip("this trigger cannot look at its jobs")
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        bench.forget()
        report = bench.trigger(Kind.LINGERS).poll(a_job(), handle, timeout=TIMEOUT)
        assert report.state is (JobState.VANISHED if bench.sees_vanished else JobState.UNSEEN)
        assert report.reason

    # ------------------------------------------------------------ stopping

    @pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.THROTTLED, Fault.BROKEN])
    def test_a_wish_to_stop_that_got_no_answer_can_be_repeated(self, bench: RemoteBench, fault: Fault) -> None:
        """And it is not taken for impossible, which would end the trying."""
        _has(bench, fault)
        if not bench.can_cancel:
            pytest.skip("this trigger cannot cancel")
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with bench.broken(fault, Verb.STOP), pytest.raises(TriggerError) as caught:
            bench.trigger(Kind.LINGERS).cancel(a_job(), handle, timeout=TIMEOUT)
        assert caught.value.category != FailureCategory.PERMANENT
        assert SECRET not in str(caught.value)
        bench.trigger(Kind.LINGERS).cancel(a_job(), handle, timeout=TIMEOUT)
        assert the_end(trigger, a_job(), handle).state is JobState.FAILED

    def test_a_job_that_vanished_may_be_cancelled(self, bench: RemoteBench) -> None:
        """There is nothing left to stop, so the wish must not be repeated for ever."""
        if not bench.can_cancel:
            pytest.skip("this trigger cannot cancel")
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        bench.forget()
        try:
            trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        except TriggerError as exc:
            assert exc.category == FailureCategory.PERMANENT  # noqa: PT017  (either way the trying ends)

    def test_looks_and_wishes_to_stop_at_once_end_in_a_stopped_job(self, bench: RemoteBench) -> None:
        """A cancellation races with the watcher's own looks."""
        if not bench.can_cancel:
            pytest.skip("this trigger cannot cancel")
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with ThreadPoolExecutor(4) as pool:
            looks = [pool.submit(trigger.poll, a_job(), handle, timeout=TIMEOUT) for _ in range(4)]
            stops = [pool.submit(trigger.cancel, a_job(), handle, timeout=TIMEOUT) for _ in range(3)]
        assert all(look.result().state in (JobState.RUNNING, JobState.FAILED) for look in looks)
        assert [stop.result() for stop in stops] == [None, None, None]
        assert the_end(trigger, a_job(), handle).state is JobState.FAILED

    # ------------------------------------------------------------ words

    @pytest.mark.parametrize("fault", list(Fault))
    def test_no_word_about_a_failure_holds_a_secret(self, bench: RemoteBench, fault: Fault) -> None:
        """G7: targets repeat what they were sent, and addresses hold tokens."""
        _has(bench, fault)
        with bench.broken(fault, Verb.ALL):
            error = _refused_start(bench, _BRIEF if fault is Fault.FROZEN else TIMEOUT)
        assert SECRET not in str(error)
        assert str(error)


def _has(bench: RemoteBench, fault: Fault) -> None:
    if fault not in bench.faults:
        pytest.skip(f"this cannot happen to it: {fault.value}")


def _refused_start(bench: RemoteBench, within: timedelta = TIMEOUT) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        bench.trigger(Kind.SUCCEEDS).start(a_job(), timeout=within)
    assert SECRET not in str(caught.value)
    return caught.value


def _unanswered_start(bench: RemoteBench) -> TriggerError:
    """Start a job at a target that is frozen; again and for longer, where a busy machine had not even asked it by then."""
    for within in (_BRIEF, 4 * _BRIEF):
        error = _refused_start(bench, within)
        if error.started is not False or bench.starts():
            return error
    return _refused_start(bench)


def _goes_on(bench: RemoteBench, job: Job) -> None:
    """Go on as a controller does after a start of which nothing is known; and see that one job was started, or none."""
    trigger: Trigger = bench.trigger(Kind.SUCCEEDS)
    found = trigger.find(job, timeout=TIMEOUT)
    handle = found if isinstance(found, JobHandle) else None
    if handle is None and trigger.repeatable:
        handle = trigger.start(job, timeout=TIMEOUT)
    if handle is not None:
        until(lambda: bench.starts() == 1, "the one job")
        if trigger.watchable:
            assert the_end(trigger, job, handle).state is JobState.SUCCEEDED
    else:
        assert found is (Absent.CERTAINLY if bench.can_find else Absent.UNKNOWN)
        assert bench.starts() <= (0 if bench.can_find else 1)
    assert bench.starts() <= 1
