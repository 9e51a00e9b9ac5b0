"""`interlock evaluate`: ask, judge, keep; start nothing."""

from __future__ import annotations

import click

from interlock.api.judging import Evaluate
from interlock.app.views import ReadinessView, TraitView
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, faint, plain, say, strong, styled
from interlock.cli.parameters import schedule_option
from interlock.cli.progress import patience


@click.command()
@pipeline_argument
@schedule_option
@click.option("--date", "period", help="The period to ask about, such as 2026-03-07; the current one by default.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str, schedule: str | None, period: str | None, *, as_json: bool) -> None:
    """Ask every trait of PIPELINE afresh and say whether its job might start. Nothing is started.

    \b
    Leaves with 0 when READY, 1 when NOT_READY, 3 when the evaluators that block could not tell.

    \b
    Examples:
      interlock evaluate example
      interlock evaluate example --json | jq .blocking
    """
    with patience(f"asking the traits of {pipeline}", quiet=as_json):
        view = ask(ctx, Evaluate(pipeline_id=pipeline, schedule=schedule, date=period))
    if as_json:
        emit_json("Readiness", view)
    else:
        print_readiness(view)
    raise Leave(view_exit(view))


def view_exit(view: ReadinessView) -> Exit:
    """Return the exit code of a verdict. A decided no is never hidden by another trait's error."""
    if view.status == "READY":
        return Exit.DONE
    return Exit.UNDECIDED if view.undecided else Exit.NOT_READY


def print_readiness(view: ReadinessView) -> None:
    """Print a verdict with its traits."""
    say(f"{strong(view.pipeline_id)}  {view.schedule_id}  {view.date}")
    numbers = f"{view.passed} passed, {view.needed} needed, rule {view.rule}"
    say(f"{styled(view.status)}  {faint(numbers)}")
    if view.blocking:
        say(f"blocked by: {', '.join(view.blocking)}")
    width = max((len(trait.trait_type) for trait in view.traits), default=0)
    for trait in view.traits:
        say(
            f"  {styled(trait.status)}{' ' * (5 - len(trait.status))} {trait.trait_type:<{width}}  {_reason(trait)}".rstrip()
        )


def _reason(trait: TraitView) -> str:
    notes = [] if trait.required else ["optional"]
    notes += [trait.failure_category] if trait.failure_category else []
    aside = faint(f" ({', '.join(notes)})") if notes else ""
    return plain(trait.reason) + aside
