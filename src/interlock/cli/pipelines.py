"""`interlock pipelines`: what the files define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interlock.app.views import View
from interlock.cli.context import json_option, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, plain, say, table, tell
from interlock.core.times import format_duration

if TYPE_CHECKING:
    from interlock.config.project import Project
    from interlock.core.pipelines import ScheduleSpec


class PipelineView(View, frozen=True, kw_only=True, rename="camel"):
    """One pipeline as its file defines it. `problems` says why a file cannot be used; what it holds is then unknown."""

    pipeline_id: str
    archetype: str | None
    tier: int | None
    trigger_type: str | None
    schedules: tuple[str, ...]
    file: str
    problems: tuple[str, ...]


class PipelineList(View, frozen=True, kw_only=True, rename="camel"):
    """Every pipeline of the project, by name."""

    items: tuple[PipelineView, ...]


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the pipelines of the project with the file that defines each. The store is not opened.

    Leaves with 2 when a file cannot be used; the others are listed all the same.

    \b
    Examples:
      interlock pipelines
      interlock pipelines --json | jq -r '.items[].pipelineId'
    """
    project = sound_project_of(ctx)
    shown = PipelineList(items=tuple(sorted(_views(project), key=lambda view: (view.pipeline_id, view.file))))
    if as_json:
        emit_json("PipelineList", shown)
    elif shown.items:
        say(table(("PIPELINE", "ARCHETYPE", "TIER", "TRIGGER", "SCHEDULES", "FILE", ""), map(_row, shown.items)))
    else:
        tell("there are no pipelines yet; write one with: interlock add-pipeline --name NAME")
    if project.broken:
        names = ", ".join(sorted(project.broken))
        raise Leave(Exit.USAGE, f"files cannot be used of: {names}. See: interlock validate")


def _views(project: Project) -> list[PipelineView]:
    sound = [
        PipelineView(
            pipeline_id=name,
            archetype=loaded.spec.archetype,
            tier=loaded.spec.tier,
            trigger_type=loaded.spec.trigger.type if loaded.spec.trigger else None,
            schedules=tuple(map(_schedule, loaded.spec.schedules)),
            file=loaded.source,
            problems=(),
        )
        for name, loaded in project.pipelines.items()
    ]
    broken = [
        PipelineView(
            pipeline_id=name,
            archetype=None,
            tier=None,
            trigger_type=None,
            schedules=(),
            file=problems[0].file if problems else "",
            problems=tuple(map(str, problems)),
        )
        for name, problems in project.broken.items()
    ]
    return sound + broken


def _schedule(spec: ScheduleSpec) -> str:
    words = [str(spec.name)]
    words += [f"after {spec.after:%H:%M}"] if spec.after else []
    words += [f"cron {spec.cron!r}"] if spec.cron else []
    words += [f"every {format_duration(spec.every)}"] if spec.every else []
    words += [f"by {spec.deadline:%H:%M}"] if spec.deadline else []
    words += [f"within {format_duration(spec.deadline_span)}"] if spec.deadline_span else []
    return " ".join([*words, spec.timezone])


def _row(view: PipelineView) -> tuple[str, ...]:
    schedules = ", ".join(view.schedules) or "-"
    note = f"problem: {plain(view.problems[0])}" if view.problems else ""
    return (
        view.pipeline_id,
        view.archetype or "-",
        str(view.tier or "-"),
        view.trigger_type or "-",
        schedules,
        view.file or "-",
        note,
    )
