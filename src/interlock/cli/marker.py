"""`interlock marker`: tell that something about a slot has arrived."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from interlock.app.markers import Arrival, Arrived, arrive
from interlock.app.views import View
from interlock.cli.context import json_option, no_pipeline, opened, pipeline_argument, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, plain, say
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.core.ids import DEFAULT_SCHEDULE, NAME_RULE, PipelineName, ScheduleName, Slot, is_name
from interlock.core.periods import Period
from interlock.errors import ConfigError
from interlock.ports.controls import Marker

if TYPE_CHECKING:
    from interlock.config.project import Project


class MarkerView(View, frozen=True, kw_only=True, rename="camel"):
    """A marker, and what became of it: `outcome` is one word, `message` says it for people."""

    pipeline_id: str
    schedule_id: str
    date: str
    source: str
    received_at: datetime
    outcome: str
    message: str


@click.command()
@pipeline_argument
@click.option("--source", required=True, help="What has arrived, such as a file's name.")
@schedule_option
@click.option("--date", "period", help="The period it is about, such as 2026-03-07; the current one by default.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, pipeline: str, source: str, schedule: str | None, period: str | None, *, as_json: bool
) -> None:
    """Tell that something about a slot of PIPELINE has arrived: a file, an upstream's result.

    It opens the slot, or has its waiting run ask again at once, or is late data for a run that has completed without it. A
    watcher does what follows from it. A pipeline that nobody has defined leaves with 8; the marker is recorded all the same.

    \b
    Examples:
      interlock marker orders --source s3://landing/orders/2026-03-07/_SUCCESS --date 2026-03-07
      interlock marker orders --source "vendor's mail"
    """
    if not source.strip():
        raise click.UsageError("--source must say what has arrived")
    if not is_name(pipeline):
        raise click.BadParameter(f"{pipeline!r} cannot be a pipeline's name, expected {NAME_RULE}")
    project = sound_project_of(ctx)
    work = opened(ctx, project)
    now = work.clock.now()
    marker = Marker(slot=_slot(project, pipeline, now, schedule, period), source=source.strip(), at=now)
    arrived = arrive(marker, work.hands)
    if as_json:
        emit_json("Marker", _view(marker, arrived))
    else:
        words = f": {arrived.words}" if arrived.words else ""
        say(f"{marker.slot}  {plain(marker.source)}: {arrived.how.value}{plain(words)}")
    if arrived.how is Arrival.UNKNOWN:
        if pipeline in project.broken:
            raise ConfigError(project.broken[pipeline])
        raise Leave(Exit.NOT_FOUND, f"{no_pipeline(project, pipeline)}; the marker is recorded")


def _slot(project: Project, pipeline: str, now: datetime, schedule: str | None, period: str | None) -> Slot:
    loaded = project.pipelines.get(pipeline)
    if loaded is not None:
        # One that names no schedule of the pipeline is news all the same: `arrive` says what can be made of it.
        known = schedule if schedule is None or loaded.spec.schedule(schedule) is not None else None
        slot = chosen_slot(loaded.spec, now, known, period)
        return slot if known == schedule else Slot(slot.pipeline, ScheduleName(_name(schedule)), slot.period)
    try:
        named = Period.of_day(now.date()) if period is None else Period.parse(period)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--date") from exc
    return Slot(PipelineName(pipeline), ScheduleName(_name(schedule or DEFAULT_SCHEDULE)), named)


def _name(schedule: str | None) -> str:
    if schedule is None or not is_name(schedule):
        raise click.BadParameter(f"{schedule!r} cannot be a schedule's name", param_hint="--schedule")
    return schedule


def _view(marker: Marker, arrived: Arrived) -> MarkerView:
    slot = marker.slot
    return MarkerView(
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        source=marker.source,
        received_at=marker.at,
        outcome=arrived.how.name.lower(),
        message=arrived.words,
    )
