"""Group 6: whatever goes wrong leaves a trace where somebody looks, and changes no decision that is none of its business."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import PIPELINE, a_project
from tests.lessons.living import DAY, HOUR, SCAN, Living
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.channels import Alerting, Channel
from interlock.app.delivering import deliver
from interlock.app.notifying import raise_alert
from interlock.app.perform import carry_out
from interlock.app.reruns import Rerun, ask_rerun
from interlock.app.sweep import deliver_due
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent, Notice
from interlock.core.commands import RaiseAlert
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import Dispatch, event_dispatch
from interlock.core.events import JobFinished
from interlock.core.ids import RunKey
from interlock.core.pipelines import Deadline, RerunSpec, ScheduleSpec, SlaSpec, WatchSpec
from interlock.core.runs import Cause, RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import SinkError, StoreUnavailable
from interlock.runtime.lanes import lanes_of
from interlock.runtime.reloading import Reloader
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock
from interlock.stores import keys
from interlock.stores.kernel import Change, Put
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_key, a_spec
from interlock.testing.fakes import RecordingSink

DAILY = a_spec(schedules=(ScheduleSpec(after=time(6)),))


class Died(BaseException):
    """The process dies."""


def _an_alert(name: str = "x") -> Alert:
    return Alert(alert_id=f"test/{name}", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message=name)


# ---------------------------------------------------------------- people


class _DiesWhileTelling:
    """A sink in the middle of which the process dies, once."""

    def __init__(self) -> None:
        self.delivered: list[Notice] = []
        self._dies = True

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Deliver, or die."""
        assert timeout > timedelta(), "whoever calls says how long it may take"
        if self._dies:
            self._dies = False
            raise Died
        self.delivered.append(notice)


def test_a_process_that_dies_while_it_tells_people_loses_no_alert() -> None:
    """BUG-33: whoever comes next tells it, and it is known that it may have been told before."""
    bench, sink = Bench(), _DiesWhileTelling()
    hands = bench.hands._replace(alerting=Alerting(channels=(Channel("pager", sink),)))
    raise_alert(_an_alert(), hands)
    with pytest.raises(Died):
        deliver("alert/test/x", hands)
    bench.later(3600)
    deliver("alert/test/x", hands)
    assert [notice.alert.alert_id for notice in sink.delivered] == ["test/x"]


def test_a_wish_to_tell_people_outlives_whoever_had_it() -> None:
    """BUG-33: it is in the outbox with what it is about, or neither is."""
    bench = Bench().running()
    bench.trigger.category = FailureCategory.PERMANENT
    fact = JobFinished(at=NOON, attempt=1, succeeded=False, category=FailureCategory.PERMANENT, reason="exit 1")

    def dies(call: int) -> None:
        if bench.kernel.calls[call] == "commit":
            raise Died

    bench.kernel.after = dies
    with pytest.raises(Died):
        advance(bench.key, fact, bench.store)
    bench.kernel.heal()
    assert bench.run.status is RunStatus.FAILED
    carry_out(bench.key, bench.wish(RaiseAlert), bench.more_hands())
    assert bench.alerts() == ["run_failed"]


# ---------------------------------------------------------------- programs and people that cannot be reached


class _Deaf:
    """Whoever is told says that it cannot hear."""

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Refuse."""
        raise SinkError(f"nobody answers for {notice.notice_id} within {timeout}")

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Refuse."""
        raise SinkError(f"nobody answers for {event.event_id} within {timeout}")


def _deafened(bench: Bench) -> Bench:
    deaf = _Deaf()
    alerting = Alerting(channels=(Channel("chat", deaf),), subscribers=(("programs", deaf),))
    bench.hands = bench.hands._replace(alerting=alerting)
    return bench


def _delivered(bench: Bench, hours: int) -> None:
    for _ in range(hours * 6 + 12):
        for work in bench.store.due(bench.clock.now(), 100):
            if isinstance(work.subject, str):
                deliver(work.subject, bench.hands)
        bench.later(600)


def _dispatch(bench: Bench, name: str) -> Dispatch:
    found = bench.hands.dispatches.dispatch(name)
    assert found is not None
    return found


