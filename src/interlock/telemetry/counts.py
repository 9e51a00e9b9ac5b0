"""Plain counters of what was done since this process began. They need nothing installed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from interlock.core.chronicle import EventKind
from interlock.core.ids import Slot
from interlock.core.traits import FailureCategory
from interlock.ports.stores import TimelineRecord
from interlock.ports.telemetry import Step, StepKind, Telemetry
from interlock.telemetry.families import FAMILIES

_OF_STATUS: Final = MappingProxyType(
    {
        EventKind.RUN_OPENED: "interlock_run_states_total",
        EventKind.RUN_STATE_CHANGED: "interlock_run_states_total",
        EventKind.READINESS_CHECKED: "interlock_evaluations_total",
    }
)
_OF_KIND: Final = MappingProxyType(
    {
        EventKind.TRIGGER_FIRED: ("interlock_triggers_total", "fired"),
        EventKind.TRIGGER_FAILED: ("interlock_triggers_total", "failed"),
        EventKind.TRIGGER_REFUSED: ("interlock_triggers_total", "refused"),
        EventKind.TRIGGER_IN_DOUBT: ("interlock_triggers_total", "in_doubt"),
        EventKind.RETRY_SCHEDULED: ("interlock_retries_scheduled_total",),
        EventKind.SLA_BREACHED: ("interlock_sla_breaches_total",),
        EventKind.MONITORING_DRIFT_DETECTED: ("interlock_monitoring_drift_detected_total",),
        EventKind.SCHEDULE_MISSED: ("interlock_schedules_missed_total",),
        EventKind.RUN_STUCK: ("interlock_runs_stuck_total",),
    }
)
_OF_STEP: Final = MappingProxyType(
    {
        (StepKind.ALERT, "delivered"): "interlock_alerts_dispatched_total",
        (StepKind.ALERT, "failed"): "interlock_alerts_failed_total",
        (StepKind.EVENT, "delivered"): "interlock_lifecycle_events_published_total",
        (StepKind.EVENT, "failed"): "interlock_lifecycle_events_failed_total",
    }
)
_REFERENCE: Final = MappingProxyType(
    {
        "evaluations_total": "interlock_evaluations_total",
        "evaluation_errors": "interlock_evaluation_errors_total",
        "triggers_total": "interlock_triggers_total",
        "alerts_dispatched": "interlock_alerts_dispatched_total",
        "alerts_failed": "interlock_alerts_failed_total",
        "retries_scheduled": "interlock_retries_scheduled_total",
        "sla_breaches": "interlock_sla_breaches_total",
        "monitoring_drift_detected": "interlock_monitoring_drift_detected_total",
        "schedules_missed": "interlock_schedules_missed_total",
        "runs_stuck": "interlock_runs_stuck_total",
        "lifecycle_events_published": "interlock_lifecycle_events_published_total",
    }
)
"""What the reference implementation calls them."""


class Counts:
    """Counts what was committed, as a listener, and how steps ended, as telemetry.

    With `per_pipeline` what comes out of timelines is counted for each pipeline on its own.
    """

    def __init__(self, *, per_pipeline: bool = False) -> None:
        self.per_pipeline = per_pipeline
        self._lock = threading.Lock()
        self._values: Counter[tuple[str, tuple[str, ...]]] = Counter()
        for name, family in FAMILIES.items():
            if not (per_pipeline and family.per_pipeline):
                self._values.update(dict.fromkeys(((name, labels) for labels in family.zeros), 0))

    def expect(self, *, sinks: Sequence[str], subscribers: Sequence[str]) -> None:
        """Count from nothing for those who may be told: what is not there yet cannot be seen to grow."""
        with self._lock:
            for (kind, _), name in _OF_STEP.items():
                who = sinks if kind is StepKind.ALERT else subscribers
                self._values.update(dict.fromkeys(((name, (each,)) for each in who), 0))

    def heard(self, records: Sequence[TimelineRecord]) -> None:
        """Count what one commit told."""
        with self._lock:
            for told in records:
                kind, own = told.record.kind, (told.pipeline,) if self.per_pipeline else ()
                self._values["interlock_timeline_records_total", (str(kind), *own)] += 1
                if kind in _OF_STATUS:
                    self._values[_OF_STATUS[kind], (told.record.status, *own)] += 1
                if kind in _OF_KIND:
                    name, *labels = _OF_KIND[kind]
                    self._values[name, (*labels, *own)] += 1

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:  # noqa: ARG002
        """Make a step that is counted when it ends; see `Telemetry.step`."""
        return _Counted(self, kind, about)

    def ended(self, kind: StepKind, about: Mapping[str, str], how: Mapping[str, str]) -> None:
        """Count a step that has ended."""
        name = _OF_STEP.get((kind, how.get("outcome", "")))
        with self._lock:
            if name is not None:
                self._values[name, (about["sink"],)] += 1
            if kind is StepKind.TRAIT and how.get("trouble"):
                self._values[
                    "interlock_evaluation_errors_total", (how.get("category") or str(FailureCategory.EVALUATOR_CRASH),)
                ] += 1

    def values(self) -> dict[str, dict[tuple[str, ...], int]]:
        """Return every counter: by its name, then by the values of its labels."""
        found: dict[str, dict[tuple[str, ...], int]] = {
            name: {} for name, family in FAMILIES.items() if family.type == "counter"
        }
        with self._lock:
            for (name, labels), value in self._values.items():
                found[name][labels] = value
        return found

    def plain(self) -> dict[str, int]:
        """Return the counters of the reference implementation, without labels."""
        values = self.values()
        found = {word: sum(values[name].values()) for word, name in _REFERENCE.items()}
        failed = values["interlock_triggers_total"]
        found["triggers_failed"] = sum(value for labels, value in failed.items() if labels[0] == "failed")
        return found


class _Counted:
    """A step that is counted when it ends."""

    traceparent: Final = ""

    def __init__(self, counts: Counts, kind: StepKind, about: Mapping[str, str]) -> None:
        self._counts = counts
        self._kind = kind
        self._about = about
        self._how: dict[str, str] = {}

    def phase(self, name: str) -> None:
        """Count no parts."""

    def told(self, **how: str) -> None:
        """Remember it."""
        self._how.update(how)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._counts.ended(self._kind, self._about, self._how)


if TYPE_CHECKING:

    def _are_ports(one: Counts, two: _Counted) -> tuple[Telemetry, Step]:
        return one, two
