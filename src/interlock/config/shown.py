"""A resolved pipeline, written in the keys of a pipeline file with every default put in.

Read back with the same archetype it is the same pipeline: nothing that counts is left out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from interlock.clients.redaction import redacted
from interlock.codec.documents import mapping
from interlock.config.values import WEEKDAYS
from interlock.core.archetypes import Archetype, TraitDefinition
from interlock.core.calendars import DaySet
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    PipelineSpec,
    ScheduleSpec,
    SlaSpec,
    TriggerSpec,
    WatchSpec,
)
from interlock.core.retries import RetrySpec
from interlock.core.times import format_duration
from interlock.core.traits import CONFINED, TraitSpec


def file_form(spec: PipelineSpec, archetype: Archetype) -> dict[str, Any]:
    """Write a pipeline as its file might say it; a trait that its archetype does not ask for comes of a rule."""
    days, asked = spec.exclusions, archetype.trait_names
    found: dict[str, Any] = {
        "name": spec.name,
        "archetype": spec.archetype,
        "tier": spec.tier,
        "owner": spec.owner,
        "mode": spec.mode.value,
        "traits": {str(trait.name): _trait(trait) for trait in spec.traits if trait.name in asked},
        "rules": [mapping(trait.config) for trait in spec.traits if trait.name not in asked],
        "trigger": None if spec.trigger is None else _trigger(spec.trigger),
        "verify": [{"name": str(check.name), **_asked(check)} for check in spec.verify] or None,
        "retry": _retry(spec.retry),
        "schedules": [_schedule(each) for each in spec.schedules],
        "sla": _sla(spec.sla),
        "watch": _watch(spec.watch),
        "exclusions": _days(days),
        "include": None if days.include is None else _days(days.include),
        "cascade": {"delayBetween": format_duration(spec.cascade_delay)},
        "reruns": {"drift": spec.reruns.drift, "manual": spec.reruns.manual},
        "lateData": {"action": spec.late_data.action.value, "window": format_duration(spec.late_data.window)},
        "watchdog": _given(stuckRunThreshold=_span(spec.stuck_after)),
    }
    return {key: value for key, value in found.items() if value is not None}


def pipeline_shown(spec: PipelineSpec, archetype: Archetype) -> dict[str, Any]:
    """Write a pipeline as its file might say it, for people: every secret in it is blotted out."""
    form = file_form(spec, archetype)
    # Only what is free in form: a trait may well be called `token-check`, and hides nothing by that.
    form["traits"] = {
        name: {**trait, "evaluator": redacted(trait["evaluator"]), "config": redacted(trait["config"])}
        for name, trait in form["traits"].items()
    }
    form["rules"] = redacted(form["rules"])
    if spec.verify:
        form["verify"] = redacted(form["verify"])
    return form if spec.trigger is None else {**form, "trigger": redacted(form["trigger"])}


def archetype_shown(archetype: Archetype) -> dict[str, Any]:
    """Write an archetype as its file might say it, for people: every secret in it is blotted out."""
    form = archetype_form(archetype)
    for key in ("requiredTraits", "optionalTraits"):
        form[key] = [{**trait, "defaultConfig": redacted(trait["defaultConfig"])} for trait in form[key]]
    return form


def archetype_form(archetype: Archetype) -> dict[str, Any]:
    """Write an archetype as its file might say it."""
    rule = archetype.rule
    parameters = {} if rule.threshold is None else {"threshold": rule.threshold}
    return {
        "name": archetype.name,
        "requiredTraits": [_definition(each) for each in archetype.required],
        "optionalTraits": [_definition(each) for each in archetype.optional],
        "readinessRule": {"type": rule.type.value, "parameters": parameters},
    }


def seconds(span: timedelta) -> int | str:
    """Write a span as whole seconds, as files have it, or as a duration where that is not exact."""
    whole = span // timedelta(seconds=1)
    return whole if timedelta(seconds=whole) == span else format_duration(span)


def _definition(found: TraitDefinition) -> dict[str, Any]:
    return _given(
        type=str(found.type),
        description=found.description,
        defaultConfig=mapping(found.default_config),
        defaultTtl=None if found.default_ttl is None else seconds(found.default_ttl),
        defaultTimeout=None if found.default_timeout is None else seconds(found.default_timeout),
    )


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _asked(check: TraitSpec) -> dict[str, Any]:
    first, *arguments = check.evaluator
    name = first.removeprefix(CONFINED)
    evaluator = [name, *arguments] if arguments else name
    return {"evaluator": evaluator, "config": mapping(check.config), "timeout": seconds(check.timeout)}


def _retry(policy: RetrySpec) -> dict[str, Any]:
    return {
        "maxAttempts": policy.max_attempts,
        "backoffSeconds": seconds(policy.backoff),
        "backoffMultiplier": policy.multiplier,
        "retryableFailures": [failure.value for failure in policy.retryable],
    }


def _trait(trait: TraitSpec) -> dict[str, Any]:
    drift = trait.drift
    return _given(
        **_asked(trait),
        ttl=seconds(trait.ttl),
        drift=drift and {"field": drift.field, "threshold": drift.threshold, "relative": drift.relative},
    )


def _trigger(trigger: TriggerSpec) -> dict[str, Any]:
    return {
        "type": trigger.type,
        **mapping(trigger.config),
        "pollInterval": format_duration(trigger.poll_interval),
        "pollBudget": trigger.poll_budget,
        "startTimeout": format_duration(trigger.start_timeout),
        **_given(startRetry=None if trigger.start_retry is None else _retry(trigger.start_retry)),
    }


def _schedule(schedule: ScheduleSpec) -> dict[str, Any]:
    deadline = Deadline(wall=schedule.deadline, span=schedule.deadline_span)
    evaluation = _given(window=_span(schedule.window), interval=_span(schedule.interval))
    return _given(
        name=str(schedule.name),
        after=f"{schedule.after:%H:%M}" if schedule.after else None,
        cron=schedule.cron or None,
        every=_span(schedule.every),
        deadline=_deadline(deadline),
        closeAt=_deadline(schedule.close_at),
        timezone=schedule.timezone,
        evaluation=evaluation or None,
        overlap=schedule.overlap.value,
        missed=schedule.missed.value,
        maxCatchUp=schedule.max_catch_up,
    )


def _sla(sla: SlaSpec) -> dict[str, Any]:
    return _given(
        evaluationDeadline=_deadline(sla.evaluation),
        completionDeadline=_deadline(sla.completion),
        validationTimeout=_deadline(sla.validation_timeout),
        timezone=sla.timezone,
        atRiskLeadTime=_span(sla.at_risk),
        expectedDuration=_span(sla.expected_duration),
    )


def _watch(watch: WatchSpec) -> dict[str, Any]:
    drift = "rerun" if watch.rerun_on_drift else "alert"
    monitoring = _given(enabled=watch.monitoring is not None, duration=_span(watch.monitoring), onDrift=drift)
    return {"interval": format_duration(watch.interval), "enabled": watch.enabled, "monitoring": monitoring}


def _days(days: ExclusionSpec | DaySet) -> dict[str, Any]:
    named = days.calendars if isinstance(days, ExclusionSpec) else days.union
    return _given(
        days=[WEEKDAYS[number] for number in days.weekdays],
        dates=[each.isoformat() for each in days.dates],
        calendar=[each.name for each in named] or None,
    )


def _deadline(found: Deadline | None) -> str | None:
    if found is None:
        return None
    return f"{found.wall:%H:%M}" if found.wall is not None else _span(found.span)


def _span(span: timedelta | None) -> str | None:
    return None if span is None else format_duration(span)
