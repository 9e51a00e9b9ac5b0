"""What of the past somebody may still need: asked before history is removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Final

from interlock.app.hands import Hands
from interlock.codec.documents import mapping
from interlock.core.ids import PipelineName, RunKey, Slot
from interlock.core.periods import Period
from interlock.core.schedules import next_window
from interlock.core.templates import has_placeholder
from interlock.errors import InterlockError, NotFound, StoreUnavailable

_PAGE: Final = 500


class Needs:
    """What is needed at the moment at which it is first asked. Made anew for every look at the past.

    A slot is needed while an alert about it is open, while its agenda or that of a pipeline which waits for it may still
    come to its day, and while a run that has not ended may ask about it. What was told of a period is needed while a run
    of its day has not ended, or is still to come.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._coming: dict[PipelineName, date | None] = {}

    def slot(self, slot: Slot) -> bool:
        """Say whether a slot's history may still be needed."""
        pipelines = (slot.pipeline, *self._hands.catalog.downstream_of(slot.pipeline))
        if any(self._may_come(each, slot.period.day) for each in pipelines):
            return True
        asked, days = self._asked
        return slot in self._alerted or slot.period.day in days or (slot.pipeline, slot.period.day) in asked

    def period(self, pipeline: PipelineName, period: Period) -> bool:
        """Say whether what was told of a pipeline's period may still be asked for."""
        return self._may_come(pipeline, period.day) or (pipeline, period.day) in self._days

    def _may_come(self, pipeline: PipelineName, day: date) -> bool:
        """Say whether a slot of a day, or of one before it, is still to be opened by its agenda."""
        if pipeline not in self._coming:
            self._coming[pipeline] = min(self._next_days(pipeline), default=None)
        coming = self._coming[pipeline]
        return coming is not None and coming <= day

    def _next_days(self, pipeline: PipelineName) -> Iterator[date]:
        for agenda in self._hands.agendas.agendas_of(pipeline):
            if agenda.retired:
                continue
            try:
                schedule = self._hands.store.spec(agenda.spec_digest).schedule(agenda.schedule)
            except NotFound:
                yield date.min  # what it comes to nobody can say, until it is planned anew
                continue
            window = None if schedule is None else next_window(pipeline, schedule, agenda.opened_to)
            if window is not None:
                yield window.slot.period.day

    @cached_property
    def _alerted(self) -> frozenset[Slot]:
        found, before = set[Slot](), None
        while True:
            page = self._hands.dispatches.alerts(limit=_PAGE, open_only=True, before=before)
            found.update(record.alert.slot for record in page if record.alert.slot is not None)
            if len(page) < _PAGE:
                return frozenset(found)
            before = page[-1].alert.alert_id

    @cached_property
    def _active(self) -> tuple[RunKey, ...]:
        found, after = list[RunKey](), None
        while True:
            page = self._hands.store.active_runs(limit=_PAGE, after=after)
            found += page
            if len(page) < _PAGE:
                return tuple(found)
            after = page[-1].run_id

    @cached_property
    def _days(self) -> frozenset[tuple[PipelineName, date]]:
        return frozenset((key.slot.pipeline, key.slot.period.day) for key in self._active)

    @cached_property
    def _asked(self) -> tuple[frozenset[tuple[PipelineName, date]], frozenset[date]]:
        """What active runs may ask about, and the days of those runs of which nobody can say what they ask about."""
        asked, days = set[tuple[PipelineName, date]](), set[date]()
        for key in self._active:
            try:
                asked.update(self._asked_by(key))
            except StoreUnavailable:
                raise
            except InterlockError:
                days.add(key.slot.period.day)
        return frozenset(asked), frozenset(days)

    def _asked_by(self, key: RunKey) -> Iterator[tuple[PipelineName, date]]:
        run = self._hands.store.run(key)
        if run is None:
            return
        for trait in self._hands.store.spec(run.spec_digest).traits:
            config = mapping(trait.config)
            upstream = config.get("upstreamPipeline")
            if isinstance(upstream, str):
                yield PipelineName(upstream), _day(config.get("date"), key)


def _day(given: object, key: RunKey) -> date:
    """Return the day of the upstream that a run asks about: its own, unless another one is written out."""
    if isinstance(given, str) and not has_placeholder(given):
        try:
            return Period.parse(given).day
        except ValueError:
            pass  # it asks about nothing: the check says what is wrong
    return key.slot.period.day
