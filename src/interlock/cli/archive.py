"""`interlock archive`: copy history to PostgreSQL, and say how far behind it is."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, opened, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.loglines import log_format_option, log_lines
from interlock.cli.output import emit_json, moment, plain, say, styled, tell

if TYPE_CHECKING:
    from interlock.archive.archiver import Behind, Report
    from interlock.archive.gaps import Gap
    from interlock.runtime.archiving import Archiving

_NAMED: Final = 20
_COUNTED: Final = 10_000


class GapView(View, frozen=True, kw_only=True, rename="camel"):
    """One row of the live store that is not in the archive. `reason` is missing, unreadable or refused."""

    stream_id: str
    reason: str
    message: str
    pipeline_id: str | None
    run_id: str | None
    version: int | None


class ArchiveView(View, frozen=True, kw_only=True, rename="camel"):
    """How the archive stands. `ok`: nothing waits, nothing is missing, and what was there before is copied, too.

    `rows` and `facts` were copied just now: rows of the archive that are new or newer, and marks that were struck; null
    with `--check`. `waiting` is counted up to 10,000.
    """

    ok: bool
    rows: int | None
    facts: int | None
    whole: bool
    waiting: int
    waiting_since: datetime | None
    set_aside: int
    gaps: tuple[GapView, ...]


@click.command()
@click.option("--once", is_flag=True, help="Copy what waits, and leave: what it does without any option.")
@click.option("--follow", is_flag=True, help="Stay, and copy at every archiver.interval.")
@click.option("--full", is_flag=True, help="Copy everything there is, also what was copied before.")
@click.option("--check", is_flag=True, help="Copy nothing; leave with 1 if anything waits or is missing.")
@log_format_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, once: bool, follow: bool, full: bool, check: bool, as_json: bool, log_format: str
) -> None:
    """Copy history to the PostgreSQL of archiver.dsn, one way: each fact once, however often it is copied.

    The first time all there is is copied, and afterwards what has happened since. Several may do it at once, and it may
    be ended at any moment. Leaves with 75 when a store does not answer: nothing is lost, and the next time goes on.

    \b
    Examples:
      interlock archive
      interlock archive --follow
      interlock archive --check --json | jq .waiting
    """
    require_here(ctx)
    chosen = [name for name, given in (("--once", once), ("--follow", follow), ("--check", check)) if given]
    if len(chosen) > 1 or (check and full):
        raise click.UsageError(f"{' and '.join([*chosen, *(['--full'] if full else [])])} do not go together")
    from interlock.runtime.archiving import Archiving, open_archive

    project = sound_project_of(ctx)
    archive = open_archive(project, os.environ)
    lines = log_lines(log_format, project, "interlock.archive")
    work = opened(ctx, project, telemetry=lines.telemetry, stream=lines.stream)
    archiving = Archiving(work, archive, say=lines.news)
    ctx.call_on_close(archiving.close)
    if check:
        standing = archiving.archiver.behind()
        _show(standing, None, as_json=as_json)
        raise Leave(Exit.DONE if standing.level else Exit.NOT_READY)
    if full:
        archiving.archiver.begin_anew()
    if follow:
        _follow(archiving, archive.where)
        return
    report = archiving.turn(alone=False)
    _show(archiving.archiver.behind(), report, as_json=as_json)


def _follow(archiving: Archiving, where: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signum, _frame: archiving.stop())
    tell(f"interlock: copying to {where}; stop it with Ctrl-C or SIGTERM")
    archiving.run()


def _show(standing: Behind, report: Report | None, *, as_json: bool) -> None:
    if as_json:
        emit_json("Archive", _view(standing, report))
        return
    if report is not None:
        say(f"{report.marks} facts archived: {report.rows} rows are new or newer")
    word = styled("ok" if standing.level else "warn")
    say(f"{word}  {_words(standing)}")
    for gap in standing.gaps[:_NAMED]:
        say(f"  {gap.reason}: {plain(gap.subject)}: {plain(gap.message)}")
    if len(standing.gaps) > _NAMED:
        say(f"  and {len(standing.gaps) - _NAMED} more: interlock archive --check --json")


def _words(standing: Behind) -> str:
    if standing.level:
        return "everything is archived"
    found = []
    if standing.since is not None:
        many = " or more" if standing.waiting >= _COUNTED else ""
        found.append(f"{standing.waiting}{many} facts wait, the oldest since {moment(standing.since)}")
    if not standing.whole:
        found.append("what was there before is not all copied yet")
    if standing.aside:
        found.append(f"{standing.aside} facts cannot be copied as they stand")
    if standing.gaps:
        found.append(f"{len(standing.gaps)} are missing")
    return "; ".join(found)


def _view(standing: Behind, report: Report | None) -> ArchiveView:
    return ArchiveView(
        ok=standing.level,
        rows=None if report is None else report.rows,
        facts=None if report is None else report.marks,
        whole=standing.whole,
        waiting=standing.waiting,
        waiting_since=standing.since,
        set_aside=standing.aside,
        gaps=tuple(map(_gap, standing.gaps)),
    )


def _gap(gap: Gap) -> GapView:
    return GapView(
        stream_id=gap.stream_id,
        reason=gap.reason,
        message=gap.message,
        pipeline_id=gap.pipeline or None,
        run_id=gap.run_id or None,
        version=gap.version,
    )
