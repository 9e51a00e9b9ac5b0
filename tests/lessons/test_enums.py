"""Group 7: whatever has a name in a closed list is produced somewhere, handled everywhere, routed, and described."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Final, get_args

import pytest
from tests.lessons.living import DAY, HOUR, Living
from tests.unit.app.bench import Bench
from tests.unit.config.projects import FRESH, small_project

import interlock
from interlock.app.channels import Channel
from interlock.app.hands import Silence
from interlock.app.perform import perform
from interlock.app.routing import targets_of
from interlock.app.shadow import perform_in_shadow
from interlock.config.load import load_project
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent
from interlock.core.chronicle import EventKind
from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    EvaluateTrait,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
)
from interlock.core.events import Event
from interlock.core.expectations import ExpectationState
from interlock.core.pipelines import ExclusionSpec, MissedPolicy, Mode, ScheduleSpec, WatchSpec
from interlock.core.runs import TERMINAL, TRANSITIONS, Cause, RunStatus, SlaState
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Question
from interlock.ports.triggers import JobState
from interlock.runtime.channels import UNSAID
from interlock.testing.builders import MINUTE, NOON, a_slot, a_spec
from interlock.testing.fakes import RecordingSink

SOURCE: Final = Path(interlock.__file__).parent
DAILY: Final = a_spec(schedules=(ScheduleSpec(after=time(6)),))
_ASKS: Final = ("told", "mended", "kept", "_resolution", "_people_know", "known")
"""Functions that ask about alerts and raise none."""


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "testing" not in path.parts and "scaffold" not in path.parts:
            yield path, ast.parse(path.read_text())


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _members(node: ast.AST, of: str) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == of:
            yield inner.attr


def _made_with() -> set[str]:
    """Return the types of alerts that are handed to something which makes an alert."""
    found: set[str] = set()
    for _, module in _sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and _name_of(node) not in _ASKS:
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    found |= set(_members(value, "AlertType")) if not isinstance(value, ast.Call) else set()
            elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "kind" for t in node.targets):
                found |= set(_members(node.value, "AlertType"))
    return found


# ---------------------------------------------------------------- alerts


def test_every_type_of_alert_is_raised_somewhere() -> None:
    """BUG-03, BUG-111."""
    made = _made_with()
    assert [kind for kind in AlertType if kind.name not in made] == []


def test_an_alert_without_a_type_cannot_be_made() -> None:
    """BUG-03."""
    with pytest.raises(TypeError, match="alert_type"):
        Alert(alert_id="x", level=AlertLevel.ERROR, at=NOON, message="x")  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize("level", [AlertLevel.ERROR, AlertLevel.WARNING])
@pytest.mark.parametrize("kind", list(AlertType))
def test_every_type_of_alert_reaches_people_where_nobody_said_which_ones_should(
    kind: AlertType, level: AlertLevel
) -> None:
    """BUG-110, BUG-161: the list of routes is not kept by hand."""
    bench = Bench()
    alert = Alert(alert_id=f"{kind}/x", alert_type=kind, level=level, at=NOON, message="x", slot=a_slot())
    (target,) = targets_of(alert, bench.hands.alerting)
    assert target.name == "sink-1"


def test_every_type_of_alert_can_be_routed_by_its_name(tmp_path: Path) -> None:
    """BUG-03, BUG-110."""
    root = small_project(tmp_path)
    file = root / "interlock.yaml"
    rest = file.read_text().split("\nalerts:")[0]
    routes = "\n".join(f"  - {{type: console, match: {{type: {kind}}}}}" for kind in AlertType)
    file.write_text(f"{rest}\nalerts:\n{routes}\n")
    sinks = load_project(root, settings=FRESH).settings.sinks
    assert [sink.types for sink in sinks] == [(kind,) for kind in AlertType]


def test_where_nobody_named_a_sink_people_see_what_needs_them_and_not_every_run() -> None:
    """LAT-38, BUG-148."""
    assert (UNSAID.type, UNSAID.min_level) == ("console", AlertLevel.WARNING)


def _stalled(living: Living) -> None:
    living.watched = False


def _degraded(living: Living) -> None:
    def fail(call: int) -> None:
        if living.kernel.calls[call] == "listing":
            raise ZeroDivisionError("nobody foresaw this")

    living.kernel.before = fail
    living.scan()
    living.kernel.heal()


@pytest.mark.parametrize(
    ("trouble", "kind"), [(_stalled, AlertType.WATCHER_STALLED), (_degraded, AlertType.WATCHDOG_DEGRADED)]
)
def test_what_is_wrong_with_interlock_itself_is_told_like_everything_else(trouble: object, kind: AlertType) -> None:
    """BUG-148, BUG-184: through the same sinks."""
    living = Living(DAILY).plan().on(HOUR)
    assert callable(trouble)
    trouble(living)
    living.on(HOUR)
    assert living.told == [kind]


# ---------------------------------------------------------------- wishes


def _samples(bench: Bench) -> dict[type[Command], Command]:
    start = bench.ready_to_start()
    event = LifecycleEvent(
        event_type="PIPELINE_FAILED", slot=bench.key.slot, run_id=bench.key.run_id, status="FAILED", at=NOON
    )
    alert = Alert(alert_id="test/x", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="x")
    some: list[Command] = [
        EvaluateTrait(round=1, trait=bench.spec.traits[0].name, deadline=NOON + MINUTE),
        start,
        CheckJob(attempt=1, look=0),
        CancelJob(attempt=1, reason="enough"),
        RaiseAlert(alert=alert),
        ResolveAlert(alert_id="test/x", resolution="mended", at=NOON),
        NotifyDownstream(),
        AskRerun(cause=Cause.DRIFT, reason="drift"),
        PublishEnd(event=event),
    ]
    return {type(each): each for each in some}


KINDS: Final = get_args(Command)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", list(Mode))
def test_every_wish_is_carried_out_in_every_mode(kind: type[Command], mode: Mode) -> None:
    """BUG-64."""
    bench = Bench(a_spec(mode=mode))
    answer = perform(bench.key, _samples(bench)[kind], bench.hands)
    assert isinstance(answer, (Silence, *get_args(Event)))


def test_every_wish_is_among_those_tried_here_and_a_stranger_is_not_taken_for_done() -> None:
    """BUG-64."""
    bench = Bench()
    assert set(_samples(bench)) == set(KINDS)
    with pytest.raises(AssertionError):
        perform_in_shadow(bench.key, object(), bench.hands)  # type: ignore[arg-type]  # that is the point


# ---------------------------------------------------------------- events


def _strings() -> set[str]:
    """Return every name of a kind and every text that is written outside the list of kinds itself."""
    found: set[str] = set()
    for _, module in _sources():
        for part in module.body:
            if getattr(part, "name", "") != "EventKind":
                found |= set(_members(part, "EventKind"))
                found |= {n.value for n in ast.walk(part) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return found


def test_every_kind_of_event_is_told_by_somebody() -> None:
    """BUG-77, BUG-111."""
    told = _strings()
    assert [kind for kind in EventKind if kind.name not in told] == []


@pytest.mark.parametrize("end", [JobState.SUCCEEDED, JobState.FAILED])
def test_programs_hear_an_end_under_the_name_that_the_timeline_has(end: JobState) -> None:
    """BUG-77, BUG-161."""
    living = Living(DAILY)
    heard: list[str] = []

    class Programs:
        def publish(self, event: LifecycleEvent, *, timeout: object) -> None:
            heard.append(event.event_type if timeout else "")

    living.hands = living.hands._replace(
        alerting=living.hands.alerting._replace(subscribers=(("programs", Programs()),))
    )
    living.trigger.category = FailureCategory.PERMANENT
    living.ends_with = lambda _key: end
    living.plan().on(HOUR)
    assert len(heard) == 1
    assert heard[0] in living.kinds()
    assert EventKind(heard[0]).value == heard[0]


# ---------------------------------------------------------------- states


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_is_an_end_or_has_a_way_on(status: RunStatus) -> None:
    """BUG-100."""
    assert (status in TERMINAL) == (not TRANSITIONS[status])


def _expected(living: Living) -> set[ExpectationState]:
    return {each.state for each in living.hands.agendas.expectations(limit=99)}


def test_every_end_of_an_expectation_can_be_reached() -> None:
    """BUG-100, BUG-111."""
    late = a_spec(name="late", schedules=(ScheduleSpec(after=time(6), deadline=time(6, 30)),), stuck_after=DAY)
    excluded = a_spec(name="excluded", exclusions=ExclusionSpec(weekdays=tuple(range(7))))
    failing, never, gone = (
        a_spec(name=name, schedules=DAILY.schedules, watch=WatchSpec(interval=HOUR))
        for name in ("failing", "never", "gone")
    )
    skipped = a_spec(name="skipped", schedules=(ScheduleSpec(after=time(6), missed=MissedPolicy.SKIP),))

    def ask(question: Question, _at: object) -> TraitStatus:
        return TraitStatus.FAIL if question.slot.pipeline == "never" else TraitStatus.PASS

    specs = (DAILY, late, excluded, failing, never, gone, skipped)
    living = Living(*specs, at=NOON - DAY / 2, ask=ask, takes=50 * MINUTE)
    living.trigger.category = FailureCategory.PERMANENT
    living.ends_with = lambda key: JobState.FAILED if key.startswith("failing") else JobState.SUCCEEDED
    living.plan().on(30 * HOUR)
    del living.files.specs[gone.name]
    living.watched = False
    living.on(25 * HOUR)
    living.watched = True
    living.restart().on(30 * HOUR)
    assert _expected(living) == set(ExpectationState)


def test_every_verdict_on_a_deadline_is_told_under_a_name_of_its_own() -> None:
    """BUG-77."""
    names = {f"SLA_{state}" for state in SlaState if state is not SlaState.ARMED}
    assert names <= {kind.value for kind in EventKind}


def test_a_channel_that_asks_for_one_type_gets_no_other() -> None:
    """BUG-110."""
    bench = Bench()
    wants = Channel("one", RecordingSink())
    chosen = wants._replace(wants=wants.wants._replace(types=(AlertType.JOB_LOST,)))
    alerting = bench.hands.alerting._replace(channels=(chosen,))
    taken = [
        kind
        for kind in AlertType
        if targets_of(Alert(alert_id="x", alert_type=kind, level=AlertLevel.ERROR, at=NOON, message="x"), alerting)
    ]
    assert taken == [AlertType.JOB_LOST]
