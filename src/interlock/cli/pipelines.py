"""`interlock pipelines`: what the files define, and what is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from interlock.api.registering import LARGEST_PAGE, PipelineConfig, Pipelines
from interlock.app.views import View
from interlock.cli.asking import ask
from interlock.cli.context import json_option
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, plain, say, table, tell
from interlock.codec.documents import mapping


class PipelineView(View, frozen=True, kw_only=True, rename="camel"):
    """One pipeline as its file defines it; `file` is `api` for one that was registered.

    `problems` says why it cannot be used; what it holds is then unknown.
    """

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
    """List the pipelines of the project with the file that defines each, or `api` where one was registered.

    Leaves with 2 when a file cannot be used; the others are listed all the same.

    \b
    Examples:
      interlock pipelines
      interlock pipelines --json | jq -r '.items[].pipelineId'
    """
    found = list(every_pipeline(ctx))
    shown = PipelineList(items=tuple(sorted(map(_view, found), key=lambda view: (view.pipeline_id, view.file))))
    if as_json:
        emit_json("PipelineList", shown)
    elif shown.items:
        say(table(("PIPELINE", "ARCHETYPE", "TIER", "TRIGGER", "SCHEDULES", "FILE", ""), map(_row, shown.items)))
    else:
        tell("there are no pipelines yet; write one with: interlock add-pipeline --name NAME")
    broken = sorted(each.name for each in found if each.problems)
    if broken:
        raise Leave(Exit.USAGE, f"files cannot be used of: {', '.join(broken)}. See: interlock validate")


def every_pipeline(ctx: click.Context) -> Iterator[PipelineConfig]:
    """Ask for every pipeline, page by page."""
    cursor = None
    while True:
        page = ask(ctx, Pipelines(limit=LARGEST_PAGE, cursor=cursor))
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _view(found: PipelineConfig) -> PipelineView:
    usable = not found.problems
    trigger = mapping(found.trigger) if found.trigger is not None else {}
    return PipelineView(
        pipeline_id=found.name,
        archetype=found.archetype if usable else None,
        tier=found.tier if usable else None,
        trigger_type=trigger.get("type"),
        schedules=tuple(_schedule(mapping(each)) for each in found.schedules),
        file=found.source,
        problems=found.problems,
    )


def _schedule(said: dict[str, Any]) -> str:
    words = [said["name"]]
    words += [f"after {said['after']}"] if "after" in said else []
    words += [f"cron {said['cron']!r}"] if "cron" in said else []
    words += [f"every {said['every']}"] if "every" in said else []
    deadline = said.get("deadline", "")
    words += [f"{'by' if ':' in deadline else 'within'} {deadline}"] if deadline else []
    return " ".join([*words, said["timezone"]])


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
