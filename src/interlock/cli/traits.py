"""`interlock traits push`: hand in a result for a trait that is checked elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
import msgspec

from interlock.api.judging import PushTrait
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, say, span, styled
from interlock.cli.parameters import duration
from interlock.core.periods import Period
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, TraitStatus


@click.group()
def command() -> None:
    """Work with the results of traits."""


def _value(ctx: click.Context, param: click.Parameter, text: str | None) -> dict[str, Any] | None:  # noqa: ARG001
    if text is None:
        return None
    try:
        found: Any = msgspec.json.decode(text)
    except ValueError as exc:
        raise click.BadParameter(f"not a JSON object: {exc}") from exc
    if not isinstance(found, dict):
        raise click.BadParameter('a JSON object is needed, such as {"rows": 1200}')
    return found


def _period(ctx: click.Context, param: click.Parameter, text: str | None) -> Period | None:  # noqa: ARG001
    try:
        return None if text is None else Period.parse(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


@command.command()
@pipeline_argument
@click.argument("trait")
@click.option("--status", type=click.Choice([status.value for status in TraitStatus]), required=True)
@click.option(
    "--ttl", callback=duration, help="How long it counts, such as 30m; the trait's own ttl by default and at most."
)
@click.option("--value", callback=_value, help="Measurements, as a JSON object.")
@click.option("--reason", default="", help="What there is to say about it.")
@click.option("--category", type=click.Choice([category.value for category in FailureCategory]))
@click.option("--schedule", help="Count for this schedule only.")
@click.option("--date", "period", callback=_period, help="Count for this period only, such as 2026-03-07.")
@json_option
@click.pass_context
def push(  # noqa: PLR0913, PLR0917  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    trait: str,
    status: str,
    ttl: timedelta | None,
    value: dict[str, Any] | None,
    reason: str,
    category: str | None,
    schedule: str | None,
    period: Period | None,
    *,
    as_json: bool,
) -> None:
    """Hand in a result for TRAIT of PIPELINE, which must say `evaluator: push`.

    \b
    Examples:
      interlock traits push orders upstream-dependency --status PASS --ttl 30m
      interlock traits push orders row-count --status FAIL --value '{"rows": 0}' --reason "nothing landed"
    """
    request = PushTrait(
        pipeline_id=pipeline,
        trait_type=trait,
        status=TraitStatus(status),
        value=value,
        reason=reason,
        ttl=format_duration(ttl) if ttl else None,
        category=FailureCategory(category) if category else None,
        schedule=schedule,
        date=str(period) if period is not None else None,
    )
    view = ask(ctx, request)
    if as_json:
        emit_json("PushedResult", view)
    else:
        life = view.expires_at - view.pushed_at if view.expires_at is not None else timedelta()
        say(f"{styled(status)}  {pipeline} {trait}, counts for {span(life)}")
