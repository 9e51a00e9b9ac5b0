"""`interlock pause`: let nothing of a pipeline start for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from interlock.app.pausing import pause
from interlock.app.views import View
from interlock.cli.again import required_reason
from interlock.cli.context import json_option, opened, pipeline_names, pipeline_of, sound_project_of
from interlock.cli.instants import instant_of
from interlock.cli.output import emit_json, moment, plain, say, table
from interlock.cli.parameters import actor, duration
from interlock.ports.controls import Pause

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock


class PauseView(View, frozen=True, kw_only=True, rename="camel"):
    """One pause: whose, from when until when, by whom and why."""

    pipeline_id: str
    created_at: datetime
    until: datetime
    actor: str
    reason: str


class PauseList(View, frozen=True, kw_only=True, rename="camel"):
    """The pauses in force, by pipeline."""

    items: tuple[PauseView, ...]


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--for", "length", callback=duration, help="How long, such as 2h.")
@click.option("--until", help="Until when: 18:00, 2026-03-07T18:00 in the pipeline's zone, or 2026-03-07T18:00Z.")
@click.option("--reason", default="", help="Why: recorded for good, and shown to everybody it stops.")
@click.option("--list", "listed", is_flag=True, help="Show the pauses in force, and pause nothing.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str | None,
    length: timedelta | None,
    until: str | None,
    reason: str,
    *,
    listed: bool,
    as_json: bool,
) -> None:
    """Let nothing of PIPELINE start, whoever asks, until an instant. What runs already goes on; what is due waits.

    Every pause ends by itself: --for or --until is required, and so is a reason.

    \b
    Examples:
      interlock pause example --for 2h --reason "the warehouse is being moved"
      interlock pause example --until 18:00 --reason "until the vendor has called back"
      interlock pause --list
    """
    if listed or pipeline is None:
        if pipeline or length or until or reason:
            raise click.UsageError("--list stands alone; to pause, give PIPELINE, --for or --until, and --reason")
        show_pauses(ctx, as_json=as_json)
        return
    if (length is None) == (until is None):
        raise click.UsageError("give one of --for 2h or --until 18:00: a pause without an end is forgotten")
    reason = required_reason(reason)
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    now = work.clock.now()
    ends = now + length if length is not None else instant_of(until or "", now, spec.schedules[0].timezone, "--until")
    try:
        held = pause(spec.name, ends, actor(), reason, work.hands)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    if as_json:
        emit_json("Pause", pause_view(held))
    else:
        say(f"{pipeline} is paused until {moment(held.until)}: {plain(held.reason)}")
        say(f"it goes on by itself then, or with: interlock resume {pipeline}")


def show_pauses(ctx: click.Context, *, as_json: bool) -> None:
    """Print the pauses in force."""
    work = opened(ctx, sound_project_of(ctx))
    found = _in_force(work)
    if as_json:
        emit_json("PauseList", PauseList(items=tuple(map(pause_view, found))))
    elif found:
        rows = [(one.pipeline, moment(one.until), plain(one.actor), plain(one.reason)) for one in found]
        say(table(("PIPELINE", "UNTIL", "BY", "REASON"), rows))
    else:
        say("nothing is paused")


def _in_force(work: Interlock) -> tuple[Pause, ...]:
    return work.hands.controls.pauses(work.clock.now())


def pause_view(pause: Pause) -> PauseView:
    """Show a pause."""
    return PauseView(
        pipeline_id=pause.pipeline, created_at=pause.at, until=pause.until, actor=pause.actor, reason=pause.reason
    )
