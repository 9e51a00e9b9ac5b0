"""What the functions beside the state machine do when they are called, and how they say that something went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.aws.offices import FUNCTION, an_office, metrics
from tests.unit.aws.test_routing import Machines, a_marker, a_record
from tests.unit.aws.urls import Call
from tests.unit.operations.office import NOW

from interlock.app.notifying import raise_alert
from interlock.app.postponing import about_run
from interlock.aws import alert_delivery, scheduler, stream_router, watchdog
from interlock.aws.scheduling import BEATS, PARTS, beat
from interlock.core.alerts import AlertType
from interlock.core.dispatching import alert_dispatch
from interlock.core.ids import PipelineName, ScheduleName
from interlock.errors import StoreUnavailable
from interlock.runtime.retention import Retention
from interlock.runtime.wiring import LazyHttp
from interlock.stores import keys
from interlock.stores.dynamodb.items import item_of
from interlock.stores.kernel import Put, Record
from interlock.stores.rows import row_of

DAY = timedelta(days=1)


class Context(Call):
    """What Lambda says of a call of the scheduler."""

    invoked_function_arn = FUNCTION


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with an_office(tmp_path / "project") as found:
        for module in (alert_delivery, scheduler, stream_router, watchdog):
            monkeypatch.setattr(module, "_OFFICE", lambda: found)
        yield found


def broken(*_: object, **__: object) -> Any:
    raise StoreUnavailable("the store did not answer")


# ---------------------------------------------------------------------- scheduler


def test_a_tick_opens_what_is_due_and_is_counted_once(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """AWS-49: the alarm of a dead scheduler goes by this line."""
    office.clock.shift(DAY)
    told = scheduler.handler({}, Context())
    assert told["opened"] >= 1
    (line,) = metrics(capsys.readouterr().out)
    assert (line["Deployment"], line["SchedulerTick"], line["RunsOpened"]) == ("interlock-test", 1, told["opened"])


def test_a_tick_that_could_not_do_everything_is_counted_and_is_an_error(
    office: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS-33: what goes wrong with one run does not look like a dead scheduler, and is not silent."""
    office.clock.shift(DAY)
    strange = Record(pk="slot/x", sk="FUTURE", version=1, body={}, wake_at=NOW)
    assert office.kernel.commit("slot/x", [Put(strange)])
    with pytest.raises(scheduler.Incomplete, match="slot/x/FUTURE"):
        scheduler.handler({}, Context())
    assert [line["SchedulerTick"] for line in metrics(capsys.readouterr().out)] == [1]
    assert office.work.store.active_runs(limit=9)


