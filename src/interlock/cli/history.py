"""`interlock history`: the runs of a pipeline."""

from __future__ import annotations

import click

from interlock.api.looking import History
from interlock.app.queries import RunsView
from interlock.app.views import AttemptView
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, moment, plain, say, span, styled, tell
from interlock.cli.render_status import runs

LONGEST = 500


@click.command()
@pipeline_argument
@click.option("--limit", type=click.IntRange(1, LONGEST), default=20, show_default=True, help="How many runs.")
@click.option("--before", metavar="RUN_ID", help="Only runs that were opened before this one: how to go on.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str, limit: int, before: str | None, *, as_json: bool) -> None:
    """Show the runs of PIPELINE, newest first, each with its attempts.

    \b
    Examples:
      interlock history example
      interlock history example --limit 5 --json | jq -r '.items[].status'
      interlock history example --before example:daily:2026-03-07:1
    """
    shown = ask(ctx, History(pipeline_id=pipeline, limit=limit, cursor=before))
    if as_json:
        emit_json("RunList", shown)
    elif not shown.items:
        tell(
            f"no earlier run of {pipeline}"
            if before
            else f"{pipeline} has no runs yet; begin with: interlock run {pipeline}"
        )
    else:
        _print(shown)
        if shown.next:
            tell(f"there are more: interlock history {pipeline} --limit {limit} --before {shown.next}")


def _print(shown: RunsView) -> None:
    for run, line in zip(shown.items, runs(shown.items), strict=True):
        say(line.removeprefix("  "))
        # One attempt that succeeded says nothing that its run does not.
        if len(run.attempts) > 1 or any(attempt.failure_message for attempt in run.attempts):
            for attempt in run.attempts:
                say(f"    {_attempt(attempt)}")


def _attempt(attempt: AttemptView) -> str:
    took = span(attempt.completed_at - attempt.started_at)
    words = [f"attempt {attempt.attempt}", styled(attempt.status), moment(attempt.started_at), f"took {took}"]
    why = ": ".join(part for part in (attempt.failure_category or "", plain(attempt.failure_message)) if part)
    return "  ".join([*words, why] if why else words)
