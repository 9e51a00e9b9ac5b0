"""Metrics in the format of Prometheus. The one module that imports prometheus_client."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from interlock.core.ids import Slot
from interlock.ports.telemetry import Step, StepKind, Telemetry
from interlock.telemetry.counts import Counts
from interlock.telemetry.families import FAMILIES
from interlock.telemetry.vitals import Vitals
from interlock.version import __version__

ERROR: Final = "error"
"""How a step ended of which nobody said how."""

_DURATIONS: Final = {
    StepKind.DECISION: "interlock_decision_seconds",
    StepKind.TRAIT: "interlock_evaluator_seconds",
    StepKind.TRIGGER: "interlock_trigger_seconds",
    StepKind.ALERT: "interlock_delivery_seconds",
    StepKind.EVENT: "interlock_delivery_seconds",
}


class Metrics:
    """All metrics of one process at work, in a registry of their own. `elapsed` tells seconds from any beginning."""

    def __init__(
        self, counts: Counts, vitals: Callable[[], Vitals], *, elapsed: Callable[[], float] = perf_counter
    ) -> None:
        self._counts = counts
        self._vitals = vitals
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._under_way: Counter[StepKind] = Counter(dict.fromkeys(StepKind, 0))
        self._registry = CollectorRegistry()
        self._histograms = {
            name: Histogram(name, family.help, family.labels, buckets=family.buckets, registry=self._registry)
            for name, family in FAMILIES.items()
            if family.type == "histogram"
        }
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:  # noqa: ARG002
        """Make a step that is timed; see `Telemetry.step`."""
        return _Timed(self, kind, about)

    def render(self) -> tuple[str, bytes]:
        """Return the content type and the text of everything as it is now. It is made even while the store is gone."""
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(_Shown(self.collect))

    def collect(self) -> Iterator[Metric]:
        """Yield all that is known. When a histogram was made nobody wants to know, so those samples are left out."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
        yield from self._counters()
        yield from _gauges(self._vitals())
        yield _gauge("interlock_under_way", {(str(kind),): number for kind, number in self._under_way.items()})
        yield _gauge("interlock_build_info", {(__version__,): 1})

    def _counters(self) -> Iterator[Metric]:
        for name, values in self._counts.values().items():
            family = FAMILIES[name]
            own = ("pipeline",) if self._counts.per_pipeline and family.per_pipeline else ()
            found = CounterMetricFamily(name.removesuffix("_total"), family.help, labels=(*family.labels, *own))
            for labels, value in sorted(values.items()):
                found.add_metric(labels, value)
            yield found

    # ------------------------------------------------------------------ steps

    def begun(self, kind: StepKind) -> float:
        """Note that a step begins; return the instant."""
        with self._lock:
            self._under_way[kind] += 1
        return self._elapsed()

    def passed(self, since: float, phase: str) -> float:
        """Note a part of a decision; return the instant."""
        now = self._elapsed()
        self._histograms["interlock_decision_phase_seconds"].labels(phase).observe(max(now - since, 0))
        return now

    def ended(self, kind: StepKind, since: float, about: Mapping[str, str], how: Mapping[str, str]) -> None:
        """Note that a step has ended."""
        length = max(self._elapsed() - since, 0)
        with self._lock:
            self._under_way[kind] -= 1
        outcome = how.get("outcome", ERROR)
        match kind:
            case StepKind.DECISION:
                labels: tuple[str, ...] = (about["event"], outcome)
            case StepKind.TRAIT:
                labels = (about["evaluator"], outcome)
            case StepKind.TRIGGER:
                labels = (about["type"], about["action"], outcome)
            case _:
                labels = (about["sink"], outcome)
        self._histograms[_DURATIONS[kind]].labels(*labels).observe(length)


class _Timed:
    """A step that is timed."""

    traceparent: Final = ""

    def __init__(self, metrics: Metrics, kind: StepKind, about: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._kind = kind
        self._about = about
        self._how: dict[str, str] = {}
        self._began = self._last = 0.0

    def phase(self, name: str) -> None:
        """Note how long it took."""
        self._last = self._metrics.passed(self._last, name)

    def told(self, **how: str) -> None:
        """Remember it."""
        self._how.update(how)

    def __enter__(self) -> Self:
        self._began = self._last = self._metrics.begun(self._kind)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.ended(self._kind, self._began, self._about, self._how)


class _Shown:
    """What the writer of the text format wants of a registry."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


def _gauges(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge("interlock_store_up", {(): int(vitals.store_up)})
    yield _gauge("interlock_store_ping_seconds", {(): vitals.store_ping})
    yield _gauge("interlock_due_lag_seconds", {} if vitals.due_lag is None else {(): vitals.due_lag})
    yield _gauge("interlock_outbox_age_seconds", _by_one(vitals.outbox_ages))
    yield _gauge("interlock_active_runs", {} if vitals.active_runs is None else {(): vitals.active_runs})
    yield _gauge("interlock_open_alerts", _by_one(vitals.open_alerts))
    yield _gauge("interlock_members", _by_one(vitals.members))
    yield _gauge("interlock_progress_age_seconds", _by_one(vitals.progress_ages))
    yield _gauge("interlock_archive_age_seconds", {} if vitals.archive_age is None else {(): vitals.archive_age})
    yield _gauge("interlock_lane_queued", _by_one({lane: load.queued for lane, load in vitals.lanes.items()}))
    yield _gauge("interlock_lane_running", _by_one({lane: load.running for lane, load in vitals.lanes.items()}))


def _by_one(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(label,): value for label, value in values.items()}


def _gauge(name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    family = FAMILIES[name]
    found = GaugeMetricFamily(name, family.help, labels=family.labels)
    for labels, value in values.items():
        found.add_metric(labels, value)
    return found


if TYPE_CHECKING:

    def _are_ports(one: Metrics, two: _Timed) -> tuple[Telemetry, Step]:
        return one, two
