"""What the functions of the state machine have in common: read the state, take a turn, write it down again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

from interlock.aws.metrics import count
from interlock.aws.office import Office
from interlock.aws.seals import opened
from interlock.aws.state import Next, State
from interlock.aws.turning import Bounds, Kinds, turn
from interlock.codec import wire

_HASTE: Final = timedelta(seconds=20)
"""So long before its time is over a function begins nothing more."""

_ENDS: Final = (Next.COMPLETED, Next.CANCELLED, Next.FAILED, Next.UNKNOWN, Next.BROKEN)


class Context(Protocol):
    """What is used of what Lambda tells a function."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        ...


def take_turn(event: Mapping[str, Any], context: Context, office: Office, mine: Kinds = ()) -> Any:
    """Take a turn on the run that the state is about, and return the next state.

    Raises:
        ValueError: the event is no state.
        InterlockError: the turn could not be taken; it can be taken again.
    """
    work = office.work
    state = wire.from_builtins(opened(event, office.seal), State)

    def over() -> bool:
        return timedelta(milliseconds=context.get_remaining_time_in_millis()) < _HASTE

    following = turn(state, work.hands, mine, Bounds(office.environment.longest_wait, over))
    if following.next in _ENDS:
        count(office.environment.table, {"RunsEnded": 1}, Outcome=following.next.value)
    return wire.to_builtins(following)
