"""`interlock schedule`: the slots to come, as concrete instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import click

from interlock.api.planning import USUAL, PreviewSchedule, SchedulePreviewList
from interlock.app.previews import MOST, MomentView, SchedulePreview, SlotPreview
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.output import emit_json, faint, say, strong, table, tell
from interlock.cli.pipelines import every_pipeline

_YEARS: Final = range(1900, 2900)


@click.group()
def command() -> None:
    """Show when slots open, when they are due and when they close."""


def _day(ctx: click.Context, param: click.Parameter, value: datetime | None) -> date | None:  # noqa: ARG001
    if value is not None and value.year not in _YEARS:
        raise click.BadParameter(f"the year {value.year} is out of range: from {_YEARS[0]} to {_YEARS[-1]}")
    return None if value is None else value.date()


@command.command("preview")
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option(
    "--next", "count", type=click.IntRange(1, MOST), help=f"How many slots of each schedule; {USUAL} by default."
)
@click.option("--days", type=click.IntRange(1, 3660), help="All slots of so many days, instead of a number of slots.")
@click.option(
    "--from", "since", type=click.DateTime(["%Y-%m-%d"]), callback=_day, metavar="DATE",
    help="Begin with this day in each schedule's zone, instead of now.",
)  # fmt: skip
@click.option("--around-dst", is_flag=True, help="The slots on both sides of the next two clock changes of each zone.")
@json_option
@click.pass_context
def preview_command(
    ctx: click.Context,
    pipeline: str | None,
    count: int | None,
    days: int | None,
    since: date | None,
    *,
    around_dst: bool,
    as_json: bool,
) -> None:
    """Show the next slots of PIPELINE, or of all, as instants in the schedule's zone and in UTC. Nothing is opened or asked.

    \b
    Examples:
      interlock schedule preview
      interlock schedule preview daily-sales-rollup --days 14
      interlock schedule preview daily-sales-rollup --from 2026-12-24 --next 3 --json
      interlock schedule preview daily-sales-rollup --around-dst
    """
    if around_dst and days is not None:
        raise click.UsageError(
            "--around-dst shows slots beside clock changes, and --days those of a stretch: give one of them"
        )
    names = [pipeline] if pipeline is not None else [each.name for each in every_pipeline(ctx) if not each.problems]
    found: list[SchedulePreview] = []
    for name in names:
        request = PreviewSchedule(pipeline_id=name, count=count, days=days, since=since, around_dst=around_dst)
        found += ask(ctx, request).items
    shown = list(_changing(found)) if around_dst else found
    if as_json:
        emit_json("SchedulePreviewList", SchedulePreviewList(items=tuple(shown)))
    else:
        _print(shown)
    if any(len(each.slots) >= MOST for each in shown):
        tell(f"interlock: no more than {MOST} slots of a schedule are shown")


def _changing(found: list[SchedulePreview]) -> Iterator[SchedulePreview]:
    for each in found:
        if each.change is not None:
            yield each
            continue
        name = f"{each.pipeline_id} {each.schedule_id}"
        tell(f"interlock: {name}: the clocks of {each.timezone} are not changed within three years")


# ---------------------------------------------------------------- for people


def _print(shown: list[SchedulePreview]) -> None:
    for index, each in enumerate(shown):
        if index:
            say()
        say(strong(f"{each.pipeline_id} {each.schedule_id}") + faint(f"  {each.timezone}"))
        if each.change is not None:
            say(f"clocks change at {each.change.before}: they then show {each.change.after}")
        if not each.slots:
            say("no slots")
            continue
        say(table(("SLOT", "", "OPENS", "AT RISK", "EVALUATE BY", "COMPLETE BY", "CLOSES", ""), _rows(each)))


def _rows(each: SchedulePreview) -> Iterator[tuple[str, ...]]:
    for slot in each.slots:
        moments = (_first_warning(slot), slot.evaluate_by, slot.complete_by, slot.closes_at)
        local = ["-" if one is None else _short(one.local, slot.opens_at.local) for one in moments]
        utc = ["-" if one is None else _short(_utc(one), _utc(slot.opens_at)) for one in moments]
        note = f"nothing starts: {slot.excluded}" if slot.excluded else f"closes: {slot.closes_because}"
        yield slot.date, "local", slot.opens_at.local.replace("T", " "), *local, note
        yield "", "UTC", _utc(slot.opens_at).replace("T", " "), *utc, ""


def _first_warning(slot: SlotPreview) -> MomentView | None:
    given = [one for one in (slot.evaluation_at_risk_at, slot.completion_at_risk_at) if one is not None]
    return min(given, key=lambda one: one.utc, default=None)


def _utc(one: MomentView) -> str:
    return one.utc.replace(tzinfo=None).isoformat(timespec="seconds" if one.utc.second else "minutes") + "Z"


def _short(text: str, opening: str) -> str:
    """Leave the day out where it is the opening's."""
    return text[11:] if text[:10] == opening[:10] else text.replace("T", " ")
