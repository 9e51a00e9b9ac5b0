"""`interlock complete`: a job, or a person, reports how a run's attempt ended."""

from __future__ import annotations

import os

import click

from interlock.app.callbacks import Reception, Report, complete
from interlock.app.views import run_view
from interlock.cli.context import json_option, opened, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, say, styled
from interlock.cli.parameters import actor
from interlock.core.ids import RunKey, parse_run_id
from interlock.core.traits import FailureCategory


@click.command()
@click.argument("run_id")
@click.option("--status", type=click.Choice(["success", "failed"]), required=True, help="How it ended.")
@click.option(
    "--attempt", type=click.IntRange(min=1), help="Which attempt; the job's own, else the latest, by default."
)
@click.option(
    "--category",
    type=click.Choice([category.value for category in FailureCategory]),
    help="Why it failed; decides whether it is tried again.",
)
@click.option("--reason", default="", help="What there is to say about it.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run_id: str,
    status: str,
    attempt: int | None,
    category: str | None,
    reason: str,
    *,
    as_json: bool,
) -> None:
    """Report how an attempt of the run RUN_ID ended.

    The same report may be repeated: it is taken once. Leaves with 0 when the report is known, 7 when the attempt ended
    otherwise before or is not the one under way.

    \b
    Examples:
      interlock complete example:daily:2026-03-07:1 --status success
      interlock complete "$INTERLOCK_RUN_ID" --status failed --category PERMANENT --reason "schema changed"
    """
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    key = _key(run_id)
    work = opened(ctx, sound_project_of(ctx))
    if category is not None and status == "success":
        raise click.UsageError("--category goes with --status failed")
    report = Report(
        succeeded=status == "success",
        attempt=attempt if attempt is not None else _own_attempt(run_id),
        category=FailureCategory(category) if category else None,
        reason=reason,
        by=actor(),
    )
    received = complete(key, report, work.store, work.clock.now())
    if received.how is Reception.TAKEN:
        # Nobody else may be there to tell people, or whoever waits for it.
        Driver(work.hands, SystemPacer(work.clock)).catch_up(key)
    if as_json:
        emit_json("Run", run_view(received.run))
    else:
        say(f"{run_id}  {styled(received.run.status)}  {received.how.value}")
    if received.how is Reception.CONFLICT:
        raise Leave(Exit.CONFLICT, f"the report was not taken: {received.how.value}; the run is {received.run.status}")


def _key(run_id: str) -> RunKey:
    try:
        return parse_run_id(run_id)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="RUN_ID") from exc


def _own_attempt(run_id: str) -> int | None:
    """Return the attempt of the job that calls this, so that a late report of an old attempt is not taken for the new."""
    text = os.environ.get("INTERLOCK_ATTEMPT", "")
    own = os.environ.get("INTERLOCK_RUN_ID") == run_id
    return int(text) if own and text.isascii() and text.isdigit() else None
