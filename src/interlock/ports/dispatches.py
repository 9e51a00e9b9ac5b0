"""What is on its way to people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interlock.core.chronicle import EventRecord
from interlock.core.dispatching import AlertRecord, Dispatch


class Dispatches(Protocol):
    """Keeps alerts through their lives, and lifecycle events until they are told.

    A dispatch that wants something (its `wake_at`) is among what is due, under its `dispatch_id`. What lists may lag:
    whoever acts on an entry reads it again by its name.
    """

    def dispatch(self, dispatch_id: str) -> Dispatch | None:
        """Return a dispatch as it is now."""
        ...

    def alert(self, alert_id: str) -> AlertRecord | None:
        """Return an alert as it is now."""
        ...

    def commit(self, before: Dispatch | None, after: Dispatch, lines: Sequence[EventRecord] = ()) -> bool:
        """Write a dispatch, when it is due and its lines in the pipeline's timeline, wholly and durably, or not at all.

        False: somebody else changed it first. `after` is `before` at the next version; None creates.

        Raises:
            StoreUnavailable: it may or may not have happened.
        """
        ...

    def alerts(
        self, *, limit: int, open_only: bool = False, pipeline: str | None = None, before: str | None = None
    ) -> tuple[AlertRecord, ...]:
        """Return alerts, latest opened first; `before` is the alert id of the last one already seen.

        Raises:
            NotFound: there is no alert `before`.
        """
        ...

    def folded(self, alert_id: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return open alerts that are folded into one, in the order in which they opened."""
        ...

    def waiting(self, channel: str, group: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return alerts with a telling that is due or waits for company, of one channel and group, oldest first."""
        ...

    def silenced(self, silence_id: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return alerts of which something waits for the end of a silence, oldest first."""
        ...
