"""Every number that is shown: what it is called, what it counts, and by what it is told apart. The one list of them.

No label takes its values from what people write but `sink`, of which a project has a few, and `pipeline`, which is there
only when the project asks for it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from interlock.core.chronicle import EventKind
from interlock.core.readiness import ReadinessStatus
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory


class Family(NamedTuple):
    """One name. `per_pipeline`: it has the label `pipeline`, too, when a project wants that.

    `zeros` are the labels that are shown from the start, before anything was counted.
    """

    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    per_pipeline: bool = False
    zeros: tuple[tuple[str, ...], ...] = ()
    buckets: tuple[float, ...] = ()


_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_ONCE: Final = ((),)


def _of_timeline(words: str, *labels: str, zeros: tuple[tuple[str, ...], ...] = _ONCE) -> Family:
    return Family("counter", words, labels, per_pipeline=True, zeros=zeros)


FAMILIES: Final[dict[str, Family]] = {
    # Counted out of what this process has committed: each exactly once.
    "interlock_timeline_records_total": _of_timeline(
        "Lines of timelines, by kind of event", "kind", zeros=tuple((str(kind),) for kind in EventKind)
    ),
    "interlock_run_states_total": _of_timeline(
        "Runs that came into a status", "status", zeros=tuple((str(status),) for status in RunStatus)
    ),
    "interlock_evaluations_total": _of_timeline(
        "Judgements of whether a slot is ready", "status", zeros=tuple((str(status),) for status in ReadinessStatus)
    ),
    "interlock_triggers_total": _of_timeline(
        "Starts of jobs, by what came of them",
        "outcome",
        zeros=(("fired",), ("failed",), ("refused",), ("in_doubt",)),
    ),
    "interlock_retries_scheduled_total": _of_timeline("Attempts that failed and are followed by another"),
    "interlock_sla_breaches_total": _of_timeline("Deadlines that were missed"),
    "interlock_monitoring_drift_detected_total": _of_timeline("Completed runs whose traits moved afterwards"),
    "interlock_schedules_missed_total": _of_timeline("Slots that had not begun by their deadline"),
    "interlock_runs_stuck_total": _of_timeline("Runs that stood still for too long"),
    # Counted when it is done.
    "interlock_evaluation_errors_total": Family(
        "counter",
        "Traits that could not be asked, by category",
        ("category",),
        zeros=tuple((str(category),) for category in FailureCategory),
    ),
    "interlock_alerts_dispatched_total": Family("counter", "Notices that a sink took", ("sink",)),
    "interlock_alerts_failed_total": Family("counter", "Notices that a sink did not take, each try", ("sink",)),
    "interlock_lifecycle_events_published_total": Family("counter", "Lifecycle events that were taken", ("sink",)),
    "interlock_lifecycle_events_failed_total": Family(
        "counter", "Lifecycle events that were not taken, each try", ("sink",)
    ),
    # How long things take.
    "interlock_decision_seconds": Family(
        "histogram", "From being told a fact to the commit", ("event", "outcome"), buckets=_QUICK
    ),
    "interlock_decision_phase_seconds": Family("histogram", "Parts of decisions", ("phase",), buckets=_QUICK),
    "interlock_evaluator_seconds": Family(
        "histogram", "Asking one trait, by kind of evaluator", ("kind", "status"), buckets=_SLOW
    ),
    "interlock_trigger_seconds": Family("histogram", "Calls of triggers", ("type", "action", "outcome"), buckets=_SLOW),
    "interlock_delivery_seconds": Family("histogram", "Calls of sinks", ("sink", "outcome"), buckets=_SLOW),
    "interlock_under_way": Family("gauge", "What is being done just now, by kind", ("step",)),
    # How things stand, looked up in the store when somebody asks.
    "interlock_due_lag_seconds": Family("gauge", "For how long the oldest due row has been due"),
    "interlock_outbox_age_seconds": Family("gauge", "Age of the oldest that is still to be carried out", ("what",)),
    "interlock_active_runs": Family("gauge", "Runs that have not ended"),
    "interlock_open_alerts": Family("gauge", "Alerts that are open", ("level",)),
    "interlock_members": Family("gauge", "Watchers and watchdogs whose lease holds", ("role",)),
    "interlock_progress_age_seconds": Family(
        "gauge", "Since the last whole turn of a watcher, or scan of a watchdog", ("role",)
    ),
    "interlock_lane_queued": Family("gauge", "Work that waits in a lane of this process's watcher", ("lane",)),
    "interlock_lane_running": Family("gauge", "Work that is being done in a lane", ("lane",)),
    "interlock_archive_age_seconds": Family("gauge", "For how long the oldest fact has waited for being archived"),
    "interlock_store_up": Family("gauge", "1 while the store can be read and written"),
    "interlock_store_ping_seconds": Family("gauge", "How long the store took to say so"),
    "interlock_build_info": Family("gauge", "Always 1; which version this is", ("version",)),
}