def test_a_tick_that_fails_is_not_counted(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    office.kernel.due = broken
    with pytest.raises(StoreUnavailable):
        scheduler.handler({}, Context())
    assert capsys.readouterr().out == ""


def test_what_is_too_much_for_one_call_is_opened_by_others_of_the_same_alias(office: Any) -> None:
    """AWS-44, AWS-45: and they open just that, and count no tick."""
    hand_on = scheduler._handing_on(office, FUNCTION)
    parts = [(PipelineName(f"p{number}"), ScheduleName("daily")) for number in range(PARTS)]
    hand_on(parts)
    (call,) = office.door.calls
    assert (call["call"], call["FunctionName"], call["InvocationType"]) == ("lambda.invoke", FUNCTION, "Event")
    assert call["region"] == "eu-central-1"
    assert json.loads(call["Payload"]) == {"agendas": [list(part) for part in parts]}


def test_what_was_handed_on_is_opened_and_no_tick_is_counted(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    office.clock.shift(DAY)
    (agenda, *_) = office.work.hands.agendas.overdue(office.work.clock.now(), 1)
    event = {"agendas": [[agenda.pipeline, agenda.schedule]]}
    assert scheduler.handler(event, Context())["opened"] >= 1
    assert capsys.readouterr().out == ""


def test_history_that_cannot_be_removed_is_an_error_after_everything_else_was_done(
    office: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office.clock.move_to(NOW.replace(minute=30) + DAY)
    assert office.work.project.settings.history is not None
    monkeypatch.setattr(Retention, "turn", broken)
    with pytest.raises(scheduler.Incomplete, match="history could not be removed: the store did not answer"):
        scheduler.handler({}, Context())
    (line,) = metrics(capsys.readouterr().out)
    assert line["RunsOpened"] >= 1


def test_history_is_looked_at_every_ten_minutes(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    monkeypatch.setattr(Retention, "turn", lambda _self: turns.append(1))
    for minute in range(20):
        office.clock.move_to(NOW.replace(minute=minute))
        scheduler.handler({}, Context())
    assert len(turns) == 2


# ---------------------------------------------------------------------- watchdog


def test_a_whole_scan_is_counted(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """AWS-33, AWS-49: the alarm of a dead watchdog goes by this line."""
    scheduler.handler({}, Context())
    capsys.readouterr()
    assert watchdog.handler({}, Context()) == {"findings": 0}
    (line,) = metrics(capsys.readouterr().out)
    assert (line["WatchdogScan"], line["WatchdogFindings"]) == (1, 0)


def test_a_scan_that_is_not_whole_is_an_error_and_not_counted(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    office.kernel.listing = broken
    with pytest.raises(watchdog.Degraded, match="did not answer"):
        watchdog.handler({}, Context())
    assert capsys.readouterr().out == ""


def test_a_scheduler_that_has_stopped_is_told_by_the_watchdog(office: Any) -> None:
    """AWS-33: neither depends on the other."""
    scheduler.handler({}, Context())
    office.clock.shift(timedelta(hours=1))
    assert watchdog.handler({}, Context())["findings"] >= 1
    told = {each.alert.alert_type for each in office.work.hands.dispatches.alerts(limit=9)}
    assert AlertType.WATCHER_STALLED in told
    for _ in range(5):
        scheduler.handler({}, Context())
        office.clock.shift(timedelta(minutes=1))
    watchdog.handler({}, Context())
    assert not [each for each in office.work.hands.dispatches.alerts(limit=9, open_only=True) if _is_stalled(each)]


def test_a_tick_that_is_missed_now_and_then_is_nobodys_death(office: Any) -> None:
    for _ in range(3):
        scheduler.handler({}, Context())
        office.clock.shift(timedelta(minutes=1))
    office.clock.shift(BEATS - timedelta(minutes=2))
    assert watchdog.handler({}, Context()) == {"findings": 0}


def test_a_run_is_no_orphan_while_executions_may_be_patient(office: Any) -> None:
    scheduler.handler({}, Context())
    with closing(LazyHttp(())) as http:
        rounds = watchdog._rounds(office, http)
    assert rounds.thresholds.late == office.environment.longest_wait
    assert rounds.thresholds.wanted


def test_a_scheduler_that_has_never_ticked_is_not_missed_yet(office: Any) -> None:
    """A new deployment is no outage; that it never begins, an alarm tells."""
    assert watchdog.handler({}, Context()) == {"findings": 0}


def test_a_scan_leaves_no_connection_open(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox scans hundreds of times."""
    opened: list[str] = []

    class Http:
        def __init__(self, _allow: object) -> None:
            opened.append("opened")

        def close(self) -> None:
            opened.append("closed")

    monkeypatch.setattr(watchdog, "LazyHttp", Http)
    watchdog.handler({}, Context())
    assert opened == ["opened", "closed"]


# ---------------------------------------------------------------------- alert-delivery


def a_kept_alert(office: Any, name: str = "one") -> dict[str, Any]:
    """Keep an alert, and return its record in the stream."""
    alert = about_run(AlertType.RUN_POISONED, name, f"{name} is broken", None, office.work.hands)
    raise_alert(alert, office.work.hands)
    row = office.kernel.get(f"{keys.DISPATCH_PREFIX}{alert_dispatch(alert.alert_id)}", keys.DISPATCH_SK)
    assert row is not None
    return a_record(item_of(row_of(row), shards=4), number=name)


class Sink:
    """A sink that remembers, or breaks."""

    name = "chat"

    def __init__(self) -> None:
        self.told: list[str] = []

    def deliver(self, notice: Any, *, timeout: timedelta) -> None:
        self.told.append(notice.alert.message)


@pytest.fixture
def sink(office: Any) -> Sink:
    from interlock.app.channels import Alerting, Channel

    found = Sink()
    office.work.hands = office.work.hands._replace(alerting=Alerting(channels=(Channel("chat", found),)))
    return found


def test_an_alert_is_told_when_its_record_comes_and_once_however_often_that_is(office: Any, sink: Sink) -> None:
    """AWS-13, AWS-47."""
    record = a_kept_alert(office)
    for _ in range(2):
        assert alert_delivery.handler({"Records": [record]}, Context(60)) == {"batchItemFailures": []}
    assert sink.told == ["one is broken"]


def test_an_alert_whose_record_was_lost_is_told_within_a_minute(office: Any, sink: Sink) -> None:
    """AWS-47."""
    a_kept_alert(office)
    assert alert_delivery.handler({"due": True}, Context(60)) == {"batchItemFailures": []}
    assert sink.told == ["one is broken"]


def test_a_record_that_cannot_be_delivered_now_comes_again_with_all_behind_it(
    office: Any, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    records = [a_kept_alert(office, name) for name in ("one", "two", "three")]
    plain, asked = office.kernel.get, []

    def get(pk: str, sk: str) -> Any:
        if "two" in pk:
            asked.append(pk)
            raise StoreUnavailable("the store did not answer")
        return plain(pk, sk)

    office.kernel.get = get
    answer = alert_delivery.handler({"Records": records}, Context(60))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "two"}]}
    assert asked
    assert "did not answer" in caplog.text
    assert sink.told == ["one is broken"]


def test_what_is_due_and_cannot_be_told_is_an_error_after_the_rest_was_told(office: Any, sink: Sink) -> None:
    for name in ("one", "two"):
        a_kept_alert(office, name)
    damaged = f"{keys.DISPATCH_PREFIX}damaged"
    row = Record(pk=damaged, sk=keys.DISPATCH_SK, version=1, body={"x": 1}, wake_at=NOW)
    assert office.kernel.commit(damaged, [Put(row)])
    with pytest.raises(alert_delivery.Undelivered):
        alert_delivery.handler({"due": True}, Context(60))
    assert sorted(sink.told) == ["one is broken", "two is broken"]


def test_what_there_is_no_time_for_is_left_due(office: Any, sink: Sink) -> None:
    a_kept_alert(office)
    alert_delivery.handler({"due": True}, Context(39))
    assert sink.told == []
    alert_delivery.handler({"due": True}, Context(41))
    assert len(sink.told) == 1


# ---------------------------------------------------------------------- stream-router


def test_a_batch_is_routed_up_to_the_record_that_cannot_be(office: Any, caplog: pytest.LogCaptureFixture) -> None:
    """AWS-24."""
    office.clock.shift(DAY)
    scheduler.handler({}, Context())
    (key, *_) = office.work.store.active_runs(limit=1)
    row = office.kernel.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
    assert row is not None
    image = item_of(row_of(row), shards=4)
    records = [a_marker("nobody"), a_record(image, number="2"), a_marker("nobody", number="3")]
    office.machines = Machines()
    office.machines.trouble = TimeoutError("stepfunctions start_execution: no answer")
    answer = stream_router.handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert "no answer" in caplog.text
    assert len(office.failures.items) == 1
    office.machines.trouble = None
    assert stream_router.handler({"Records": records[1:]}, Context()) == {"batchItemFailures": []}
    assert office.machines.started == [key.run_id]


def test_a_beat_that_crosses_another_does_no_harm(office: Any) -> None:
    """AWS-12: two ticks at once."""
    members = office.work.hands.members
    beat(members, NOW, progress_at=NOW)
    beat(members, NOW, progress_at=None)
    (member,) = members.members("watcher")
    assert (member.progress_at, member.epoch, member.until) == (NOW, 2, NOW + BEATS)
    assert PipelineName(member.name) == "scheduler"


def _is_stalled(record: Any) -> bool:
    return record.alert.alert_type is AlertType.WATCHER_STALLED
