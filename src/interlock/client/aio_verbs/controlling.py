# Written by scripts/async_client.py out of src/interlock/client/verbs/controlling.py: change that one, and run it again.
"""Holding a pipeline's start button for a while, and telling what has arrived."""

from __future__ import annotations

from datetime import datetime

from interlock.api.controlling import Pause, Pauses, Resume, SendMarker
from interlock.app.control_views import MarkerView, PauseEnd, PauseList, PauseView
from interlock.client.asking import AsyncAsking
from interlock.client.settings import Seconds
from interlock.client.values import instant_of, length_of


class AsyncControlling(AsyncAsking):
    """Verbs that hold and release."""

    async def pause(
        self,
        pipeline_id: str,
        *,
        reason: str,
        duration: Seconds | str | None = None,
        until: datetime | str | None = None,
    ) -> PauseView:
        """Let nothing of a pipeline start, whoever asks, for a time. What runs already goes on; what is due waits.

        Args:
            pipeline_id: the pipeline.
            reason: why, for the record.
            duration: how long: seconds, a `timedelta`, or a text such as 2h.
            until: or until when: a `datetime`, or a text such as 18:00 in the zone of the pipeline.

        Raises:
            Invalid: neither or both are given, or the time is over already.
            NotFound: there is no such pipeline.
        """
        return await self.ask(
            Pause(pipeline_id=pipeline_id, reason=reason, length=length_of(duration), until=instant_of(until))
        )

    async def resume(self, pipeline_id: str) -> PauseEnd:
        """End a pause before its time. What waited is judged at once; a pipeline that is not paused stays as it is.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Resume(pipeline_id=pipeline_id))

    async def pauses(self) -> PauseList:
        """List the pauses in force."""
        return await self.ask(Pauses())

    async def marker(
        self, pipeline_id: str, source: str, *, schedule: str | None = None, date: str | None = None
    ) -> MarkerView:
        """Tell that something about a slot has arrived: it opens the slot, has its run ask again, or is late data.

        Args:
            pipeline_id: the pipeline.
            source: what has arrived, such as a file's name.
            schedule: the schedule; by default the one whose window opened last.
            date: the period; the current one by default.

        Raises:
            NotFound: there is no such pipeline. The marker is recorded all the same.
            Invalid: the schedule or the date is none.
        """
        return await self.ask(SendMarker(pipeline_id=pipeline_id, source=source, schedule=schedule, date=date))
