"""`interlock calendar`: make calendar files, and look at calendars."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from interlock.api.registering import CalendarDays, CalendarView
from interlock.cli.asking import ask, require_here
from interlock.cli.context import json_option
from interlock.cli.output import emit_json, say, table, tell
from interlock.config import values
from interlock.config.values import Refused
from interlock.runtime.clock import SystemClock

_YEARS: Final = re.compile(r"(\d{4})(?:-(\d{4}))?", re.ASCII)


@click.group()
def command() -> None:
    """Make calendar files, and look at what a calendar holds."""


def _years(ctx: click.Context, param: click.Parameter, value: str | None) -> range:  # noqa: ARG001
    from interlock.scaffold.calendars import MOST_YEARS

    if value is None:
        this = SystemClock().now().year
        return range(this, this + 2)
    match = _YEARS.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is neither a year nor two, such as 2026-2027")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1900 <= first <= last <= 2999 or last - first >= MOST_YEARS:
        raise click.BadParameter(f"{value!r} is out of range: from 1900 to 2999, at most {MOST_YEARS} years")
    return range(first, last + 1)


def _name(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    try:
        return values.name(value)
    except Refused as exc:
        raise click.BadParameter(str(exc)) from exc


@command.command()
@click.argument("name", callback=_name)
@click.option(
    "--holidays", "code", required=True, metavar="CODE", help="A country such as US, or a market such as XNYS."
)
@click.option("--subdiv", metavar="CODE", help="A state or province, such as CA.")
@click.option("--years", metavar="FIRST-LAST", callback=_years, help="Which years; this one and the next by default.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it there, over what is there, instead of printing it.",
)
@click.pass_context
def build(ctx: click.Context, name: str, code: str, subdiv: str | None, years: range, output: Path | None) -> None:
    """Make the file of a calendar NAME out of public holidays. The file is yours: read it, change it, commit it.

    Needs the extra `calendars`: pip install 'interlock[calendars]'. Nothing else does: evaluating never looks anything up.

    \b
    Examples:
      interlock calendar build us-holidays --holidays US --years 2026-2027 -o calendars/us-holidays.yaml
      interlock calendar build nyse --holidays XNYS
    """
    from interlock.scaffold.calendars import calendar_file

    require_here(ctx)
    try:
        text = calendar_file(name, code, subdiv, years)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--holidays") from exc
    if output is None:
        say(text.removesuffix("\n"))
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, "utf-8")
    except OSError as exc:
        raise click.BadParameter(f"{output} cannot be written: {exc.strerror}", param_hint="--output") from exc
    tell(f"wrote {output}: {text.count('  - ')} days")


@command.command()
@click.argument("name")
@click.option("--next", "count", type=click.IntRange(1, 1000), default=30, show_default=True, help="How many days.")
@click.option(
    "--from", "since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="From this day on; today by default."
)
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, count: int, since: datetime | None, *, as_json: bool) -> None:
    """Show the next days of the calendar NAME, with everything that it is made of.

    \b
    Examples:
      interlock calendar show us-holidays --next 30
      interlock calendar show month-ends --from 2028-01-01 --json
    """
    begin = None if since is None else since.date()
    days = ask(ctx, CalendarDays(calendar_name=name, count=count, since=begin)).days
    if as_json:
        emit_json("Calendar", CalendarView(name=name, days=days))
    elif days:
        say(table(("DAY", ""), [(each.isoformat(), values.WEEKDAYS[each.weekday()]) for each in days]))
    if len(days) < count:
        last = f"the last is {days[-1]}" if days else "there is none"
        day = begin or SystemClock().now().date()
        tell(f"interlock: {name} has fewer than {count} days in the ten years from {day}: {last}")
