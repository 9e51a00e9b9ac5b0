"""In shadow everything is decided and recorded, and nothing leaves."""

from __future__ import annotations

import pytest
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.perform import perform
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent
from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
)
from interlock.core.events import JobVanished, TriggerAccepted
from interlock.core.ids import CommandId
from interlock.core.pipelines import Mode
from interlock.core.runs import Cause, RunStatus
from interlock.core.traits import TraitStatus
from interlock.testing.builders import NOON, a_slot, a_spec, a_trait

KEY = Bench().key
ID = CommandId(f"{KEY.run_id}/99/0")
ALERT = Alert(alert_id="a/b", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="told")
END = LifecycleEvent(event_type="PIPELINE_COMPLETED", slot=KEY.slot, run_id=KEY.run_id, status="COMPLETED", at=NOON)


def _shadow() -> Bench:
    return Bench(a_spec(mode=Mode.SHADOW), others=(a_spec(name="gold"),), downstream={"example": ("gold",)})


def test_a_shadow_run_goes_through_its_whole_life_and_starts_nothing() -> None:
    """BUG-119, BUG-120."""
    bench = _shadow()
    assert bench.to_the_end().status is RunStatus.COMPLETED
    assert bench.trigger.jobs == {}
    assert bench.store.latest_run(a_slot(pipeline="gold")) is None
    kinds = bench.told()
    for kind in ("WOULD_START", "WOULD_NOTIFY_DOWNSTREAM", "WOULD_PUBLISH"):
        assert kinds.count(kind) == 1


def test_a_job_that_nobody_started_left_nothing_behind_to_be_checked() -> None:
    """What its checks would find now is the work of somebody else, or none: it would say no for no fault of the pipeline."""
    bench = Bench(a_spec(mode=Mode.SHADOW, verify=(a_trait("rows"),)))
    bench.evaluator.script("rows", TraitStatus.FAIL)
    assert bench.to_the_end().status is RunStatus.COMPLETED
    assert bench.evaluator.asked("rows") == 0


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        (RaiseAlert(id=ID, alert=ALERT), "WOULD_ALERT"),
        (AskRerun(id=ID, cause=Cause.DRIFT, reason="drift"), "WOULD_RERUN"),
        (CancelJob(id=ID, attempt=1, reason="enough"), "WOULD_CANCEL"),
        (NotifyDownstream(id=ID), "WOULD_NOTIFY_DOWNSTREAM"),
        (PublishEnd(id=ID, event=END), "WOULD_PUBLISH"),
    ],
)
def test_each_effect_is_told_once_instead_of_being_done(wish: Command, kind: str) -> None:
    """BUG-162, BUG-163."""
    bench = _shadow()
    for _ in range(2):
        perform(bench.key, wish, bench.hands)
        bench.later(1)
    assert bench.told().count(kind) == 1
    assert bench.hands.dispatches.alerts(limit=10) == ()
    assert bench.sink.delivered == []


def test_a_job_that_somebody_else_runs_is_looked_at_in_shadow_too() -> None:
    bench = _shadow()
    bench.ready_to_start()
    advance(bench.key, TriggerAccepted(at=NOON, attempt=1, job_id="theirs"), bench.store)
    assert isinstance(perform(bench.key, CheckJob(id=ID, attempt=1, look=0), bench.hands), JobVanished)


def test_what_was_never_told_is_not_resolved() -> None:
    bench = _shadow()
    perform(bench.key, ResolveAlert(id=ID, alert_id="a/b", resolution="fine", at=NOON), bench.hands)
    assert bench.hands.dispatches.alerts(limit=10) == ()
