"""Telling at once what may have become due, because nobody else may be there to do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Final

from interlock.app.delivering import deliver
from interlock.app.hands import Hands
from interlock.runtime.guarding import guarded
from interlock.runtime.lanes import side_by_side

_PARTS: Final = 2
"""What was over before anybody heard of it is told, and then its end."""


def tell_at_once(
    dispatches: Iterable[str], hands: Hands, telling: Callable[[], AbstractContextManager[object]] = nullcontext
) -> None:
    """Tell what is due of these dispatches, all at once: it takes as long as the slowest channel, and no longer.

    `telling` is entered meanwhile. What is not taken stays due, as it does where others are woken for it.

    Raises:
        Contention: others kept changing one of them first.
        UnreadableRecord: the stored row of one is damaged, or from a later version.
    """
    if not hands.alerting.prompt:
        return
    names, guarding = tuple(dispatches), hands._replace(alerting=guarded(hands.alerting))
    for _ in range(_PARTS):
        due = [name for name in names if _is_due(name, hands)]
        if not due:
            return
        with telling():
            side_by_side([partial(deliver, name, guarding, together=side_by_side) for name in due])


def _is_due(name: str, hands: Hands) -> bool:
    record = hands.dispatches.dispatch(name)
    return record is not None and record.wake_at is not None and record.wake_at <= hands.clock.now()
