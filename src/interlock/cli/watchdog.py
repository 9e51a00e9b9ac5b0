"""`interlock watchdog`: notice what did not happen."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import TYPE_CHECKING

import click

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, opened, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.loglines import log_format_option, log_lines
from interlock.cli.output import emit_json, moment, plain, say, styled, tell
from interlock.core.watchdog import by_reason

if TYPE_CHECKING:
    from interlock.app.sweep import Report
    from interlock.runtime.wiring import Interlock


class ScanCheck(View, frozen=True, kw_only=True, rename="camel"):
    """One check of a scan: what it found that is not as it should be, and why it is not whole, if it is not."""

    name: str
    findings: int
    error: str


class Scan(View, frozen=True, kw_only=True, rename="camel"):
    """What came of one scan. `ok` says that everything could be looked at."""

    at: datetime
    ok: bool
    findings: int
    checks: tuple[ScanCheck, ...]


@click.command()
@click.option("--once", is_flag=True, help="Scan once, and leave.")
@log_format_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, once: bool, as_json: bool, log_format: str) -> None:
    """Notice missed schedules, stuck and forgotten runs, lost starts and dead watchers, and tell people.

    It reads the store and needs no watcher. SIGTERM and Ctrl-C let the scan under way end, and leave with 0. With --once
    it leaves with 3 when something could not be looked at.

    \b
    Examples:
      interlock watchdog
      interlock watchdog --once
      interlock watchdog --once --json | jq -r '.checks[] | select(.findings > 0) | .name'
    """
    require_here(ctx)
    from interlock.core.times import format_duration
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.watchdog import Watchdog, rounds_of
    from interlock.runtime.wiring import LazyHttp, allowed_addresses

    project = sound_project_of(ctx)
    lines = log_lines(log_format, project, "interlock.watchdog")
    work = opened(ctx, project, telemetry=lines.telemetry, stream=lines.stream)
    http = LazyHttp(allowed_addresses(project))
    ctx.call_on_close(http.close)
    rounds = rounds_of(project.settings, http)
    watchdog = Watchdog(
        work.hands, rounds, alarm=SystemPacer(work.clock), say=lambda words: tell(f"interlock: {words}")
    )
    if once:
        report = watchdog.turn()
        watchdog.leave()
        _show(report, work, as_json=as_json)
        if not report.whole:
            raise Leave(Exit.UNDECIDED)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signum, _frame: watchdog.stop())
    tell(f"interlock: the watchdog looks every {format_duration(rounds.interval)}; stop it with Ctrl-C or SIGTERM")
    watchdog.run(lambda report: _show(report, work, as_json=as_json))


def _show(report: Report, work: Interlock, *, as_json: bool) -> None:
    work.ring()
    if as_json:
        checks = tuple(
            ScanCheck(name=check.name, findings=check.findings, error=check.error) for check in report.checks
        )
        emit_json("Scan", Scan(at=report.at, ok=report.whole, findings=report.findings, checks=checks))
        return
    found = ", ".join(f"{check.name}: {check.findings}" for check in report.checks if check.findings)
    word = styled("ok" if report.whole else "fail")
    nothing = "nothing to tell" if report.whole else "nothing found where it could look"
    say(f"{moment(report.at)}  {word}  {found or nothing}")
    for words in by_reason(report.troubles):
        say(f"  not whole: {plain(words)}")
