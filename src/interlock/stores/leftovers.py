"""Removing what is over and belongs to no slot: old lines, evaluations, pushed results, sensors of a period, old alerts.

Each of these is bounded, and goes through a list from its old end; what cannot be read, or is not over, is passed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, TypeVar

from msgspec import Struct

from interlock.core.dispatching import AlertRecord
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import MAX_BATCH, Change, Delete, Kernel, Page, Record, cursor_of
from interlock.stores.repository import decoded
from interlock.stores.retiring import Step, Terms, is_gone, marked_in, slot_of

T = TypeVar("T")

_DAY: Final = timedelta(days=1)
_DATED: Final = (keys.PUSH_PREFIX, keys.SENSOR_PREFIX)


def forget_lines(kernel: Kernel, pipeline: PipelineName, terms: Terms, *, limit: int, after: str | None) -> Step:
    """Remove lines of a pipeline's timeline that are of no run, no slot that is kept, and no alert that is kept."""
    page = kernel.listing(keys.timeline_kind(pipeline), Page(limit=limit, after=after))
    old = [line for line in page if line.rank <= keys.moment(terms.before)]
    removed = 0
    for pk, lines in groupby(sorted(old, key=lambda line: line.pk), key=lambda line: line.pk):
        chosen = [line for line in lines if line.sk.startswith((keys.NOTE_PREFIX, keys.EXPECTED_NOTE_PREFIX))]
        if chosen and not _belongs(kernel, chosen[0]):
            removed += _removed(kernel, pk, chosen, terms)
    return Step(removed, cursor_of(old[-1]) if len(old) == limit else None)


def forget_evaluations(kernel: Kernel, pipeline: PipelineName, terms: Terms, *, limit: int, after: str | None) -> Step:
    """Remove the evaluations of a pipeline that are over, except for the latest: it says how the pipeline stands."""
    kind = keys.evaluations_kind(pipeline)
    latest = kernel.listing(kind, Page(limit=1, backwards=True))
    page = kernel.listing(kind, Page(limit=limit, after=after))
    old = [row for row in page if row.rank <= keys.moment(terms.before)]
    over = [row for row in old if row.sk not in {each.sk for each in latest}]
    removed = _removed(kernel, keys.pipeline_pk(pipeline), over, terms)
    return Step(removed, cursor_of(old[-1]) if len(old) == limit else None)


def forget_told(
    kernel: Kernel,
    pipeline: PipelineName,
    terms: Terms,
    needed: Callable[[Period], bool],
    *,
    limit: int,
    after: str | None,
) -> Step:
    """Remove pushed results and sensors of periods that are over, unless somebody may still ask about the period.

    What is about every period is kept, however old it is: it holds until somebody says otherwise.
    """
    prefix = _DATED[0] if after is None else next(each for each in _DATED if after.startswith(each.rstrip("#")))
    page = kernel.rows(keys.pipeline_pk(pipeline), prefix, Page(limit=limit, after=after))
    over = [row for row in page if _is_over(row, terms, needed)]
    removed = _removed(kernel, keys.pipeline_pk(pipeline), over, terms)
    if len(page) == limit:
        return Step(removed, page[-1].sk)
    return Step(removed, _DATED[1].rstrip("#") if prefix == _DATED[0] else None)


def forget_alerts(kernel: Kernel, terms: Terms, *, limit: int, after: str | None) -> Step:
    """Remove alerts about slots that are gone, when everybody has heard of their end.

    What is about no slot may come again under its name, and then is told as one more than the time before: it is kept.
    """
    page = kernel.listing(keys.ALERTS_KIND, Page(limit=limit, after=after))
    old = [row for row in page if row.rank <= keys.moment(terms.before)]
    removed = sum(_alert_removed(kernel, row, terms) for row in old)
    return Step(removed, cursor_of(old[-1]) if len(old) == limit else None)


def _alert_removed(kernel: Kernel, row: Record, terms: Terms) -> bool:
    record = _readable(row, AlertRecord)
    if record is None or record.open or row.wake_at is not None or any(each.pending for each in record.deliveries):
        return False
    slot, since = record.alert.slot, record.resolved_at
    if slot is None or since is None or since > terms.before or not is_gone(kernel, slot):
        return False
    if terms.marked and kernel.rows(row.pk, keys.MARK_PREFIX, Page(limit=1)):
        return False
    rest = [each.sk for each in kernel.rows(row.pk, "", Page()) if each.sk != row.sk]
    # The alert itself with its version: told anew, or changed, it stays. Lines that are left go with those of nothing.
    batch: list[Change] = [Delete(row.sk, row.version), *map(Delete, rest[: MAX_BATCH - 1])]
    return kernel.commit(row.pk, batch)


class _Told(Struct, frozen=True, kw_only=True):
    """When a pushed result or a sensor was last told, by whichever name it goes."""

    pushed_at: datetime | None = None
    updated_at: datetime | None = None


def _is_over(row: Record, terms: Terms, needed: Callable[[Period], bool]) -> bool:
    told = _readable(row, _Told)
    at = None if told is None else told.updated_at or told.pushed_at
    try:
        period = Period.parse(row.sk.rpartition("#")[2])
    except ValueError:
        return False
    # A day of slack: where the period is, the day may end later than here.
    over = at is not None and at <= terms.before and period.day < (terms.before - _DAY).date()
    return over and not needed(period)


def _belongs(kernel: Kernel, line: Record) -> bool:
    """Say whether a line goes with something that is kept, or goes when that does."""
    if line.pk.startswith(keys.DISPATCH_PREFIX):
        return kernel.get(line.pk, keys.DISPATCH_SK) is not None
    slot = slot_of(line)
    return slot is not None and not is_gone(kernel, slot)


def _removed(kernel: Kernel, pk: str, rows: Iterable[Record], terms: Terms) -> int:
    there = list(rows)
    # Asked after the rows were read: whatever of them is not archived has its mark by now.
    kept = marked_in(kernel, pk) if terms.marked and there else frozenset[str]()
    removed = 0
    for row in there:
        if row.sk not in kept:
            removed += kernel.commit(pk, [Delete(row.sk, row.version)])
    return removed


def _readable(row: Record, kind: type[T]) -> T | None:
    try:
        return decoded(row, kind)
    except UnreadableRecord:
        return None
