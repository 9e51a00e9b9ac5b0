"""Runs that nobody looks after: they get an execution, and one that is looked after gets no second."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.unit.aws.rig import Turning

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.aws.parking import LINGERS, Parked, Parking
from interlock.aws.patience import LONGEST
from interlock.aws.scheduling import AGAIN, LEFT, LONGEST_CALL, REVIVING, Clockwork
from interlock.aws.state import Next
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus
from interlock.errors import StoreUnavailable
from interlock.ports.triggers import JobState
from interlock.stores.kernel import Delete, Record
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec, a_trait


class Names:
    """Executions of which only names are remembered, each good for one start."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.asked: list[str] = []
        self.trouble: Exception | None = None

    def start(self, run: RunKey, suffix: str = "") -> bool:
        if self.trouble is not None:
            raise self.trouble
        name = f"{run.run_id}/{suffix}"
        self.asked.append(name)
        if name in self.taken:
            return False
        self.taken.append(name)
        return True

    def wake(self, token: str) -> bool:
        raise AssertionError(f"the scheduler wakes nobody: {token}")


class Forsaken(Turning):
    """A run whose execution is gone, and the scheduler."""

    def __init__(self, late: timedelta = LONGEST, *, begun: bool = True, takes: timedelta = 30 * SECOND) -> None:
        super().__init__(a_spec(a_trait("freshness", timeout=takes), retry=RetrySpec(max_attempts=1)))
        self.machines = Names()
        if begun:
            self.machines.taken.append(f"{self.key.run_id}/")
        self.parking = Parking(self.kernel)
        self.clockwork = Clockwork(self.hands, self.machines, self.parking, lambda _: None, late)

    def revived(self) -> int:
        """Tick, and return how many executions were started."""
        ticked = self.clockwork.tick()
        assert ticked.troubles == ()
        return ticked.revived

    def park(self, until: datetime) -> None:
        """Leave the row of an execution that waits until then."""
        pk, ttl = f"parked/{self.key.run_id}", int((until + LINGERS).timestamp())
        self.kernel.commit(pk, [Delete("TOKEN#one")])
        self.kernel.restore([Record(pk=pk, sk="TOKEN#one", version=1, body={"token": "t", "ttl": ttl})])


def test_a_run_whose_first_execution_never_began_gets_it_soon() -> None:
    """AWS-04, AWS-24: the record that should have started it was given up."""
    rig = Forsaken(begun=False)
    rig.clock.advance(LEFT - SECOND)
    assert rig.revived() == 0
    assert rig.machines.asked == []
    rig.clock.advance(2 * SECOND)
    assert rig.revived() == 1
    assert rig.machines.taken == [f"{rig.key.run_id}/"]


def test_a_run_whose_execution_began_gets_no_other_while_that_may_be_at_it() -> None:
    rig = Forsaken()
    rig.clock.advance(LONGEST + LEFT - SECOND)
    assert rig.revived() == 0


def test_a_run_whose_time_came_long_ago_gets_another_execution() -> None:
    rig = Forsaken()
    rig.clock.advance(LONGEST + LEFT + 10 * MINUTE)
    assert rig.revived() == 1
    assert rig.machines.taken[-1] != f"{rig.key.run_id}/"


def test_every_run_that_is_left_alone_gets_another_execution_in_the_same_tick() -> None:
    rig = Forsaken()
    other = open_run(a_slot("2026-03-06"), rig.spec, rig.store, NOON).run.key
    rig.clock.advance(LONGEST + LEFT + 10 * MINUTE)
    assert rig.revived() == 2
    assert {name.rpartition("/")[0] for name in rig.machines.taken} == {rig.key.run_id, other.run_id}


def test_a_run_gets_another_execution_once_in_a_while_and_not_once_for_ever() -> None:
    """AWS-34: and neither at every tick."""
    rig = Forsaken()
    rig.clock.advance(LONGEST + LEFT + 10 * MINUTE)
    for _ in range(4):
        rig.revived()
        rig.clock.advance(SECOND)
    assert len(rig.machines.taken) == 2
    rig.clock.advance(AGAIN)
    assert rig.revived() == 1


def test_alerts_that_an_execution_left_behind_are_not_left_for_long() -> None:
    """AWS-14: the run has ended, and nobody has heard of it."""
    rig = Forsaken()
    rig.until(Next.WAIT_FOR_JOB)
    complete(rig.key, Report(succeeded=False, reason="no"), rig.store, rig.clock.now())
    assert rig.run.ended
    assert rig.store.outstanding(rig.key)
    rig.clock.advance(LONGEST + LEFT + SECOND)
    assert rig.revived() == 1


def test_a_check_that_takes_its_time_is_not_asked_by_another_execution_as_well() -> None:
    """AWS-28: nothing of it shows in the store until it has answered."""
    rig = Forsaken(takes=20 * MINUTE)
    rig.step()
    rig.clock.set(NOON + LONGEST_CALL - SECOND)
    assert rig.revived() == 0
    rig.clock.advance(2 * SECOND)
    assert rig.revived() == 1


def test_a_run_whose_own_time_came_is_not_left_for_what_takes_its_time() -> None:
    rig = Forsaken()
    rig.step()
    due = rig.run.due_at
    assert due is not None
    rig.clock.set(due + LONGEST + LEFT + SECOND)
    assert rig.revived() == 1


