"""Following one run from where it is to where nothing more can be done for it now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Barrier

from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.arrivals import open_rerun, open_run
from interlock.app.callbacks import Report, complete
from interlock.app.channels import Alerting, Channel
from interlock.app.hands import Hands
from interlock.core.alerts import AlertType, LifecycleEvent, Notice, NoticeKind
from interlock.core.events import Held
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import Cause, Run, RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import SecretError
from interlock.ports.sinks import Sink
from interlock.ports.stores import DueKind
from interlock.ports.triggers import Job, JobHandle, JobReport, JobState, Trigger
from interlock.runtime.driver import Driven, Driver, Stop
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, a_hand, a_key, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink, Start

KEY = a_key()
FIRST = f"{KEY.run_id}/1"


class JumpingPacer:
    """Waits by moving the clock, and lets something happen in the world meanwhile."""

    def __init__(self, clock: FakeClock, *happenings: tuple[int, object]) -> None:
        self.clock = clock
        self.waits = 0
        self.happenings = dict(happenings)

    def until(self, when: datetime) -> None:
        self.waits += 1
        assert self.waits < 10_000, "the driver waits for ever"
        happening = self.happenings.get(self.waits)
        if callable(happening):
            happening()
        if when > self.clock.now():
            self.clock.set(when)


class Scene:
    """A driver with everything it needs, all of it fake but the store and the rules."""

    def __init__(self, spec: PipelineSpec | None = None, *, trigger: FakeTrigger | None = None) -> None:
        self.spec = spec or a_spec()
        self.clock = FakeClock(NOON)
        self.store = Repository(MemoryKernel())
        self.evaluator = FakeEvaluator()
        self.trigger = trigger or FakeTrigger()
        self.sink = RecordingSink()
        self.hands: Hands = a_hand(
            self.store, clock=self.clock, evaluator=self.evaluator, trigger=self.trigger, sinks=(self.sink,)
        )
        self.changes: list[RunStatus] = []

    def drive(self, *happenings: tuple[int, object], wait: bool = True, until: datetime | None = None) -> Driven:
        open_run(a_slot(), self.spec, self.store, NOON)
        pacer = JumpingPacer(self.clock, *happenings)
        driver = Driver(self.hands, pacer, on_change=lambda run: self.changes.append(run.status))
        return driver.drive(KEY, wait=wait, until=until)

    def run(self) -> Run:
        run = self.store.run(KEY)
        assert run is not None
        return run


def test_a_ready_run_is_started_followed_and_completed() -> None:
    scene = Scene()
    driven = scene.drive((3, lambda: scene.trigger.end(FIRST)))
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)
    assert scene.trigger.calls == [FIRST]
    assert scene.store.outstanding(KEY) == ()


def test_every_change_of_status_is_reported_as_it_happens() -> None:
    scene = Scene()
    scene.drive((1, lambda: scene.trigger.end(FIRST)))
    assert scene.changes == [RunStatus.TRIGGERING, RunStatus.RUNNING, RunStatus.COMPLETED]


def test_a_run_that_is_not_ready_is_let_go_and_nothing_is_started() -> None:
    scene = Scene()
    scene.evaluator.script("freshness", TraitStatus.FAIL)
    driven = scene.drive()
    assert (driven.why, driven.run.status) == (Stop.NOT_READY, RunStatus.PENDING)
    assert scene.trigger.calls == []


def test_a_retry_is_waited_for_and_started_no_earlier_than_its_backoff() -> None:
    scene = Scene(a_spec(retry=RetrySpec(backoff=timedelta(minutes=5))), trigger=FakeTrigger(Start.REFUSED))
    second = f"{KEY.run_id}/2"
    driven = scene.drive(*((n, lambda: scene.trigger.end(second)) for n in range(300, 400)))
    assert driven.run.status is RunStatus.COMPLETED
    assert scene.trigger.calls == [FIRST, second]
    assert driven.run.attempts[1].began_at >= NOON + timedelta(minutes=5)


def test_a_failed_run_is_told_to_people_before_the_driver_lets_go() -> None:
    trigger = FakeTrigger(Start.REFUSED)
    trigger.category = FailureCategory.PERMANENT
    scene = Scene(trigger=trigger)
    driven = scene.drive()
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.FAILED)
    assert [alert.alert_type for alert in scene.sink.alerts] == [AlertType.RUN_FAILED]
    assert scene.store.outstanding(KEY) == ()


def test_a_start_whose_answer_is_lost_is_found_and_never_repeated() -> None:
    scene = Scene(trigger=FakeTrigger(Start.ANSWER_LOST))
    driven = scene.drive(*((n, lambda: scene.trigger.end(FIRST)) for n in range(1, 100)))
    assert driven.run.status is RunStatus.COMPLETED
    assert scene.trigger.calls == [FIRST]


def test_a_start_that_nobody_can_look_up_is_left_in_doubt_and_told() -> None:
    scene = Scene(trigger=FakeTrigger(Start.ANSWER_LOST, remembers=False))
    driven = scene.drive()
    assert (driven.why, driven.run.status) == (Stop.DOUBT, RunStatus.TRIGGERING)
    assert [alert.alert_type for alert in scene.sink.alerts] == [AlertType.START_UNKNOWN]
    assert scene.trigger.started == 1


def test_a_job_that_vanishes_is_left_in_doubt_and_not_started_again() -> None:
    scene = Scene()
    driven = scene.drive((2, lambda: scene.trigger.end(FIRST, JobState.VANISHED)))
    assert (driven.why, driven.run.status) == (Stop.DOUBT, RunStatus.RUNNING)
    assert [alert.alert_type for alert in scene.sink.alerts] == [AlertType.JOB_LOST]
    assert scene.trigger.started == 1


def test_without_waiting_the_driver_lets_go_once_the_job_is_accepted() -> None:
    scene = Scene()
    driven = scene.drive(wait=False)
    assert (driven.why, driven.run.status) == (Stop.DETACHED, RunStatus.RUNNING)


def test_a_job_that_reports_its_own_end_is_not_waited_for() -> None:
    scene = Scene(trigger=FakeTrigger(watchable=False))
    assert scene.drive().why is Stop.DETACHED


def test_the_time_to_wait_is_kept_and_the_job_goes_on() -> None:
    scene = Scene()
    driven = scene.drive(until=NOON + MINUTE)
    assert (driven.why, driven.run.status) == (Stop.TIMED_OUT, RunStatus.RUNNING)
    assert scene.clock.now() <= NOON + MINUTE + timedelta(seconds=1)


def test_looking_at_a_running_job_writes_nothing() -> None:
    scene = Scene()
    before: list[int] = []
    scene.drive((5, lambda: before.append(scene.run().version)), (500, lambda: scene.trigger.end(FIRST)))
    assert scene.run().version == before[0] + 1, "one change, the end, whatever the number of looks"


def test_a_callback_that_arrives_meanwhile_ends_the_waiting() -> None:
    scene = Scene()

    def call_back() -> None:
        complete(KEY, Report(succeeded=True, attempt=1), scene.store, scene.clock.now())

    driven = scene.drive((4, call_back))
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)


def test_a_job_out_of_sight_for_its_whole_budget_is_told_once_and_still_looked_for() -> None:
    scene = Scene(a_spec(trigger=TriggerSpec(type="fake", poll_interval=timedelta(seconds=5), poll_budget=3)))

    def hide() -> None:
        scene.trigger.poll_trouble = OSError("no route to host")

    def show() -> None:
        scene.trigger.poll_trouble = None
        scene.trigger.end(FIRST)

    driven = scene.drive((2, hide), (400, show))
    assert driven.run.status is RunStatus.COMPLETED
    told = [(each.alert.alert_type, each.kind) for each in scene.sink.delivered]
    assert told == [(AlertType.JOB_LOST, NoticeKind.OPENED), (AlertType.JOB_LOST, NoticeKind.RESOLVED)]


def test_whoever_was_told_is_told_the_end_before_the_driver_lets_go_of_what_mended_it() -> None:
    """A rerun by hand, where no watcher is at work: the end would otherwise never be told."""
    scene = Scene(trigger=FakeTrigger(Start.REFUSED))
    scene.trigger.category = FailureCategory.PERMANENT
    scene.drive()
    again = open_rerun(a_slot(), scene.spec, scene.store, NOON, cause=Cause.RERUN, note="ann: mended").run
    pacer = JumpingPacer(scene.clock, (1, lambda: scene.trigger.end(f"{again.key.run_id}/1")))
    assert Driver(scene.hands, pacer).drive(again.key).run.status is RunStatus.COMPLETED
    assert [(each.kind, each.resolution) for each in scene.sink.delivered] == [
        (NoticeKind.OPENED, ""),
        (NoticeKind.RESOLVED, f"{again.key} completed"),
    ]
    assert _due_dispatches(scene) == 0


def test_a_sink_that_hangs_keeps_no_other_waiting_and_the_driver_only_once() -> None:
    """Three that hang, one after another, would take the time of three."""
    meeting = Barrier(3, timeout=20)

    class Slow:
        def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
            meeting.wait()

        def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
            meeting.wait()

    scene = Scene(trigger=FakeTrigger(Start.REFUSED))
    scene.trigger.category = FailureCategory.PERMANENT
    channels = (Channel("one", Slow()), Channel("two", Slow()))
    scene.hands = scene.hands._replace(alerting=Alerting(channels=channels, subscribers=(("three", Slow()),)))
    scene.drive()
    assert not meeting.broken
    assert _due_dispatches(scene) == 0


def test_somebody_may_be_told_that_people_are_being_told_and_only_then() -> None:
    said: list[str] = []

    @contextmanager
    def telling() -> Iterator[None]:
        said.append(f"{len(scene.sink.delivered)} before")
        yield
        said.append(f"{len(scene.sink.delivered)} after")

    scene = Scene(trigger=FakeTrigger(Start.REFUSED))
    scene.trigger.category = FailureCategory.PERMANENT
    open_run(a_slot(), scene.spec, scene.store, NOON)
    Driver(scene.hands, JumpingPacer(scene.clock), telling=telling).drive(KEY)
    assert said == ["0 before", "1 after"]


def test_an_alert_that_nobody_took_stays_due() -> None:
    """T-44."""
    scene = Scene(trigger=FakeTrigger(Start.ANSWER_LOST, remembers=False))
    hands = _telling(scene, _NobodyThere())
    open_run(a_slot(), scene.spec, scene.store, NOON)
    Driver(hands, JumpingPacer(scene.clock)).drive(KEY)
    assert _due_dispatches(scene) == 1


def test_an_alert_that_one_of_two_sinks_did_not_take_stays_due_and_reaches_the_other_once() -> None:
    """BUG-179."""
    scene = Scene(trigger=FakeTrigger(Start.ANSWER_LOST, remembers=False))
    hands = _telling(scene, _NobodyThere(), scene.sink)
    open_run(a_slot(), scene.spec, scene.store, NOON)
    Driver(hands, JumpingPacer(scene.clock)).drive(KEY)
    assert len(scene.sink.delivered) == 1
    assert _due_dispatches(scene) == 1


def _telling(scene: Scene, *sinks: Sink) -> Hands:
    channels = tuple(Channel(f"sink-{place}", sink) for place, sink in enumerate(sinks))
    return scene.hands._replace(alerting=Alerting(channels=channels))


def _due_dispatches(scene: Scene) -> int:
    later = scene.clock.now() + timedelta(minutes=30)
    return sum(work.kind is DueKind.DISPATCH for work in scene.store.due(later, 100))


class _NobodyThere:
    def deliver(self, alert: object, *, timeout: timedelta) -> None:
        from interlock.errors import SinkError

        raise SinkError("nobody there")


def test_a_run_that_is_ready_and_held_is_let_go_until_its_hold_is_over() -> None:
    """Whoever follows it would else wait for somebody who is on holiday."""
    scene = Scene()
    open_run(a_slot(), scene.spec, scene.store, NOON)
    advance(KEY, Held(at=NOON, until=NOON + MINUTE, actor="ann", reason="moving"), scene.store)
    assert scene.drive().why is Stop.HELD
    assert scene.trigger.calls == []
    scene.clock.set(NOON + MINUTE)
    driven = scene.drive(*((n, lambda: scene.trigger.end(FIRST)) for n in range(1, 100)))
    assert driven.run.status is RunStatus.COMPLETED


def test_a_job_is_followed_although_its_trigger_cannot_be_made_for_a_while() -> None:
    scene = Scene()
    gone: list[bool] = []

    def made(spec: TriggerSpec, job: Job) -> Trigger:
        if gone and gone[-1]:
            raise SecretError("the secret 'token' cannot be had", retryable=True)
        return scene.trigger

    def back() -> None:
        gone.append(False)
        scene.trigger.end(FIRST)

    scene.hands = scene.hands._replace(trigger_for=made)
    driven = scene.drive((2, lambda: gone.append(True)), (4, back))
    assert (driven.why, driven.run.status) == (Stop.ENDED, RunStatus.COMPLETED)


class LeftAlone(FakeTrigger):
    """Wants to be looked at rarely, and says of each look when it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.soonest_look = timedelta(seconds=2)
        self.clock = FakeClock(NOON)
        self.looked: list[datetime] = []

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        self.looked.append(self.clock.now())
        return super().poll(job, handle, timeout=timeout)


def looks_at(spec: PipelineSpec) -> list[timedelta]:
    """Return the pauses between the start of a job that wants to be left alone, and the looks at it."""
    trigger = LeftAlone()
    scene = Scene(spec, trigger=trigger)
    trigger.clock = scene.clock
    scene.drive((12, lambda: trigger.end(FIRST)))
    return [after - before for before, after in pairwise([NOON, *trigger.looked])]


def test_a_job_of_another_system_is_looked_at_no_sooner_than_its_trigger_wants() -> None:
    pauses = looks_at(a_spec())
    assert pauses[0] == timedelta(seconds=2)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(seconds=10)  # somebody waits for it


def test_who_asks_for_a_quick_rhythm_gets_it() -> None:
    quick = replace(a_spec(), trigger=TriggerSpec(type="fake", poll_interval=timedelta(seconds=1)))
    assert set(looks_at(quick)) == {timedelta(seconds=1)}
