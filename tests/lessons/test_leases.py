"""Group 3: whatever goes wrong while somebody holds something, it is free again, and the run is where somebody can go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta

import pytest
from tests.lessons.living import DAY, HOUR, Living
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.callbacks import Report, complete
from interlock.app.delivering import deliver
from interlock.app.notifying import raise_alert
from interlock.app.perform import carry_out
from interlock.app.reruns import Rerun, ask_rerun
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.dispatching import AlertRecord
from interlock.core.events import EvaluationAsked, Woke
from interlock.core.pipelines import ExclusionSpec, RerunSpec, ScheduleSpec, WatchSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import TERMINAL, Cause, RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import StoreUnavailable
from interlock.ports.evaluators import Answer
from interlock.ports.members import Member, Members
from interlock.runtime.leases import LENGTH, Lease, Process
from interlock.stores.members import MemberRows
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_slot, a_spec
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, Start
from interlock.testing.faults import FaultyKernel

DAILY = ScheduleSpec(after=time(6))
SATURDAYS = ExclusionSpec(weekdays=(5,))


# ---------------------------------------------------------------- giving back what one holds


def test_a_lease_that_cannot_be_given_back_costs_no_outcome() -> None:
    """BUG-28, AWS-07: what was told is told once, although the store fails just when the lease is given back."""
    bench = Bench()
    alert = Alert(alert_id="test/x", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="x")
    raise_alert(alert, bench.hands)
    name = "alert/test/x"
    last = _commits_of(bench.kernel, lambda: deliver(name, bench.hands))
    assert [notice.number for notice in bench.sink.delivered] == [1]

    again = Alert(alert_id="test/y", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="y")
    raise_alert(again, bench.hands)
    _fail_commit(bench.kernel, last)
    with pytest.raises(StoreUnavailable):
        deliver("alert/test/y", bench.hands)
    bench.kernel.heal()
    for _ in range(5):
        bench.later(60)
        deliver("alert/test/y", bench.hands)
    assert [notice.alert.message for notice in bench.sink.delivered] == ["x", "y"]
    record = bench.hands.dispatches.dispatch("alert/test/y")
    assert isinstance(record, AlertRecord)
    assert record.held_until is None, "the lease that ran out is given back by whoever comes next"


def _commits_of(kernel: FaultyKernel, what: Callable[[], None]) -> int:
    before = kernel.calls.count("commit")
    what()
    return kernel.calls.count("commit") - before


def _fail_commit(kernel: FaultyKernel, number: int) -> None:
    """Let the n-th commit from now fail, and every one after it."""
    so_far = kernel.calls.count("commit")

    def fail(call: int) -> None:
        if kernel.calls[call] == "commit" and kernel.calls.count("commit") >= so_far + number:
            raise StoreUnavailable("the disk is full")

    kernel.before = fail


class _Stubborn(MemberRows):
    """Leases that cannot be given back."""

    def drop_member(self, member: Member) -> bool:
        """Fail."""
        raise StoreUnavailable(f"{member.name} cannot be removed")


def test_a_watcher_that_dies_without_giving_its_place_back_is_out_of_the_way_when_its_lease_is_over() -> None:
    """BUG-28, BUG-39, T-50."""
    bench = Bench()
    dead = Lease(_Stubborn(bench.kernel), process=Process("a", 1, "x"), gone=lambda _member, _host: False)
    assert dead.hold(NOON)
    with pytest.raises(StoreUnavailable):
        dead.leave()
    other = Lease(MemberRows(bench.kernel), process=Process("b", 2, "y"), gone=lambda _member, _host: False)
    assert other.hold(NOON)
    work = [f"work-{n}" for n in range(200)]
    assert not all(map(other.mine, work)), "it is thought to be alive, and has a share"
    assert other.hold(NOON + LENGTH)
    assert all(map(other.mine, work))


def test_one_that_was_held_up_longer_than_its_lease_takes_nobodys_place() -> None:
    """BUG-39, T-03: it joins anew, beside whoever came in between."""
    members: Members = MemberRows(Bench().kernel)
    leases = [Lease(members, process=Process(host, 1, host), gone=lambda _member, _host: False) for host in "ab"]
    slow, other = leases
    assert slow.hold(NOON)
    assert other.hold(NOON + LENGTH + SECOND)
    kept = {member.name: member.epoch for member in members.members("watcher")}
    assert slow.name not in kept
    assert slow.hold(NOON + LENGTH + 2 * SECOND)
    after = {member.name: member.epoch for member in members.members("watcher")}
    assert after == {**kept, slow.name: 1}
    slow.leave()
    assert {member.name for member in members.members("watcher")} == {other.name}


# ---------------------------------------------------------------- starts


def test_a_start_that_is_never_taken_ends_with_one_alert_and_one_line() -> None:
    """BUG-80."""
    living = Living(a_spec(schedules=(DAILY,)), trigger=FakeTrigger(*[Start.REFUSED] * 3)).plan().on(HOUR)
    assert [run.status for run in living.runs()] == [RunStatus.FAILED]
    assert living.told == ["run_failed"]
    assert living.kinds().count("RETRY_EXHAUSTED") == 1
    assert living.kinds().count("PIPELINE_FAILED") == 1


@pytest.mark.parametrize(("category", "ends"), [(FailureCategory.PERMANENT, True), (FailureCategory.TRANSIENT, False)])
def test_a_job_that_fails_on_a_day_that_is_excluded_by_then_is_followed_like_any_other(
    category: FailureCategory, *, ends: bool
) -> None:
    """BUG-134: its run is FAILED at once, or tried again; it never stays as if it were running."""
    bench = Bench(a_spec(exclusions=SATURDAYS)).running()
    complete(bench.key, Report(succeeded=False, category=category, reason="exit 1"), bench.store, NOON)
    assert bench.run.status is (RunStatus.FAILED if ends else RunStatus.PENDING)
    assert bench.to_the_end().status is (RunStatus.FAILED if ends else RunStatus.COMPLETED)


def test_a_claim_is_longer_than_the_call_it_is_for() -> None:
    """BUG-106."""
    bench = Bench()
    seen: list[timedelta] = []

    def look(_job: object) -> None:
        claim = bench.store.claim(bench.key, 1)
        assert claim is not None
        seen.append(claim.until - bench.clock.now())

    bench.trigger.before_start = look
    bench.running()
    assert bench.spec.trigger is not None
    assert seen[0] > bench.spec.trigger.start_timeout


def test_a_run_is_there_longer_than_whatever_was_held_for_it() -> None:
    """LAT-37: claims and leases run out, and nobody takes the run for one that never was."""
    living = Living(a_spec(schedules=(DAILY,)), trigger=FakeTrigger(Start.NEVER_ARRIVES, remembers=False)).plan()
    living.on(MINUTE)
    while living.kernel.purge(NOON + 4000 * DAY, 1000):
        pass
    living.restart().on(DAY - HOUR)
    (run,) = [run for run in living.runs() if run.key.slot == a_slot()]
    assert (run.status, bool(run.doubt)) == (RunStatus.TRIGGERING, True)
    assert living.told.count("start_unknown") == 1
    assert living.trigger.calls.count(f"{run.key.run_id}/1") == 1


# ---------------------------------------------------------------- reruns


def _used(bench: Bench) -> int:
    return bench.store.count_runs(bench.key.slot, tuple(Cause))


@pytest.mark.parametrize(
    "forbid",
    [
        lambda bench: bench.hands._replace(catalog=Files(a_spec(exclusions=SATURDAYS))),
        lambda bench: bench.hands._replace(catalog=Files(a_spec(reruns=RerunSpec(drift=0)))),
        lambda bench: bench.hands._replace(catalog=Files()),
    ],
    ids=["excluded", "no budget", "not defined"],
)
def test_a_rerun_that_is_refused_costs_nothing_of_its_budget(forbid: Callable[[Bench], object]) -> None:
    """BUG-169."""
    bench = Bench().completed()
    answer = ask_rerun(bench.key, Cause.DRIFT, "drift", forbid(bench))  # type: ignore[arg-type]  # hands
    assert (answer.how, _used(bench)) == (Rerun.REJECTED, 1)
    assert ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands).how is Rerun.OPENED


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(8))
def test_a_rerun_whose_opening_fails_anywhere_costs_its_budget_once(call: int, *, after: bool) -> None:
    """BUG-169, BUG-131: it is asked for again, and there is one."""
    bench = Bench().completed()
    bench.kernel.fail_at(call, after=after)
    for _ in range(2):
        try:
            ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands)
        except StoreUnavailable:
            continue
    bench.kernel.heal()
    assert _used(bench) == 2
    latest = bench.store.latest_run(bench.key.slot)
    assert latest is not None
    assert (latest.key.number, latest.status) == (2, RunStatus.PENDING)


def _broken_check(bench: Bench) -> None:
    answer = Answer(status=TraitStatus.FAIL, category=FailureCategory.PERMANENT, reason="no such table")
    bench.evaluator.script("freshness", answer)
    bench.turn()
    assert bench.alerts() == [] or bench.run.blocked
    bench.evaluator.script("freshness", TraitStatus.PASS)
    advance(bench.key, EvaluationAsked(at=bench.clock.now() + SECOND, actor="ann"), bench.store)
    bench.later(1)


def _failed_job(bench: Bench) -> None:
    bench.running()
    complete(bench.key, Report(succeeded=False, category=FailureCategory.PERMANENT), bench.store, bench.clock.now())
    _rerun(bench)


def _window_closed(bench: Bench) -> None:
    bench.evaluator.script("freshness", TraitStatus.FAIL)
    bench.turn()
    bench.later(20 * 3600)
    advance(bench.key, Woke(at=bench.clock.now()), bench.store)
    assert bench.run.status is RunStatus.CANCELLED
    bench.evaluator.script("freshness", TraitStatus.PASS)
    _rerun(bench)


def _no_start_is_taken(bench: Bench) -> None:
    bench.trigger.script(*[Start.REFUSED] * 3)
    bench.to_the_end()
    _rerun(bench)


def _start_in_doubt(bench: Bench) -> None:
    bench.trigger.remembers = False
    bench.trigger.script(Start.NEVER_ARRIVES)
    carry_out(bench.key, bench.ready_to_start(), bench.hands)
    assert bench.run.doubt
    complete(bench.key, Report(succeeded=False, category=FailureCategory.PERMANENT), bench.store, bench.clock.now())
    _rerun(bench)


def _rerun(bench: Bench) -> None:
    assert bench.run.status in TERMINAL
    answer = ask_rerun(bench.key, Cause.RERUN, "mended", bench.hands)
    assert answer.run is not None
    bench.key = answer.run.key


@pytest.mark.parametrize("trouble", [_broken_check, _failed_job, _window_closed, _no_start_is_taken, _start_in_doubt])
def test_what_an_alert_tells_people_to_do_works_in_the_state_they_are_in(trouble: Callable[[Bench], None]) -> None:
    """LAT-19, T-121."""
    retry = RetrySpec(max_attempts=3, backoff=10 * SECOND)
    watch = WatchSpec(interval=10 * SECOND)
    bench = Bench(a_spec(retry=retry, watch=watch), evaluator=FakeEvaluator(), trigger=FakeTrigger())
    trouble(bench)
    assert bench.to_the_end().status is RunStatus.COMPLETED