def test_news_that_nobody_takes_changes_no_decision_and_every_failure_is_kept() -> None:
    """BUG-125, BUG-176."""
    bench = _deafened(Bench(replace(DAILY, sla=SlaSpec(completion=Deadline(span=SECOND)))))
    assert bench.to_the_end().status is RunStatus.COMPLETED
    _delivered(bench, hours=1)
    event = _dispatch(bench, event_dispatch(f"PIPELINE_COMPLETED/{bench.key.run_id}"))
    (delivery,) = event.deliveries
    assert delivery.tries > 3
    assert delivery.reason.startswith("nobody answers for PIPELINE_COMPLETED/")


def test_news_that_is_given_up_is_a_line_that_says_what_and_why() -> None:
    """BUG-125."""
    bench = _deafened(Bench())
    bench.to_the_end()
    _delivered(bench, hours=26)
    (delivery,) = _dispatch(bench, event_dispatch(f"PIPELINE_COMPLETED/{bench.key.run_id}")).deliveries
    assert delivery.state is DeliveryState.GIVEN_UP
    lines = bench.store.timeline(bench.spec.name, limit=999)
    (told,) = [line.record.message for line in lines if line.record.kind == "EVENT_UNDELIVERABLE"]
    assert "programs" in told
    assert "nobody answers" in told


def test_the_watchdog_says_what_it_could_not_tell() -> None:
    """BUG-176: also what it delivers in the place of those who usually do."""
    bench = Bench()
    raise_alert(_an_alert(), bench.hands)
    bench.kernel.fail_at(1, after=False)
    check = deliver_due(bench.hands, bench.clock.now() + HOUR)
    assert check.error.startswith("alert/test/x: the store did not answer")


# ---------------------------------------------------------------- what is written beside a decision


def _accepted_lines(bench: Bench) -> list[str]:
    lines = bench.store.timeline(bench.spec.name, limit=999)
    return [line.record.message for line in lines if line.record.kind == "RERUN_ACCEPTED"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(9))
def test_a_rerun_that_was_accepted_has_its_line_whatever_failed_on_the_way(call: int, *, after: bool) -> None:
    """BUG-145, BUG-138."""
    bench = Bench().completed()
    bench.kernel.fail_at(call, after=after)
    for _ in range(2):
        try:
            ask_rerun(bench.key, Cause.DRIFT, "drift of freshness", bench.hands)
        except StoreUnavailable:
            continue
    bench.kernel.heal()
    assert _accepted_lines(bench) == [f"{RunKey(bench.key.slot, 2)} (drift): drift of freshness"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(9))
def test_a_rerun_that_was_refused_has_its_line_and_its_alert_whatever_failed_on_the_way(
    call: int, *, after: bool
) -> None:
    """BUG-145, BUG-138."""
    bench = Bench(a_spec(reruns=RerunSpec(drift=0))).completed()
    bench.kernel.fail_at(call, after=after)
    for _ in range(2):
        try:
            answer = ask_rerun(bench.key, Cause.DRIFT, "drift of freshness", bench.hands)
        except StoreUnavailable:
            continue
        assert answer.how is Rerun.REJECTED
        assert answer.words == "the budget of reruns for drift and late data is used up: 0 of 0"
    bench.kernel.heal()
    assert bench.told().count("RERUN_REJECTED") == 1
    assert bench.alerts() == ["rerun_cap_reached"]


@pytest.mark.parametrize(
    ("bench", "how"),
    [
        (lambda: Bench().running(), Rerun.LATER),
        (lambda: Bench(a_spec(reruns=RerunSpec(manual=0))).completed(), Rerun.REJECTED),
        (lambda: _gone(Bench().completed()), Rerun.REJECTED),
    ],
    ids=["still running", "no budget", "not defined"],
)
def test_whoever_asks_for_a_rerun_that_does_not_come_hears_why(bench: Callable[[], Bench], how: Rerun) -> None:
    """BUG-138."""
    made = bench()
    answer = ask_rerun(made.key, Cause.RERUN, "again", made.hands)
    assert (answer.how, bool(answer.words)) == (how, True)


def _gone(bench: Bench) -> Bench:
    bench.hands = bench.hands._replace(catalog=Files())
    return bench


