"""What comes next with a run on which nothing more can be done here: which state waits for it, how long, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.aws.rig import Turning

from interlock.app.advance import advance
from interlock.aws.onward import onward
from interlock.aws.patience import AGAIN, LONGEST
from interlock.aws.state import ROOM, Next, State
from interlock.aws.turning import STARTS
from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, StartJob
from interlock.core.events import Woke
from interlock.core.ids import TraitName
from interlock.core.runs import Monitor, Permit, Run, RunStatus, Verifying
from interlock.ports.triggers import JobState
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_hand, a_run, a_spec
from interlock.testing.clock import FakeClock

HOUR = 60 * MINUTE
LATER = NOON + 10 * HOUR
STARTED: dict[str, Any] = {"attempt": 1, "job_id": "j", "began_at": NOON}


def after(run: Run, spent: int = 0) -> State:
    """Return what comes next with a run that wishes nothing."""
    hands = a_hand(Repository(MemoryKernel()), clock=FakeClock(NOON))
    return onward(State(run=run.key.run_id, spent=spent), run, (), hands, LONGEST)


@pytest.mark.parametrize(
    ("run", "following"),
    [
        (a_run(asked=()), Next.WAIT_FOR_READINESS),
        (a_run(asked=(), not_before=LATER), Next.WAIT_FOR_RETRY),
        (a_run(asked=(), not_before=NOON), Next.WAIT_FOR_READINESS),
        (a_run(asked=(), held_until=LATER), Next.WAIT_FOR_PEOPLE),
        (a_run(asked=(), held_until=NOON), Next.WAIT_FOR_READINESS),
        (a_run(asked=(), blocked="a check says that asking again is no use"), Next.WAIT_FOR_PEOPLE),
        (a_run(status=RunStatus.TRIGGERING), Next.WAIT_FOR_START),
        (a_run(status=RunStatus.TRIGGERING, doubt="nobody knows"), Next.WAIT_FOR_PEOPLE),
        (a_run(status=RunStatus.RUNNING, **STARTED), Next.WAIT_FOR_JOB),
        (a_run(status=RunStatus.RUNNING, doubt="out of sight", **STARTED), Next.WAIT_FOR_PEOPLE),
        (
            a_run(status=RunStatus.RUNNING, verifying=Verifying(said="done", since=NOON), **STARTED),
            Next.WAIT_FOR_VERIFICATION,
        ),
        (a_run(status=RunStatus.COMPLETED_MONITORING, monitor=Monitor(until=LATER)), Next.WATCH_FOR_DRIFT),
    ],
    ids=lambda given: given.value if isinstance(given, Next) else "",
)
def test_a_run_waits_in_the_state_that_says_what_for(run: Run, following: Next) -> None:
    found = after(run)
    assert found.next is following
    assert found.wait is not None
    assert found.wait.seen == str(run.version)


def test_nobody_sleeps_for_longer_than_a_while_though_nothing_is_due() -> None:
    """A token that nobody can wake is found by that."""
    for run in (
        a_run(asked=(), wake_at=NOON + 20 * HOUR, closes_at=None),
        a_run(asked=(), wake_at=None, closes_at=None),
    ):
        wait = after(run).wait
        assert wait is not None
        assert wait.seconds == AGAIN.total_seconds()


def test_each_turn_and_each_wait_counts_in_the_history() -> None:
    """AWS-30."""
    run = a_run(status=RunStatus.RUNNING, wake_at=LATER, **STARTED)
    turned = Turning().step().spent
    waited = after(run).spent
    assert waited > 0
    assert waited > after(a_run(status=RunStatus.COMPLETED, ended_at=NOON)).spent
    assert turned >= waited
    assert after(run, spent=100).spent == 100 + waited


def test_the_answers_of_a_round_share_what_may_travel() -> None:
    """AWS-29."""
    rig = Turning(a_spec(*(f"trait-{number}" for number in range(7))))
    state = rig.step()
    assert len(state.evaluate) == 7
    assert ROOM * 0.9 < 7 * state.room <= ROOM


def test_what_stops_a_job_goes_before_everything_and_a_look_comes_last() -> None:
    """A job that nobody wants any more costs money; and no start waits for what may take its time."""
    hands = a_hand(Repository(MemoryKernel()), clock=FakeClock(NOON))
    permit = Permit(attempt=1, granted_at=NOON, valid_until=LATER, spec_digest=DIGEST, evidence=())
    wishes: list[Command] = [
        CheckJob(attempt=1, look=0),
        EvaluateTrait(round=1, trait=TraitName("freshness"), deadline=LATER),
        StartJob(permit=permit),
        CancelJob(attempt=1, reason="no"),
    ]
    run, found = a_run(), []
    while wishes:
        found.append(onward(State(run=run.key.run_id), run, tuple(wishes), hands, LONGEST).next)
        wishes.pop()
    assert found == [Next.STOP, Next.START, Next.EVALUATE, Next.CHECK]


def test_a_question_of_an_earlier_round_is_not_put_beside_those_of_this_one() -> None:
    rig = Turning()
    while rig.run.round < 2 or not rig.run.asked:
        due = rig.run.due_at
        assert due is not None
        rig.clock.set(due + SECOND)
        advance(rig.key, Woke(at=rig.clock.now()), rig.store)
    assert len(rig.store.outstanding(rig.key)) > 1
    rig.step()
    assert {wish.round for wish in rig.state.evaluate} == {rig.run.round}
    assert len(rig.store.outstanding(rig.key)) == 1


def test_a_job_that_is_done_when_its_start_is_ends_the_run_at_once() -> None:
    """AWS-52: without a wait for a look, where a look costs nothing."""
    rig = Turning()
    plain = rig.trigger.start

    def done(job: object, *, timeout: timedelta) -> object:
        handle = plain(job, timeout=timeout)  # type: ignore[arg-type]
        rig.trigger.end(f"{rig.key.run_id}/1", JobState.SUCCEEDED)
        return handle

    rig.trigger.start = done  # type: ignore[method-assign, assignment]
    rig.until(Next.START)
    assert rig.step(STARTS).next is Next.COMPLETED
