"""Telling the pipelines that wait for one that its slot is done: a marker each, for the same schedule and period."""

from __future__ import annotations

from interlock.app.hands import Hands, Silence
from interlock.app.markers import arrive
from interlock.core.ids import RunKey, Slot
from interlock.ports.controls import Marker


def notify_downstream(key: RunKey, hands: Hands) -> Silence:
    """Leave a marker at every pipeline that waits for this one; LATER while the pause between two of them lasts.

    Only the same schedule is told: a marker for all of them would open later windows too early. Repeating it is harmless:
    a run that has asked its traits since then does not ask again.
    """
    waiting = hands.catalog.downstream_of(key.slot.pipeline)
    run = hands.store.run(key) if waiting else None
    done = None if run is None else run.succeeded_at
    if run is None or done is None:
        return Silence.SETTLED
    pause = hands.store.spec(run.spec_digest).cascade_delay
    waited = hands.clock.now() - done
    later = False
    for place, pipeline in enumerate(waiting):
        if place * pause > waited:
            later = True
            break
        slot = Slot(pipeline, key.slot.schedule, key.slot.period)
        arrive(Marker(slot=slot, source=f"cascade:{key.run_id}", at=done), hands)
    return Silence.LATER if later else Silence.SETTLED