def test_a_start_that_fails_again_and_again_does_not_gather_executions() -> None:
    """AWS-34: one that sleeps and wakes and cannot get on is at it all the same."""
    rig = Forsaken()
    rig.until(Next.START)
    rig.clock.advance(60 * MINUTE)
    rig.park(until=rig.clock.now() + 30 * SECOND)
    assert rig.revived() == 0
    rig.park(until=rig.clock.now() - 30 * SECOND)
    assert rig.revived() == 0


def test_a_run_that_is_only_looked_after_with_patience_costs_no_call_to_aws() -> None:
    """AWS-52: there may be thousands of them each minute."""
    rig = Forsaken()
    rig.until(Next.WAIT_FOR_JOB)
    due = rig.run.due_at
    assert due is not None
    rig.clock.set(due + LEFT + MINUTE)
    assert rig.revived() == 0
    assert rig.machines.asked == []


def test_a_wish_that_is_a_little_late_does_not_hide_a_run_that_is_very_late() -> None:
    rig = Forsaken()
    rig.until(Next.START)
    rig.clock.advance(60 * MINUTE)
    (wish,) = rig.store.outstanding(rig.key)
    rig.store.postpone(rig.key, wish.id, rig.clock.now() - LEFT - SECOND)
    assert rig.revived() == 1


@pytest.mark.parametrize("until", [-LEFT - 2 * SECOND, 6 * 60 * MINUTE])
def test_the_row_of_an_execution_that_is_gone_hides_nothing(until: timedelta) -> None:
    rig = Forsaken()
    rig.until(Next.START)
    rig.clock.advance(60 * MINUTE)
    rig.park(until=rig.clock.now() + until)
    assert rig.revived() == 1


def test_a_row_of_an_earlier_release_hides_nothing() -> None:
    """AWS-45."""
    rig = Forsaken()
    rig.clock.advance(60 * MINUTE)
    pk = f"parked/{rig.key.run_id}"
    rig.kernel.restore([Record(pk=pk, sk="TOKEN", version=1, body={"token": "t"})])
    assert rig.revived() == 1


def test_a_wish_is_not_left_alone_however_patient_executions_are() -> None:
    rig = Forsaken(late=24 * 60 * MINUTE, begun=False)
    rig.clock.advance(LEFT + SECOND)
    assert rig.revived() == 1


def test_one_run_that_cannot_be_taken_up_is_told_and_the_tick_is_made() -> None:
    rig = Forsaken()
    rig.clock.advance(60 * MINUTE)
    rig.machines.trouble = TimeoutError("stepfunctions start_execution: no answer")
    ticked = rig.clockwork.tick()
    assert any(rig.key.run_id in trouble and "no answer" in trouble for trouble in ticked.troubles)
    (member,) = rig.hands.members.members("watcher")
    assert member.progress_at == rig.clock.now()


def test_a_store_that_cannot_say_who_sleeps_is_told_too() -> None:
    rig = Forsaken()
    rig.clock.advance(60 * MINUTE)

    class Blind(Parking):
        def find(self, run: object) -> tuple[Parked, ...]:
            raise StoreUnavailable("no answer")

    ticked = rig.clockwork._replace(parking=Blind(rig.kernel)).tick()
    assert [rig.key.run_id in trouble for trouble in ticked.troubles] == [True]


def test_a_run_that_has_nothing_due_is_nobodys_to_revive() -> None:
    rig = Forsaken()
    advance(rig.key, CancelAsked(at=NOON, actor="ann", reason="no"), rig.store)
    rig.until(Next.CANCELLED)
    rig.clock.advance(24 * 60 * MINUTE)
    assert rig.run.status is RunStatus.CANCELLED
    assert rig.revived() == 0


def test_a_tick_ends_in_time_however_many_runs_are_left_alone() -> None:
    """AWS-33: a function that runs out of time has not ticked, and would begin with the same ones again."""
    rig = Forsaken()
    rig.clock.advance(60 * MINUTE)
    others = [RunKey(rig.key.slot, number) for number in range(2, 400)]
    (row, *_) = rig.store.due(rig.clock.now(), 1)
    due = tuple(row._replace(subject=key) for key in others)

    def slow(run: RunKey, suffix: str = "") -> bool:
        rig.clock.advance(SECOND)
        return True

    rig.machines.start = slow  # type: ignore[method-assign]
    now = rig.clock.now()
    started, troubles = rig.clockwork._revive(due, now)
    assert REVIVING <= rig.clock.now() - now < REVIVING + 2 * MINUTE
    assert 0 < started < len(others)
    assert f"{len(others) - started} runs" in troubles[-1]


def test_others_come_first_in_the_next_minute() -> None:
    rig = Forsaken()
    rig.clock.advance(60 * MINUTE)
    (row, *_) = rig.store.due(rig.clock.now(), 1)
    due = tuple(row._replace(subject=RunKey(rig.key.slot, number)) for number in range(2, 100))
    orders = []
    for minute in range(2):
        rig.machines.asked.clear()
        rig.clockwork._revive(due, rig.clock.now() + minute * MINUTE)
        orders.append([name.rpartition("/")[0] for name in rig.machines.asked])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_a_failed_job_is_no_reason_to_start_anything() -> None:
    rig = Forsaken()
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1", JobState.FAILED)
    rig.until(Next.FAILED)
    rig.clock.advance(24 * 60 * MINUTE)
    assert rig.revived() == 0
    assert rig.trigger.started == 1
