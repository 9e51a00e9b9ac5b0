"""`interlock watch`: open slots by the calendar, let jobs go when they may, follow them, and tell people."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

import click

from interlock.cli.asking import require_here
from interlock.cli.context import opened, project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.loglines import log_format_option, log_lines, tell_advice
from interlock.cli.output import tell
from interlock.cli.parameters import duration
from interlock.config.settings import Settings
from interlock.core.times import format_duration

if TYPE_CHECKING:
    from interlock.runtime.watching import Watching


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, and leave.")
@click.option("--until-idle", is_flag=True, help="Leave when nothing is due and no job started here runs any more.")
@click.option(
    "--grace",
    callback=duration,
    default="30s",
    show_default=True,
    help="How long what is under way may take to end when the watcher is told to stop.",
)
@log_format_option
@click.pass_context
def command(ctx: click.Context, *, once: bool, until_idle: bool, grace: timedelta, log_format: str) -> None:
    """Watch the project: open its slots by their schedules, judge them, start jobs and follow them to their ends.

    Several watchers on one store share the work. Files that change are read again; SIGHUP reads them at once. SIGTERM and
    Ctrl-C let what is under way end, and leave with 0; a second one does not wait. What was not begun is done by the next
    watcher.

    \b
    Examples:
      interlock watch
      interlock watch --until-idle
    """
    require_here(ctx)
    from interlock.config.load import load_project
    from interlock.runtime.bell import Bell, place_of
    from interlock.runtime.watching import Watching
    from interlock.runtime.wiring import state_dir

    settings = Settings.of(os.environ)
    project, problems = load_project(project_root(ctx), settings=settings, tolerant=True)
    lines = log_lines(log_format, project, "interlock.watcher")
    work = opened(ctx, project, telemetry=lines.telemetry, stream=lines.stream)
    tell_advice(work, lines.news)
    bell = ctx.with_resource(Bell(place_of(state_dir(project))))
    watching = Watching(work, bell, settings, problems=problems, news=lines.news)
    signals = _Signals(watching)
    tell(f"watching {project.root}: {len(project.pipelines)} pipelines")
    try:
        watching.watch(once=once, until_idle=until_idle)
    finally:
        drained = watching.drain(grace)
    if not drained:
        code = Exit.INTERRUPTED if signals.last == signal.SIGINT else Exit.TERMINATED
        why = "told twice to stop" if signals.hurried else f"not everything ended within {format_duration(grace)}"
        raise Leave(code, f"{why}; what was acknowledged is kept, and the rest is done again")
    if signals.last:
        tell("stopped; nothing is left half done")


class _Signals:
    """Turns signals into words to the watcher."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self.last = 0
        self.hurried = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the shape of a signal's handler)
        if self.last:
            self.hurried = True
            self._watching.hurry()
        self.last = number
        self._watching.stop()

    def _reload(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._watching.reload()
