"""What a pipeline says about the time around its job: deadlines, asking again, drift, late data, reruns."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Final

from msgspec import UNSET, UnsetType

from interlock.config import values
from interlock.config.project import ProjectSettings
from interlock.config.schema import LateDataEntry, MonitoringEntry, RerunsEntry, SlaEntry, WatchEntry
from interlock.config.source import Source
from interlock.config.spans import span_of
from interlock.config.values import Refused
from interlock.core.pipelines import Deadline, LateAction, LateDataSpec, RerunSpec, SlaSpec, WatchSpec

_NOT_SAID_SLA: Final = SlaEntry()
_NOT_SAID_LATE: Final = LateDataEntry()
_LATE: Final = LateDataSpec()


def build_sla(entry: SlaEntry, source: Source, zone: str) -> SlaSpec:
    """Resolve the deadlines of a pipeline. Problems are noted."""
    if entry == _NOT_SAID_SLA:
        return _sla_of(None, None, None, zone)
    at_risk = span_of(entry.at_risk_lead_time, values.LEAD, ("sla", "atRiskLeadTime"), source)
    duration = span_of(entry.expected_duration, values.DEADLINE, ("sla", "expectedDuration"), source)
    return _sla_of(
        _deadline(entry.evaluation_deadline, "evaluationDeadline", source),
        _deadline(entry.completion_deadline, "completionDeadline", source),
        _deadline(entry.validation_timeout, "validationTimeout", source),
        zone,
        at_risk or None,
        duration,
    )


@lru_cache(maxsize=4096)
def _sla_of(
    evaluation: Deadline | None,
    completion: Deadline | None,
    validation: Deadline | None,
    zone: str,
    at_risk: timedelta | None = None,
    duration: timedelta | None = None,
) -> SlaSpec:
    return SlaSpec(
        evaluation=evaluation,
        completion=completion,
        validation_timeout=validation,
        timezone=zone,
        at_risk=at_risk,
        expected_duration=duration,
    )


def _deadline(text: str | UnsetType, key: str, source: Source) -> Deadline | None:
    if text is UNSET:
        return None
    try:
        return values.deadline(text)
    except Refused as exc:
        source.refuse(("sla", key), exc, key)
        return None


def build_watch(entry: WatchEntry, source: Source, settings: ProjectSettings) -> WatchSpec:
    """Resolve how often a waiting run asks again, and for how long a completed one is watched. Problems are noted."""
    interval = span_of(entry.interval, values.INTERVAL, ("watch", "interval"), source)
    monitoring = None
    reruns = True
    if entry.monitoring is not UNSET:
        monitoring = _monitoring(entry.monitoring, source)
        reruns = entry.monitoring.on_drift == "rerun"
    return _watch_of(settings.watcher_interval if interval is None else interval, entry.enabled, monitoring, reruns)


def _monitoring(entry: MonitoringEntry, source: Source) -> timedelta | None:
    found = span_of(entry.duration, values.MONITORING, ("watch", "monitoring", "duration"), source)
    if entry.enabled is True and entry.duration is UNSET:
        source.fail(
            ("watch", "monitoring"), "monitoring has no duration", "add duration: 2h", "missing-key", on_key=True
        )
    return None if entry.enabled is False else found


@lru_cache(maxsize=1024)
def _watch_of(interval: timedelta, enabled: bool, monitoring: timedelta | None, reruns: bool) -> WatchSpec:  # noqa: FBT001
    return WatchSpec(interval=interval, enabled=enabled, monitoring=monitoring, rerun_on_drift=reruns)


@lru_cache(maxsize=256)
def build_reruns(entry: RerunsEntry) -> RerunSpec:
    """Resolve how often a slot may be run again."""
    return RerunSpec(drift=entry.drift, manual=entry.manual)


def build_late_data(entry: LateDataEntry, source: Source) -> LateDataSpec:
    """Resolve what late data leads to. Problems are noted."""
    if entry == _NOT_SAID_LATE:
        return _LATE
    window = span_of(entry.window, values.LATE, ("lateData", "window"), source)
    return LateDataSpec(action=LateAction(entry.action), window=_LATE.window if window is None else window)
