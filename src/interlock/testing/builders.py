"""Core values with a sensible default for everything that does not matter to a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from interlock.app.channels import Alerting, Channel
from interlock.app.hands import Catalog, Hands, in_order
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, RunKey, ScheduleName, Slot, TraitName
from interlock.core.lifecycle import opened
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.runs import Run
from interlock.core.traits import FailureCategory, Origin, TraitResult, TraitSpec, TraitStatus
from interlock.ports.clock import Clock
from interlock.ports.evaluators import Evaluator
from interlock.ports.sinks import Sink
from interlock.ports.triggers import Trigger
from interlock.stores.agendas import AgendaRows
from interlock.stores.controls import ControlRows
from interlock.stores.dispatches import DispatchRows
from interlock.stores.members import MemberRows
from interlock.stores.repository import Repository
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger

NOON: Final = datetime(2026, 3, 7, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
DIGEST: Final = "d" * 32


def a_trait(name: str = "freshness", *, ttl: timedelta = timedelta(), **rest: Any) -> TraitSpec:
    """Make a trait that a script beside the project checks."""
    return TraitSpec(name=TraitName(name), evaluator=(f"./evaluators/{name}",), ttl=ttl, **rest)


def a_spec(*traits: TraitSpec | str, name: str = "example", **rest: Any) -> PipelineSpec:
    """Make a pipeline with a trigger; of one trait unless others are given."""
    chosen = tuple(a_trait(trait) if isinstance(trait, str) else trait for trait in traits or ("freshness",))
    rest.setdefault("trigger", TriggerSpec(type="fake"))
    return PipelineSpec(name=PipelineName(name), archetype="batch", traits=chosen, **rest)


def a_slot(period: str = "2026-03-07", *, pipeline: str = "example", schedule: str = DEFAULT_SCHEDULE) -> Slot:
    """Make a slot of a day."""
    return Slot(PipelineName(pipeline), ScheduleName(schedule), Period.parse(period))


def a_key(period: str = "2026-03-07", *, number: int = 1, pipeline: str = "example") -> RunKey:
    """Make the key of a slot's run."""
    return RunKey(a_slot(period, pipeline=pipeline), number)


def a_run(spec: PipelineSpec | None = None, *, at: datetime = NOON, **fields: Any) -> Run:
    """Make a run as it is when it has just been opened, with some fields as given."""
    run = opened(a_key(), spec or a_spec(), DIGEST, at).run
    return replace(run, **fields) if fields else run


def a_result(
    trait: str = "freshness",
    status: TraitStatus = TraitStatus.PASS,
    *,
    at: datetime = NOON,
    ttl: timedelta | None = None,
    **rest: Any,
) -> TraitResult:
    """Make an answer, asked and given at one instant."""
    return TraitResult(
        trait=TraitName(trait),
        status=status,
        observed_at=at,
        answered_at=at,
        expires_at=None if ttl is None else at + ttl,
        **rest,
    )


def no_answer(trait: str = "freshness", *, at: datetime = NOON) -> TraitResult:
    """Make what the runner says when an evaluator gave no answer."""
    category = FailureCategory.TIMEOUT
    return a_result(trait, TraitStatus.FAIL, at=at, reason="timed out", category=category, origin=Origin.RUNNER)


class Files:
    """Pipelines as files would say they are: a catalog for tests. `downstream` is by the name of the upstream."""

    def __init__(self, *specs: PipelineSpec, downstream: Mapping[str, Sequence[str]] = {}) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.downstream = {
            name: tuple(PipelineName(each) for each in sorted(those)) for name, those in downstream.items()
        }

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        """Return a pipeline's spec."""
        return self.specs.get(pipeline)

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        """Return who waits for a pipeline."""
        return self.downstream.get(pipeline, ())


def a_hand(
    store: Repository,
    *,
    clock: Clock | None = None,
    evaluator: Evaluator | None = None,
    trigger: Trigger | None = None,
    sinks: Sequence[Sink] = (),
    catalog: Catalog | None = None,
) -> Hands:
    """Make the hands of one driver, with fakes for whatever is not given; everything is kept in the store's kernel."""
    chosen = trigger or FakeTrigger()
    kernel = store.kernel
    return Hands(
        clock=clock or FakeClock(NOON),
        store=store,
        dispatches=DispatchRows(kernel),
        agendas=AgendaRows(kernel),
        controls=ControlRows(kernel),
        members=MemberRows(kernel),
        catalog=catalog or Files(),
        evaluator=evaluator or FakeEvaluator(),
        trigger_for=lambda _spec, _job: chosen,
        together=in_order,
        alerting=Alerting(channels=tuple(Channel(f"sink-{place}", sink) for place, sink in enumerate(sinks, start=1))),
    )
