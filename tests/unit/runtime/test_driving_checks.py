"""Following a run whose job says that its work is done, while that is being checked and nobody else looks after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.runtime.test_driver import FIRST, KEY, JumpingPacer, Scene

from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.app.resting import Rest, rest_of
from interlock.core.alerts import AlertType
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Answer
from interlock.runtime.driver import Driver, Stop
from interlock.testing.builders import NOON, a_slot, a_spec, a_trait
from interlock.testing.fakes import FakeTrigger

NO_ANSWER = Answer(status=TraitStatus.ERROR, reason="the warehouse is closed")


def _spec(*, budget: int = 3) -> PipelineSpec:
    trigger = TriggerSpec(type="fake", poll_interval=timedelta(seconds=30), poll_budget=budget)
    return a_spec(verify=(a_trait("rows"),), trigger=trigger)


def _scene(*answers: Answer | TraitStatus, trigger: FakeTrigger | None = None, budget: int = 3) -> Scene:
    scene = Scene(_spec(budget=budget), trigger=trigger)
    scene.evaluator.script("rows", *answers)
    return scene


def test_a_check_that_could_not_tell_is_asked_again_with_nobody_else_there() -> None:
    scene = _scene(NO_ANSWER, NO_ANSWER, TraitStatus.PASS)
    driven = scene.drive((3, lambda: scene.trigger.end(FIRST)))
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)
    assert scene.evaluator.asked("rows") == 3


def test_a_check_whose_answer_never_comes_does_not_hold_the_driver_for_ever() -> None:
    scene = _scene(TraitStatus.PASS)
    open_run(a_slot(), scene.spec, scene.store, NOON)
    pacer = JumpingPacer(scene.clock, (3, lambda: scene.trigger.end(FIRST)))
    driver = Driver(scene.hands, pacer)

    def lost(_question: object) -> None:
        for wish in scene.store.outstanding(KEY):
            scene.store.settle(KEY, wish.id)
        scene.evaluator.before = lambda _question: None
        raise KeyboardInterrupt

    def only_of_rows(question: object) -> None:
        if "rows" in repr(question):
            lost(question)

    scene.evaluator.before = only_of_rows
    with pytest.raises(KeyboardInterrupt):
        driver.drive(KEY)
    assert scene.run().asked == ("rows",)
    driven = driver.drive(KEY)
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)


def test_a_job_that_reports_its_own_end_is_followed_while_its_work_is_checked() -> None:
    scene = _scene(NO_ANSWER, TraitStatus.PASS, trigger=FakeTrigger(watchable=False))
    assert scene.drive().why is Stop.DETACHED
    complete(KEY, Report(succeeded=True), scene.store, scene.clock.now())
    driven = Driver(scene.hands, JumpingPacer(scene.clock)).drive(KEY)
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)


def test_whoever_waits_is_let_go_once_people_were_told_that_nothing_can_be_verified() -> None:
    scene = _scene(NO_ANSWER)
    driven = scene.drive((3, lambda: scene.trigger.end(FIRST)))
    assert (driven.why, driven.run.status) == (Stop.UNVERIFIED, RunStatus.RUNNING)
    assert [alert.alert_type for alert in scene.sink.alerts] == [AlertType.VERIFICATION_TROUBLE]
    assert rest_of(driven.run, scene.clock.now()) is Rest.UNVERIFIED


def test_whoever_comes_back_has_it_asked_again() -> None:
    scene = _scene(NO_ANSWER)
    scene.drive((3, lambda: scene.trigger.end(FIRST)))
    asked = scene.evaluator.asked("rows")
    scene.evaluator.script("rows", TraitStatus.PASS)
    driver = Driver(scene.hands, JumpingPacer(scene.clock))
    assert not driver.catch_up(KEY)
    assert scene.evaluator.asked("rows") == asked
    scene.clock.set(scene.run().wake_at or NOON)
    assert driver.catch_up(KEY)
    assert driver.drive(KEY).run.status is RunStatus.COMPLETED


def test_a_failed_check_is_told_to_people_by_whoever_catches_up() -> None:
    no = Answer(status=TraitStatus.FAIL, reason="0 rows", category=FailureCategory.PERMANENT)
    scene = _scene(no, trigger=FakeTrigger(watchable=False))
    scene.drive()
    complete(KEY, Report(succeeded=True), scene.store, scene.clock.now())
    Driver(scene.hands, JumpingPacer(scene.clock)).catch_up(KEY)
    assert scene.run().status is RunStatus.FAILED
    assert [alert.alert_type for alert in scene.sink.alerts] == [AlertType.RUN_FAILED]
    assert scene.store.outstanding(KEY) == ()
