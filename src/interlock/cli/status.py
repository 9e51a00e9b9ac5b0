"""`interlock status`: how pipelines stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from interlock.app.queries import RECENT, pipeline_status, troubled_status
from interlock.app.views import StatusView, View
from interlock.app.watchviews import MemberView, attendance
from interlock.cli.context import json_option, known_name, pipeline_names, reading, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.live import live, require_terminal
from interlock.cli.output import emit_json, say, tell
from interlock.cli.parameters import duration
from interlock.cli.render_status import at_work, listing, sheet
from interlock.errors import ConfigError, InterlockError, Problem, UnreadableRecord
from interlock.runtime.clock import SystemClock
from interlock.runtime.reading import open_for_reading
from interlock.stores.members import MemberRows

if TYPE_CHECKING:
    from interlock.config.project import Project
    from interlock.stores.repository import Repository


class StatusList(View, frozen=True, kw_only=True, rename="camel"):
    """Every pipeline of the project, by name; and the watchers and watchdogs that are at work, or were last."""

    items: tuple[StatusView, ...]
    members: tuple[MemberView, ...]


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--check", is_flag=True, help="Leave with 10 when a deadline has passed without what it asks for.")
@click.option("--watch", is_flag=True, help="Draw it on the terminal again and again, until Ctrl-C.")
@click.option("--interval", callback=duration, default="2s", show_default=True, help="How often to draw it.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str | None,
    *,
    check: bool,
    watch: bool,
    interval: timedelta,
    as_json: bool,
) -> None:
    """Show how all pipelines stand, or PIPELINE in detail. Nothing is asked, nothing is written.

    Leaves with 3 when a pipeline's records cannot be read, 2 when a pipeline's file cannot; the others are shown all the
    same.

    \b
    Examples:
      interlock status
      interlock status example
      interlock status --watch
      interlock status --check || echo "something is late"
      interlock status --json | jq -r '.items[] | select(.readiness != "READY") | .pipelineId'
    """
    project = sound_project_of(ctx)
    if watch:
        if check or as_json:
            raise click.UsageError("--watch stands alone: --check and --json look once")
        require_terminal()
        live(lambda: _page(ctx, pipeline), interval)
        return
    store = reading(ctx, project)
    at = SystemClock().now()
    if pipeline is None:
        views = tuple(_status(project, store, name, at) for name in sorted({*project.pipelines, *project.broken}))
        members = attendance(MemberRows(store.kernel), at)
        emit_json("StatusList", StatusList(items=views, members=members)) if as_json else _print_all(views, members, at)
    else:
        views = (_one(project, store, pipeline, at),)
        emit_json("Status", views[0]) if as_json else say(sheet(views[0], at))
    _leave(project, views, check=check)


def _page(ctx: click.Context, pipeline: str | None) -> str:
    # Read and opened for each page: files and store may change, or not be there yet, and whoever looks must hold nothing.
    try:
        project = sound_project_of(ctx)
        with open_for_reading(project) as store:
            at = SystemClock().now()
            if pipeline is not None:
                return sheet(_one(project, store, pipeline, at), at)
            views = tuple(_status(project, store, name, at) for name in sorted({*project.pipelines, *project.broken}))
            lines = [listing(views, at) if views else "there are no pipelines yet", ""]
            return "\n".join([*lines, *at_work(attendance(MemberRows(store.kernel), at), at)]).rstrip()
    except InterlockError as exc:
        return str(exc)


def _one(project: Project, store: Repository, name: str, at: datetime) -> StatusView:
    if name in project.broken:
        raise ConfigError(project.broken[name])
    loaded = project.pipelines.get(name)
    if loaded is not None:
        return pipeline_status(loaded.spec, store, at)
    runs = store.runs_of(known_name(project, store, name), limit=RECENT)
    return troubled_status(name, ("no file defines it any more; its history is kept",), runs)


def _status(project: Project, store: Repository, name: str, at: datetime) -> StatusView:
    try:
        loaded = project.pipelines.get(name)
        if loaded is not None:
            # Another file, too broken to say its own name, may go by this one.
            problems = tuple(map(str, project.broken.get(name, ())))
            return replace(pipeline_status(loaded.spec, store, at), problems=problems)
        return troubled_status(name, tuple(map(str, _own(project, name))), store.runs_of(name, limit=RECENT))
    except UnreadableRecord as exc:
        # One damaged record must hide neither its pipeline nor the others.
        return troubled_status(name, (str(exc),))


def _own(project: Project, name: str) -> tuple[Problem, ...]:
    return project.broken[name] or (Problem(project.file, 0, 0, f"the pipeline {name!r} cannot be used"),)


def _print_all(views: tuple[StatusView, ...], members: tuple[MemberView, ...], at: datetime) -> None:
    if views:
        say(listing(views, at))
    else:
        tell("there are no pipelines yet; write one with: interlock add-pipeline --name NAME")
    if members:
        say()
    for line in at_work(members, at):
        say(line)


def _leave(project: Project, views: tuple[StatusView, ...], *, check: bool) -> None:
    troubled = [view.pipeline_id for view in views if view.problems]
    broken = [name for name in troubled if name in project.broken]
    unreadable = [name for name in troubled if name in project.pipelines and name not in broken]
    if unreadable:
        raise Leave(Exit.UNDECIDED, f"records cannot be read of: {', '.join(unreadable)}. Nothing was changed")
    if broken:
        raise Leave(Exit.USAGE, f"files cannot be used of: {', '.join(broken)}. See: interlock validate")
    late = [view.pipeline_id for view in views if any(slot.overdue for slot in view.slots)]
    if check and late:
        raise Leave(Exit.MISSED, f"a deadline is missed by: {', '.join(late)}")
