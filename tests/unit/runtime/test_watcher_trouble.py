"""What goes wrong with one thing is that one's, and the watcher goes on."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.runtime.rig import Rig
from tests.unit.runtime.watched import DAILY, HOUR, SPEC, first_start

from interlock.app.agendas import open_due
from interlock.app.notifying import raise_alert
from interlock.app.planning import plan
from interlock.core.alerts import Alert, AlertLevel, AlertType, NoticeKind
from interlock.core.chronicle import EventKind
from interlock.core.ids import RunKey
from interlock.core.pipelines import Deadline, ScheduleSpec, SlaSpec, TriggerSpec
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import SinkError, UnsafeDecision
from interlock.ports.evaluators import Answer
from interlock.ports.stores import DueWork
from interlock.ports.triggers import JobState
from interlock.runtime import watcher as watcher_module
from interlock.runtime.flights import LONGEST_REST
from interlock.stores import keys
from interlock.stores.kernel import Put, Record
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec


def test_a_run_that_cannot_be_read_is_set_aside_told_once_and_stops_nothing_else() -> None:
    """T-118."""
    other = a_spec(name="other", schedules=(DAILY,))
    rig = Rig(SPEC, other)
    poisoned, sound = rig.open(SPEC), rig.open(other)
    row = _damage(rig, poisoned)
    rig.play(30 * MINUTE)
    assert rig.told() == [AlertType.RUN_POISONED]
    assert rig.run(sound).status is RunStatus.RUNNING
    assert rig.sink.alerts[0].run_id == poisoned.run_id
    _mend(rig, row)
    rig.play(LONGEST_REST + MINUTE)
    assert rig.run(poisoned).attempt == 1
    assert [notice.kind for notice in rig.sink.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def _damage(rig: Rig, key: RunKey) -> Record:
    row = rig.kernel.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
    assert row is not None
    assert rig.kernel.commit(row.pk, [Put(replace(row, version=row.version + 1, body={"odd": True}))])
    return row


def _mend(rig: Rig, row: Record) -> None:
    version = row.version + 2
    assert rig.kernel.commit(row.pk, [Put(replace(row, version=version, body={**row.body, "version": version}))])


def test_what_was_set_aside_is_remembered_by_the_next_watcher_so_that_its_end_is_told() -> None:
    rig = Rig(SPEC)
    row = _damage(rig, rig.open(SPEC))
    rig.play(10 * SECOND)
    _mend(rig, row)
    rig.restart()
    rig.turns()
    assert [notice.kind for notice in rig.sink.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def test_a_store_that_does_not_answer_for_a_while_sets_nothing_aside() -> None:
    rig = Rig(SPEC, planned=True)
    for _ in range(12):
        rig.kernel.fail_at(2, after=False)
        rig.watcher.turn()
        rig.kernel.heal()
        rig.clock.advance(SECOND)
    rig.play(MINUTE)
    assert rig.told() == []
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


@pytest.mark.parametrize("after", [False, True])
def test_whichever_call_to_the_store_fails_the_slot_is_started_once(after: bool) -> None:
    for number in range(80):
        rig = Rig(SPEC, planned=True)
        rig.kernel.fail_at(number, after=after)
        rig.turns()
        rig.kernel.heal()
        rig.play(2 * MINUTE)
        key = RunKey(a_slot())
        assert rig.trigger.started == 1, f"call {number}"
        rig.trigger.end(f"{key.run_id}/{rig.run(key).attempt}")
        rig.play(MINUTE)
        assert rig.run(key).status is RunStatus.COMPLETED, f"call {number}"
        assert rig.told() == [], f"call {number}"


def test_an_unsafe_decision_about_one_run_is_that_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = a_spec(name="other", schedules=(DAILY,))
    rig = Rig(SPEC, other, planned=True)
    real = open_due

    def unsafe(pipeline: str, schedule: str, hands: object) -> object:
        if pipeline == "example":
            raise UnsafeDecision("it breaks SC-1")
        return real(pipeline, schedule, hands)  # type: ignore[arg-type]

    monkeypatch.setattr(watcher_module, "open_due", unsafe)
    rig.play(MINUTE)
    assert rig.told() == [AlertType.RUN_POISONED]
    assert "agenda/example/daily" in rig.sink.alerts[0].message
    assert rig.run(RunKey(a_slot(pipeline="other"))).status is RunStatus.RUNNING


def test_a_row_of_a_kind_that_nobody_knows_is_told_once_and_left_alone() -> None:
    rig = Rig(SPEC, planned=True)
    assert rig.kernel.commit("elsewhere", [Put(Record(pk="elsewhere", sk="X", version=1, body={}, wake_at=NOON))])
    rig.play(5 * MINUTE)
    assert rig.told() == [AlertType.RUN_POISONED]
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_a_pipeline_that_the_files_do_not_define_just_now_is_waited_for_quietly() -> None:
    rig = Rig(SPEC, planned=True)
    known = dict(rig.files.specs)
    rig.files.specs.clear()
    rig.play(10 * MINUTE)
    assert rig.told() == []
    rig.files.specs.update(known)
    rig.play(LONGEST_REST)
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING


def test_a_sink_that_fails_is_tried_again() -> None:
    spec = a_spec(schedules=(DAILY,), sla=SlaSpec(evaluation=Deadline(span=6 * HOUR)))
    rig = Rig(spec, planned=True)
    rig.sink._troubles.append(SinkError("nobody answers"))
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.play(30 * MINUTE)
    assert rig.told() == [AlertType.EVALUATION_SLA_BREACH]


# ---------------------------------------------------------------------- choosing


def test_rows_that_are_busy_never_hide_what_is_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "CAPACITY", 40)
    monkeypatch.setattr(watcher_module, "_PAGE", 5)
    specs = [a_spec(name=f"p-{number:03d}") for number in range(60)]
    rig = Rig(*specs)
    keys_of = [rig.open(spec) for spec in specs]
    rig.lane("evaluations").held = True
    rig.turns()
    assert len(rig.lane("evaluations").kept) == 40
    rig.lane("evaluations").go()
    rig.turns(5)
    assert all(rig.run(key).status is RunStatus.RUNNING for key in keys_of)


def test_what_is_far_behind_the_busy_rows_is_looked_for_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "CAPACITY", 4)
    monkeypatch.setattr(watcher_module, "_PAGE", 1)
    specs = [a_spec(name=f"p-{number:03d}", trigger=None) for number in range(60)]
    rig = Rig(*specs)
    for spec in specs:
        rig.open(spec)
    rig.lane("evaluations").held = True
    rig.turns(1)
    pages: list[int] = []
    due = rig.store.due

    def counted(before: datetime, limit: int) -> tuple[DueWork, ...]:
        pages.append(limit)
        return due(before, limit)

    monkeypatch.setattr(rig.store, "due", counted)
    looks = []
    for _ in range(4):
        rig.clock.advance(SECOND * 0.6)
        rig.turns(1)
        looks.append(max(pages) > 60)
        pages.clear()
    assert looks == [True, False, True, False]


def test_one_pipeline_takes_a_quarter_of_what_can_be_in_hand_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "CAPACITY", 40)
    greedy, modest = a_spec(name="greedy"), a_spec(name="modest")
    rig = Rig(greedy, modest)
    for day in range(1, 29):
        rig.open(greedy, a_slot(f"2026-02-{day:02d}", pipeline="greedy"))
    rig.clock.advance(SECOND)
    key = rig.open(modest)
    rig.lane("evaluations").held = True
    rig.turns()
    assert len(rig.lane("evaluations").kept) == 11
    rig.lane("evaluations").go()
    rig.turns(6)
    assert rig.run(key).status is RunStatus.RUNNING
    assert rig.trigger.started == 29


def test_alerts_and_schedules_need_no_room_among_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "CAPACITY", 4)
    specs = [a_spec(name=f"p-{number:03d}", trigger=None) for number in range(20)]
    late = a_spec(name="late", schedules=(DAILY,), sla=SlaSpec(evaluation=Deadline(span=timedelta())))
    rig = Rig(*specs, late)
    for spec in specs:
        rig.open(spec)
    rig.lane("evaluations").held = True
    rig.turns()
    raise_alert(replace(_an_alert(), at=rig.clock.now()), rig.station.hands)
    plan({late.name: late}, rig.station.hands)
    rig.play(2 * SECOND)
    assert rig.told() == [AlertType.TEST]
    assert rig.store.latest_run(a_slot(pipeline="late")) is not None


def _an_alert() -> Alert:
    return Alert(alert_id="a", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="listen")


def test_the_next_turn_is_when_the_next_thing_is_due() -> None:
    rig = Rig(a_spec(schedules=(ScheduleSpec(after=time(12)),)), at=NOON - timedelta(milliseconds=400), planned=True)
    assert rig.turns() == NOON


def test_with_nothing_due_the_watcher_looks_again_within_a_second() -> None:
    rig = Rig()
    assert rig.turns() == NOON + SECOND
    assert rig.watcher.idle


def test_a_watcher_is_not_idle_by_what_it_read_before_the_work_in_hand_ended() -> None:
    rig = Rig(SPEC)
    rig.open(SPEC)
    rig.evaluator.script("freshness", Answer(status=TraitStatus.FAIL, category=FailureCategory.PERMANENT))
    rig.lane("evaluations").held = True
    rig.turns()
    rig.lane("evaluations").go()
    assert rig.store.due(rig.clock.now(), 1), "people are to be told"
    assert not rig.watcher.idle
    rig.turns()
    assert rig.told() == [AlertType.EVALUATION_FAILED]
    assert rig.watcher.idle


def test_the_loop_survives_whatever_the_store_raises_and_says_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(SPEC, planned=True)
    real = rig.kernel.due

    def broken(before: object, limit: int) -> object:
        raise RuntimeError("odd")

    monkeypatch.setattr(rig.kernel, "due", broken)
    first = rig.watcher.turn() - rig.clock.now()
    second = rig.watcher.turn() - rig.clock.now()
    assert first < second
    assert [line for line in rig.news if line.startswith("trouble")] == ["trouble RuntimeError: odd; trying again"]
    monkeypatch.setattr(rig.kernel, "due", real)
    rig.turns()
    assert rig.run(RunKey(a_slot())).status is RunStatus.RUNNING
    assert [line for line in rig.news if line.startswith("recovered")] == ["recovered and going on"]


def test_a_watcher_that_cannot_have_a_lease_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(SPEC, planned=True)
    monkeypatch.setattr(type(rig.station.hands.members), "put_member", lambda _rows, _member: False)
    rig.turns()
    assert rig.store.latest_run(a_slot()) is None


# ---------------------------------------------------------------------- stopping


def test_a_watcher_that_drains_breaks_questions_off_and_believes_no_answer_after_that() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("evaluations").held = True
    rig.turns()
    late = list(rig.lane("evaluations").kept)
    broken: list[bool] = []
    rig.watcher.drain(SECOND, lambda: broken.append(True))
    for task in late:
        task()
    key = RunKey(a_slot())
    assert broken == [True]
    assert rig.run(key).results == ()
    assert len(rig.store.outstanding(key)) == 1
    assert rig.station.hands.members.members("watcher") == ()


def test_what_a_drained_watcher_left_is_done_by_the_next() -> None:
    rig, after = Rig(SPEC, planned=True), Rig(SPEC)
    rig.lane("evaluations").held = True
    rig.turns()
    assert not rig.watcher.drain(SECOND, lambda: None) or rig.lane("evaluations").kept == []
    hands = after.station.hands._replace(
        store=rig.store, agendas=rig.station.hands.agendas, members=rig.station.hands.members
    )
    after.station.hands = hands
    after.turns()
    run = rig.store.run(RunKey(a_slot()))
    assert run is not None
    assert run.status is RunStatus.RUNNING


def test_what_does_not_end_is_waited_for_until_the_grace_is_over_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig, waits = Rig(SPEC, planned=True), list[timedelta]()

    def hung(wait: timedelta) -> bool:
        waits.append(wait)
        return False

    monkeypatch.setattr(rig.lane("starts"), "idle_within", hung)
    assert not rig.watcher.drain(2 * SECOND, lambda: None)
    assert sum(waits, timedelta()) == 2 * SECOND
    assert rig.news == ["stopping: what is under way has 2s to end; a second signal does not wait"]


def test_whoever_is_told_to_hurry_while_it_drains_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, waits = Rig(SPEC, planned=True), list[timedelta]()

    def hung(wait: timedelta) -> bool:
        waits.append(wait)
        rig.station.hurried = True
        return False

    monkeypatch.setattr(rig.lane("starts"), "idle_within", hung)
    assert not rig.watcher.drain(60 * SECOND, lambda: None)
    assert sum(waits, timedelta()) < SECOND
    assert rig.station.hands.members.members("watcher") == ()


def test_a_watcher_that_is_stopping_starts_nothing_new() -> None:
    rig = Rig(SPEC, planned=True)
    rig.lane("evaluations").held = True
    rig.turns()
    rig.station.stopping = True
    rig.lane("evaluations").go()
    run = rig.run(RunKey(a_slot()))
    assert (run.status, rig.trigger.started) == (RunStatus.TRIGGERING, 0)


def test_a_failed_job_is_told_and_so_is_its_retry() -> None:
    rig = Rig(a_spec(schedules=(DAILY,), trigger=TriggerSpec(type="fake")), planned=True)
    rig.turns()
    key = RunKey(a_slot())
    rig.trigger.end(first_start(key), JobState.FAILED)
    rig.play(HOUR)
    assert any(line.startswith("retrying") for line in rig.news)
    assert EventKind.RETRY_SCHEDULED in rig.kinds()
