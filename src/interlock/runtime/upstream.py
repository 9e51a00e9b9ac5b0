"""What built-in checks may know of other pipelines' runs."""

from __future__ import annotations

from interlock.app.hands import Catalog
from interlock.core.ids import Slot
from interlock.core.pipelines import Mode
from interlock.core.schedules import exclusion, window_of
from interlock.evaluators.context import UpstreamRun
from interlock.ports.clock import Clock
from interlock.stores.repository import Repository


class UpstreamRuns:
    """Looks runs up in the store, and what the files say of those that are not there."""

    def __init__(self, store: Repository, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    def latest(self, slot: Slot) -> UpstreamRun | None:
        """Return the latest run of a slot. What it is for may be done before it has ended: then it is watched for drift."""
        run = self._store.latest_run(slot)
        if run is None:
            return None
        shadow = self._store.spec(run.spec_digest).mode is Mode.SHADOW
        ended = run.succeeded_at or run.ended_at
        return UpstreamRun(run_id=run.key.run_id, status=run.status, ended_at=ended, shadow=shadow)

    def never(self, slot: Slot) -> str:
        """Say why a slot that has no run will not get one by itself; nothing when it may still come."""
        spec = self._catalog.spec(slot.pipeline)
        if spec is None:
            return f"no pipeline is named {slot.pipeline!r}"
        schedule = spec.schedule(slot.schedule)
        window = None if schedule is None else window_of(spec.name, schedule, slot.period)
        if window is None:
            return f"{slot.pipeline} has no slot {slot.schedule} {slot.period}"
        excluded = exclusion(spec.exclusions, slot.period)
        if excluded:
            return f"{slot.pipeline} does not run: {excluded}"
        if window.hard and self._clock.now() >= window.closes_at:
            return f"its window closed at {window.closes_at.isoformat()}"
        return ""
