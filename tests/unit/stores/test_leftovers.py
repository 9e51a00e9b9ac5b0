"""What is over and belongs to no slot goes too; what may be asked for, or is not told to everybody, stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.delivering import deliver
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.dispatching import alert_dispatch
from interlock.core.documents import EMPTY
from interlock.core.events import CancelAsked
from interlock.core.ids import PipelineName, Slot, TraitName
from interlock.core.periods import Period
from interlock.core.readiness import assess
from interlock.core.traits import TraitStatus
from interlock.ports.pushes import PushedResult
from interlock.ports.sensors import Delivery, PutData, SensorId
from interlock.ports.stores import Evaluation
from interlock.stores import keys
from interlock.stores.controls import ControlRows
from interlock.stores.kernel import Kernel, Page, Put, Record
from interlock.stores.leftovers import forget_alerts, forget_evaluations, forget_lines, forget_told
from interlock.stores.marks import MarkingKernel, strike
from interlock.stores.pushes import PushRows
from interlock.stores.repository import Repository
from interlock.stores.retiring import Step, Terms, retire
from interlock.stores.sensors import SensorRows
from interlock.testing.builders import DIGEST, MINUTE, NOON, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink

SPEC = a_spec()
NAME = PipelineName("example")
DAY = timedelta(days=1)
LATER = NOON + 10 * DAY
OVER = Terms(LATER - DAY)
MARKED = OVER._replace(marked=True)
LINE = EventRecord(kind=EventKind.READINESS_CHECKED, at=NOON)


def _timeline(kernel: Kernel) -> list[str]:
    return [str(line.record.kind) for line in Repository(kernel).timeline(NAME, limit=99)]


def _lines(kernel: Kernel, terms: Terms = OVER) -> int:
    return forget_lines(kernel, NAME, terms, limit=99, after=None).removed


def _evaluated(kernel: Kernel, period: str, day: int) -> None:
    at = NOON + day * DAY
    judged = assess(SPEC.traits, SPEC.rule, (), at)
    made = Evaluation(slot=a_slot(period), spec_digest=DIGEST, started_at=at, ended_at=at, results=(), readiness=judged)
    Repository(kernel).record_evaluation(made, (LINE,))


def test_lines_about_no_run_go_when_they_are_old(kernel: Kernel) -> None:
    """T-56."""
    _evaluated(kernel, "2026-03-01", 0)
    _evaluated(kernel, "2026-03-02", 10)
    assert len(_timeline(kernel)) == 2
    assert _lines(kernel) == 1
    assert len(_timeline(kernel)) == 1


def test_lines_of_slots_that_are_kept_stay_and_those_of_slots_that_are_gone_go(kernel: Kernel) -> None:
    store = Repository(kernel)
    open_run(a_slot(), SPEC, store, NOON)
    store.note(a_slot(), NOON, "kept", (LINE,))
    store.note(a_slot("2026-03-01"), NOON, "gone", (LINE,))
    before = _timeline(kernel)
    assert _lines(kernel) == 1
    assert len(_timeline(kernel)) == len(before) - 1


def test_a_line_that_is_not_archived_stays(kernel: Kernel) -> None:
    """T-52."""
    _evaluated(MarkingKernel(kernel, lambda: NOON), "2026-03-01", 0)
    assert _lines(kernel, MARKED) == 0
    pk = keys.pipeline_pk(NAME)
    strike(kernel, pk, [row.sk for row in kernel.rows(pk, keys.MARK_PREFIX, Page())])
    assert _lines(kernel, MARKED) == 1


def test_old_evaluations_go_except_for_the_latest(kernel: Kernel) -> None:
    """T-62: and how the pipeline stands is said by what is left."""
    for day in range(3):
        _evaluated(kernel, f"2026-03-0{day + 1}", day)
    step = forget_evaluations(kernel, NAME, OVER, limit=99, after=None)
    assert step == Step(2)
    latest = Repository(kernel).latest_evaluation(NAME)
    assert latest is not None
    assert latest.slot == a_slot("2026-03-03")
    _evaluated(kernel, "2026-03-01", 9)
    assert Repository(kernel).evaluation(a_slot("2026-03-01")) is not None


def test_evaluations_go_page_by_page(kernel: Kernel) -> None:
    for day in range(5):
        _evaluated(kernel, f"2026-03-0{day + 1}", day)
    removed, after = 0, None
    for _ in range(9):
        step = forget_evaluations(kernel, NAME, OVER, limit=2, after=after)
        removed, after = removed + step.removed, step.after
        if after is None:
            break
    assert removed == 4


def _told(kernel: Kernel) -> set[str]:
    pk = keys.pipeline_pk(NAME)
    return {row.sk for prefix in (keys.PUSH_PREFIX, keys.SENSOR_PREFIX) for row in kernel.rows(pk, prefix, Page())}


def _tell(kernel: Kernel) -> None:
    pushes, sensors = PushRows(kernel), SensorRows(kernel)
    for period in ("2026-03-07", "2026-03-17", None):
        known = None if period is None else Period.parse(period)
        push = PushedResult(trait=TraitName("fresh"), status=TraitStatus.PASS, pushed_at=NOON, period=known)
        pushes.put_push(NAME, push)
        sensors.write(SensorId(NAME, "rows", known), PutData(EMPTY), Delivery(at=NOON))


@pytest.mark.parametrize("limit", [1, 2, 99])
def test_what_was_told_of_a_period_goes_when_the_period_is_over(kernel: Kernel, limit: int) -> None:
    """T-28, T-56: and what was told of none, or of one to come, stays however long ago it was told."""
    _tell(kernel)
    needed = False
    after = None
    for _ in range(20):
        after = forget_told(kernel, NAME, OVER, lambda _period: needed, limit=limit, after=after).after
        if after is None:
            break
    assert after is None
    assert _told(kernel) == {
        "PUSH#fresh#*#*",
        "PUSH#fresh#*#2026-03-17",
        "SENSOR#rows#*",
        "SENSOR#rows#2026-03-17",
    }


def test_what_was_told_of_a_period_stays_while_somebody_may_ask_about_it(kernel: Kernel) -> None:
    _tell(kernel)
    before = _told(kernel)
    assert forget_told(kernel, NAME, OVER, lambda _period: True, limit=99, after=None).removed == 0
    assert _told(kernel) == before


def test_what_was_told_lately_stays(kernel: Kernel) -> None:
    sensors = SensorRows(kernel)
    which = SensorId(NAME, "rows", Period.parse("2026-03-01"))
    sensors.write(which, PutData(EMPTY), Delivery(at=LATER))
    assert forget_told(kernel, NAME, OVER, lambda _period: False, limit=99, after=None).removed == 0
    assert sensors.sensor(which) is not None


def _alert(slot: Slot | None) -> Alert:
    name = "X" if slot is None else str(slot)
    return Alert(
        alert_id=f"{AlertType.STUCK_RUN}/{name}",
        alert_type=AlertType.STUCK_RUN,
        level=AlertLevel.ERROR,
        at=NOON,
        message="it failed",
        slot=slot,
    )


def _mended(kernel: Kernel, slot: Slot | None, *, delivered: bool = True) -> str:
    clock = FakeClock(NOON)
    hands = a_hand(Repository(kernel), clock=clock, sinks=(RecordingSink(),))
    alert = _alert(slot)
    raise_alert(alert, hands)
    deliver(alert_dispatch(alert.alert_id), hands)
    clock.advance(MINUTE)
    resolve_alert(alert.alert_id, "mended", clock.now(), hands)
    if delivered:
        deliver(alert_dispatch(alert.alert_id), hands)
    return keys.dispatch_pk(alert_dispatch(alert.alert_id))


def _alerts(kernel: Kernel, terms: Terms = OVER) -> int:
    return forget_alerts(kernel, terms, limit=99, after=None).removed


def test_an_alert_goes_with_its_slot_when_everybody_heard_of_its_end(kernel: Kernel) -> None:
    """T-56."""
    pk = _mended(kernel, a_slot())
    assert _alerts(kernel) == 1
    assert kernel.rows(pk, "", Page()) == []
    assert kernel.listing(keys.ALERTS_KIND, Page()) == []


@pytest.mark.parametrize("why", ["open", "untold", "young", "nowhere", "kept"])
def test_an_alert_stays_while_anything_about_it_is_not_over(kernel: Kernel, why: str) -> None:
    terms = OVER
    if why == "open":
        raise_alert(_alert(a_slot()), a_hand(Repository(kernel)))
    else:
        _mended(kernel, None if why == "nowhere" else a_slot(), delivered=why != "untold")
    if why == "kept":
        open_run(a_slot(), SPEC, Repository(kernel), NOON)
    if why == "young":
        terms = Terms(NOON + MINUTE / 2)
    assert _alerts(kernel, terms) == 0
    assert len(kernel.listing(keys.ALERTS_KIND, Page())) == 1


def test_an_alert_that_is_not_archived_stays(kernel: Kernel) -> None:
    """T-52."""
    _mended(MarkingKernel(kernel, lambda: NOON), a_slot())
    assert _alerts(kernel, MARKED) == 0
    assert _alerts(kernel) == 1


def test_the_lines_of_an_alert_that_is_gone_do_not_stay_behind(kernel: Kernel) -> None:
    store = Repository(kernel)
    run = open_run(a_slot(), SPEC, store, NOON).run
    advance(run.key, CancelAsked(at=NOON, actor="ann", reason="x"), store)
    for wish in store.outstanding(run.key):
        store.settle(run.key, wish.id)
    _mended(kernel, a_slot())
    assert retire(kernel, a_slot(), OVER) is not None
    assert _lines(kernel) == 0
    assert _alerts(kernel) == 1
    assert _timeline(kernel) == []


def test_the_lines_of_silences_go_when_they_are_old(kernel: Kernel) -> None:
    pk = keys.SILENCES_PK
    line = Record(
        pk=pk,
        sk=keys.note_sk(NOON, "x"),
        version=1,
        body={"records": []},
        kind=keys.timeline_kind(NAME),
        rank=keys.moment(NOON),
    )
    kernel.commit(pk, [Put(line)])
    assert ControlRows(kernel).silences(NOON) == ()
    assert _lines(kernel) == 1
    assert kernel.get(pk, line.sk) is None
