"""`interlock sensor`: tell what was measured, and look at it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from interlock.api.sensing import (
    AddToSensorSet,
    IncrementSensor,
    MergeSensor,
    PutSensor,
    SensorOf,
    Sensors,
)
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, faint, moment, plain, say, table, tell

if TYPE_CHECKING:
    from interlock.api.contract import Request
    from interlock.app.sensor_views import SensorView, SensorWritten

F = TypeVar("F", bound=Callable[..., Any])

LONGEST = 1000

_SHOWN = 120


@click.group()
def command() -> None:
    """Tell what was measured, and look at it. Rules and other checks of a pipeline judge by its sensors."""


def _sensor(function: F) -> F:
    function = click.argument("key")(function)
    return pipeline_argument(function)


def _date(function: F) -> F:
    text = "The one period that it counts for, such as 2026-03-07; every period without it."
    return click.option("--date", metavar="PERIOD", help=text)(function)


def _delivery(function: F) -> F:
    text = "Names this telling: told again with the same id, it changes nothing."
    return click.option("--delivery-id", default="", metavar="ID", help=text)(function)


def _data(function: F) -> F:
    function = click.option(
        "--set", "fields", multiple=True, metavar="FIELD=VALUE", help="One field: JSON, or else a text. Repeatable."
    )(function)
    return click.option("--data", metavar="JSON", help="A JSON object; - reads it from stdin.")(function)


@command.command("put")
@_sensor
@_data
@_date
@_delivery
@json_option
@click.pass_context
def put_command(
    ctx: click.Context,
    /,
    pipeline: str,
    key: str,
    data: str | None,
    fields: tuple[str, ...],
    *,
    as_json: bool,
    **about: Any,
) -> None:
    """Let the sensor KEY of PIPELINE hold this, whatever it held before. Waiting runs are judged at once.

    \b
    Examples:
      interlock sensor put orders landing --set rows=1200 --set complete=true
      interlock sensor put orders landing --data '{"rows": 1200}' --date 2026-03-07 --delivery-id load-4711
    """
    told = _object(data, fields)
    _write(ctx, PutSensor(pipeline_id=pipeline, key=key, data=told, **about), as_json=as_json)


@command.command("merge")
@_sensor
@_data
@_date
@_delivery
@json_option
@click.pass_context
def merge_command(
    ctx: click.Context,
    /,
    pipeline: str,
    key: str,
    data: str | None,
    fields: tuple[str, ...],
    *,
    as_json: bool,
    **about: Any,
) -> None:
    """Lay fields over those that the sensor KEY of PIPELINE has; a null removes a field.

    \b
    Examples:
      interlock sensor merge orders landing --set complete=true
    """
    told = _object(data, fields)
    request = MergeSensor(pipeline_id=pipeline, key=key, data=told, **about)
    _write(ctx, request, as_json=as_json)


@command.command("increment")
@_sensor
@click.argument("field")
@click.option("--by", default="1", show_default=True, metavar="NUMBER", help="What is added; negative to take away.")
@_date
@_delivery
@json_option
@click.pass_context
def increment_command(
    ctx: click.Context,
    /,
    pipeline: str,
    key: str,
    field: str,
    by: str,
    *,
    as_json: bool,
    **about: Any,
) -> None:
    """Add to the number in FIELD of the sensor KEY of PIPELINE; what is not there counts as zero.

    \b
    Examples:
      interlock sensor increment orders landing files --by 3 --delivery-id batch-17
    """
    request = IncrementSensor(pipeline_id=pipeline, key=key, field=field, by=_number(by), **about)
    _write(ctx, request, as_json=as_json)


@command.command("add")
@_sensor
@click.argument("field")
@click.argument("members", nargs=-1, required=True)
@click.option("--numbers", is_flag=True, help="The members are whole numbers, and not texts.")
@_date
@_delivery
@json_option
@click.pass_context
def add_command(
    ctx: click.Context,
    /,
    pipeline: str,
    key: str,
    field: str,
    members: tuple[str, ...],
    *,
    numbers: bool,
    as_json: bool,
    **about: Any,
) -> None:
    """Add MEMBERS to the set in FIELD of the sensor KEY of PIPELINE. What is in it already stays there once.

    \b
    Examples:
      interlock sensor add orders landing windows 13 14 --date 2026-03-07
    """
    found = tuple(_whole(member) if numbers else member for member in members)
    request = AddToSensorSet(pipeline_id=pipeline, key=key, field=field, members=found, **about)
    _write(ctx, request, as_json=as_json)


@command.command("get")
@_sensor
@_date
@json_option
@click.pass_context
def get_command(ctx: click.Context, pipeline: str, key: str, date: str | None, *, as_json: bool) -> None:
    """Show the sensor KEY of PIPELINE: of exactly this date, or the one without a date.

    \b
    Examples:
      interlock sensor get orders landing --json | jq .data.rows
    """
    view = ask(ctx, SensorOf(pipeline_id=pipeline, key=key, date=date))
    if as_json:
        emit_json("Sensor", view)
    else:
        by = f" by {plain(view.updated_by)}" if view.updated_by else ""
        say(f"{_name(view)}  version {view.version}, {moment(view.updated_at)}{by}")
        for field in view.data:
            say(f"  {plain(field)}: {view.data.get(field)}")


@command.command("list")
@pipeline_argument
@click.option("--limit", type=click.IntRange(1, LONGEST), default=100, show_default=True, help="How many.")
@click.option("--after", metavar="PLACE", help="Go on where the last list ended.")
@json_option
@click.pass_context
def list_command(ctx: click.Context, pipeline: str, limit: int, after: str | None, *, as_json: bool) -> None:
    """List the sensors of PIPELINE, by key and date.

    \b
    Examples:
      interlock sensor list orders
    """
    shown = ask(ctx, Sensors(pipeline_id=pipeline, limit=limit, cursor=after))
    if as_json:
        emit_json("SensorList", shown)
        return
    if not shown.items:
        tell(f"nobody has written a sensor of {pipeline}; begin with: interlock sensor put {pipeline} KEY --set rows=1")
        return
    rows = [
        (each.key, each.date or "any", str(each.version), moment(each.updated_at), _short(each)) for each in shown.items
    ]
    say(table(("sensor", "date", "version", "written", "data"), rows))
    if shown.next:
        tell(f"there are more: interlock sensor list {pipeline} --limit {limit} --after '{shown.next}'")


def _write(ctx: click.Context, request: Request[SensorWritten], *, as_json: bool) -> None:
    written = ask(ctx, request)
    if as_json:
        emit_json("SensorWritten", written)
        return
    say(f"{_name(written.sensor)}  version {written.sensor.version}  {_short(written.sensor)}")
    if not written.applied:
        tell("this delivery had been applied before; nothing was changed")
    if written.woken:
        runs = "one waiting run asks" if written.woken == 1 else f"{written.woken} waiting runs ask"
        tell(f"{runs} again")


def _name(view: SensorView) -> str:
    return f"{view.pipeline_id} {view.key}" + (f" {faint(view.date)}" if view.date else "")


def _short(view: SensorView) -> str:
    text = plain(view.data.text)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _object(data: str | None, fields: tuple[str, ...]) -> dict[str, Any]:
    if data is None and not fields:
        raise click.UsageError("say what was measured: --set FIELD=VALUE, or --data with a JSON object")
    text = sys.stdin.read() if data == "-" else data
    try:
        found: Any = {} if text is None else msgspec.json.decode(text)
    except (ValueError, RecursionError) as exc:
        raise click.BadParameter(f"not JSON: {exc}", param_hint="--data") from exc
    if not isinstance(found, dict):
        raise click.BadParameter('a JSON object is needed, such as {"rows": 1200}', param_hint="--data")
    return found | dict(map(_field, fields))


def _field(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="--set")
    try:
        return name, msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return name, value


def _number(text: str) -> int | float:
    try:
        return msgspec.json.decode(text.removeprefix("+"), type=int | float)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not a number", param_hint="--by") from exc


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not a whole number", param_hint="MEMBERS") from exc