# ---------------------------------------------------------------- what drift is compared with


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_no_failure_leaves_a_completed_run_without_what_drift_is_compared_with(*, after: bool) -> None:
    """BUG-132: it is kept in the commit that lets the job start, so there is no job without it."""
    spec = a_spec(watch=WatchSpec(monitoring=HOUR, interval=10 * SECOND))
    for call in range(60):
        bench = Bench(spec)
        bench.kernel.fail_at(call, after=after)
        for _ in range(40):
            try:
                for key in list(bench.trigger.jobs):
                    bench.trigger.end(key)
                bench.turn()
                if bench.run.status is RunStatus.COMPLETED_MONITORING:
                    break
            except StoreUnavailable:
                continue
            finally:
                bench.clock.advance(10 * SECOND)
        bench.kernel.heal()
        run = bench.run
        assert run.status is RunStatus.COMPLETED_MONITORING
        assert run.permit is not None
        assert [result.trait for result in run.permit.evidence] == ["freshness"]


# ---------------------------------------------------------------- one that cannot be read


def test_what_is_not_known_of_one_pipeline_leads_to_no_action_on_it_and_none_is_left_out() -> None:
    """BUG-144, LAT-27: the run of one cannot be read; it is named, nobody is told that it missed anything."""
    one, other = (
        a_spec(name=name, sla=SlaSpec(completion=Deadline(span=HOUR)), schedules=(ScheduleSpec(after=time(12)),))
        for name in ("one", "other")
    )
    living = Living(one, other, takes=9 * DAY, at=NOON - MINUTE).plan().on(5 * MINUTE)
    key = a_key(pipeline="one")
    _garble(living, key)
    for _ in range(18):
        living.clock.advance(SCAN)
        living.scan()
    assert {name for report in living.reports for name, _ in report.troubles} >= {"expectations"}
    assert any("one:daily:2026-03-07" in words for report in living.reports for _, words in report.troubles)
    about = {(str(alert.alert_type), alert.slot.pipeline) for alert in living.sink.alerts if alert.slot}
    assert ("stuck_run", "other") in about
    assert not {kind for kind, pipeline in about if pipeline == "one"}
    assert living.told.count("watchdog_degraded") == 1


def _garble(living: Living, key: RunKey) -> None:
    rows = living.kernel.real
    record = rows.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
    assert record is not None
    change: Change = Put(replace(record, version=record.version + 1, body={"nonsense": 1}, wake_at=None))
    assert rows.commit(record.pk, [change])


# ---------------------------------------------------------------- files that cannot be used


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (PIPELINE.replace("archetype: one-check", "archetype: nowhere"), "nowhere"),
        (PIPELINE.replace("archetype:", "archetpye:"), "archetpye"),
    ],
)
def test_a_mistake_in_a_file_is_told_to_people_and_not_only_to_whoever_typed_it(
    tmp_path: Path, mistake: str, words: str
) -> None:
    """BUG-15, LAT-23: while nobody is at the terminal."""
    root = a_project(tmp_path)
    assert mistake != PIPELINE
    (root / "pipelines" / "orders.yaml").write_text(mistake)
    project, problems = load_project(root, tolerant=True)
    with Interlock(project) as work:
        news: list[str] = []
        station = Station(work.hands, lanes_of(1), poke=lambda: None, news=news.append)
        Reloader(work, station, Settings(), problems).follow()
        (record,) = work.hands.dispatches.alerts(limit=9, open_only=True)
    assert record.alert.alert_type is AlertType.CONFIG_REJECTED
    assert words in record.alert.message
    assert "pipelines/orders.yaml:" in record.alert.message


def test_a_broken_sink_is_kept_apart_from_one_that_works() -> None:
    """BUG-179, BUG-125."""

    class Broken:
        def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
            raise ZeroDivisionError(f"nobody foresaw {notice.number} within {timeout}")

    works = RecordingSink()
    bench = Bench()
    channels = (Channel("broken", Broken()), Channel("works", works))
    bench.hands = bench.hands._replace(alerting=Alerting(channels=channels))
    raise_alert(_an_alert(), bench.hands)
    deliver("alert/test/x", bench.hands)
    broken, fine = _dispatch(bench, "alert/test/x").deliveries
    assert (broken.state, fine.state) == (DeliveryState.DUE, DeliveryState.DONE)
    assert broken.reason == "the sink broke: ZeroDivisionError: nobody foresaw 1 within 0:00:10"
