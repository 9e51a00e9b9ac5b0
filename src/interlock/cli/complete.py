"""`interlock complete`: a job, or a person, reports how a run's attempt ended."""

from __future__ import annotations

import os

import click

from interlock.api.running import CompleteRun
from interlock.cli.asking import ask
from interlock.cli.context import json_option
from interlock.cli.output import emit_json, say, styled
from interlock.core.ids import parse_run_id
from interlock.core.traits import FailureCategory
from interlock.errors import Conflict


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
    request = CompleteRun(
        run_id=named_run(run_id, "RUN_ID"),
        status="success" if status == "success" else "failed",
        attempt=attempt if attempt is not None else _own_attempt(run_id),
        category=FailureCategory(category) if category else None,
        reason=reason,
    )
    try:
        view = ask(ctx, request)
    except Conflict as exc:
        found = exc.details.get("run")
        if as_json and isinstance(found, dict):
            emit_json("Run", found)
        raise
    if as_json:
        emit_json("Run", view)
    else:
        how = "the same outcome was known already" if view.known else "the report was taken"
        say(f"{run_id}  {styled(view.status)}  {how}")


def named_run(text: str, where: str) -> str:
    """Return a run id that looks like one.

    Raises:
        click.BadParameter: it does not.
    """
    try:
        return parse_run_id(text).run_id
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint=where) from exc


def _own_attempt(run_id: str) -> int | None:
    """Return the attempt of the job that calls this, so that a late report of an old attempt is not taken for the new."""
    text = os.environ.get("INTERLOCK_ATTEMPT", "")
    own = os.environ.get("INTERLOCK_RUN_ID") == run_id
    return int(text) if own and text.isascii() and text.isdigit() else None
