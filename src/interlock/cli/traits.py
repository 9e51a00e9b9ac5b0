"""`interlock traits push`: hand in a result for a trait that is checked elsewhere."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click
import msgspec

from interlock.app.markers import nudge
from interlock.app.views import push_view
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.output import emit_json, say, span, styled
from interlock.cli.parameters import actor, duration
from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.core.ids import ScheduleName
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec
from interlock.core.traits import FailureCategory, TraitSpec, TraitStatus
from interlock.errors import ConfigError, NotFound
from interlock.ports.pushes import PushedResult

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

PUSH = "push"


@click.group()
def command() -> None:
    """Work with the results of traits."""


def _value(ctx: click.Context, param: click.Parameter, text: str | None) -> Document | None:  # noqa: ARG001
    if text is None:
        return None
    try:
        found: Any = msgspec.json.decode(text)
        if not isinstance(found, dict):
            raise click.BadParameter('a JSON object is needed, such as {"rows": 1200}')
        return document(found)
    except ValueError as exc:
        raise click.BadParameter(f"not a JSON object: {exc}") from exc


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
    value: Document | None,
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
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    found = _pushable(spec, trait)
    if schedule is not None and spec.schedule(schedule) is None:
        raise NotFound(f"pipeline {pipeline} has no schedule {schedule!r}")
    life = _life(found, ttl)
    work = opened(ctx, project)
    pushed = PushedResult(
        trait=found.name,
        status=TraitStatus(status),
        pushed_at=work.clock.now(),
        schedule=ScheduleName(schedule) if schedule else None,
        period=period,
        value=value,
        reason=reason,
        category=FailureCategory(category) if category else None,
        ttl=life,
        pushed_by=actor(),
    )
    _keep(work, spec, pushed)
    if as_json:
        emit_json("PushedResult", push_view(spec.name, pushed))
    else:
        say(f"{styled(status)}  {pipeline} {trait}, counts for {span(life)}")


def _keep(work: Interlock, spec: PipelineSpec, pushed: PushedResult) -> None:
    work.pushes.put_push(spec.name, pushed)
    # Whoever waits for it asks again now, and not after an interval.
    day = pushed.period[:10] if pushed.period is not None else ""
    nudge(spec.name, f"push: {pushed.trait}", pushed.pushed_at, work.hands, day=day)


def _pushable(spec: PipelineSpec, name: str) -> TraitSpec:
    names = [trait.name for trait in spec.traits]
    found = next((trait for trait in spec.traits if trait.name == name), None)
    if found is None:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        raise NotFound(f"pipeline {spec.name} has no trait {name!r} ({hint})")
    if found.evaluator[0] != PUSH:
        raise ConfigError(
            f"trait {name} of {spec.name} is checked by {' '.join(found.evaluator)}, so a pushed result would never be "
            f"read. Set `evaluator: push` for it first"
        )
    return found


def _life(trait: TraitSpec, ttl: timedelta | None) -> timedelta:
    # A push without an end would keep its gate open for ever, long after whoever pushed has gone.
    life = ttl if ttl is not None else trait.ttl
    if life <= timedelta():
        raise click.UsageError(
            f"--ttl is needed: trait {trait.name} declares no ttl, and a pushed result must end some day"
        )
    return life
