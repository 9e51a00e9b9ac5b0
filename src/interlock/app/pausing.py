"""Holding a pipeline's start button: by a person, for a reason, until an instant; or because its file is gone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.hands import Hands
from interlock.app.opening import waiting_runs
from interlock.core.agenda import TICK
from interlock.core.events import Held, Released
from interlock.core.ids import PipelineName
from interlock.core.runs import RunStatus
from interlock.ports.controls import Pause

FILES: Final = "files"
GONE: Final = "nothing defines the pipeline any more"


def pause(pipeline: PipelineName, until: datetime, actor: str, reason: str, hands: Hands) -> Pause:
    """Let nothing of a pipeline start until an instant. What runs already goes on.

    Raises:
        ValueError: the instant is not ahead, or there is no reason.
    """
    now = hands.clock.now()
    if until <= now:
        raise ValueError(f"a pause ends in the future, and {until.isoformat()} is over")
    if not reason.strip():
        raise ValueError("a pause needs a reason: it is the record of why nothing ran")
    held = Pause(pipeline=pipeline, at=now, until=until, actor=actor, reason=reason.strip())
    hands.controls.put_pause(held)
    for run in waiting_runs(pipeline, hands):
        if run.status is RunStatus.PENDING:
            advance(run.key, Held(at=now, until=until, actor=actor, reason=held.reason), hands.store)
    return held


def resume(pipeline: PipelineName, actor: str, hands: Hands) -> bool:
    """End a pause; False when there was none in force. Slots that waited for it open, or are made up for by their policy."""
    now = hands.clock.now()
    ended = hands.controls.end_pause(pipeline, now, actor)
    for run in waiting_runs(pipeline, hands):
        if run.held_until is not None:
            advance(run.key, Released(at=now, actor=actor), hands.store)
    for agenda in hands.agendas.agendas_of(pipeline):
        if not agenda.retired and agenda.next_at is not None and agenda.next_at > now:
            # Looked at afresh: it may have waited for the end of the pause. Whoever changed it meanwhile knows better.
            hands.agendas.put_agenda(replace(agenda, next_at=now, version=agenda.version + 1))
    return ended


def hold_undefined(pipeline: PipelineName, hands: Hands) -> None:
    """Hold what waits of a pipeline that nothing defines any more, until it is given up. What runs already goes on."""
    now = hands.clock.now()
    for run in waiting_runs(pipeline, hands):
        until = run.closes_at
        if run.status is not RunStatus.PENDING or until is None or until <= now:
            continue
        if run.held_until is None or run.held_until < until:
            advance(run.key, Held(at=now, until=until, actor=FILES, reason=GONE), hands.store)


def release_defined(pipeline: PipelineName, hands: Hands) -> None:
    """Let go what was held because nothing defined its pipeline. A pause that is in force stays so."""
    now = hands.clock.now()
    found = hands.controls.pause(pipeline)
    pause = found if found is not None and now < found.until else None
    for run in waiting_runs(pipeline, hands):
        if run.held_until is None or run.held_because != f"{FILES}: {GONE}":
            continue
        if pause is not None:
            advance(run.key, Held(at=now, until=pause.until, actor=pause.actor, reason=pause.reason), hands.store)
        else:
            # By a clock that is behind, too: nobody is there who would see that it did not help.
            at = now if run.held_at is None else max(now, run.held_at + TICK)
            advance(run.key, Released(at=at, actor=FILES), hands.store)
