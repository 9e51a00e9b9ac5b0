"""What people and programs have said that holds for a time: pauses and silences; and what has arrived: markers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from interlock.core.alerts import AlertType
from interlock.core.ids import PipelineName, Slot


class Pause(Struct, frozen=True, kw_only=True):
    """Nothing of a pipeline starts from `at` until `until`, whoever asks."""

    pipeline: PipelineName
    at: datetime
    until: datetime
    actor: str
    reason: str


class Silence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Matching alerts are not delivered from `at` until `until`; what is still open then is delivered once.

    An empty matcher matches everything; several must all match. `pipeline` may hold `*` and `?`.
    """

    silence_id: str
    at: datetime
    until: datetime
    actor: str
    reason: str
    pipeline: str = ""
    tier: int | None = None
    owner: str = ""
    alert_type: AlertType | None = None


class Marker(Struct, frozen=True, kw_only=True):
    """Somebody's word that something about a slot has arrived: a file, an upstream's completion."""

    slot: Slot
    source: str
    at: datetime


class Controls(Protocol):
    """Keeps them. Each write also leaves a line in the pipeline's timeline where it is about a pipeline."""

    def pause(self, pipeline: PipelineName) -> Pause | None:
        """Return the pipeline's pause, also one that is over."""
        ...

    def put_pause(self, pause: Pause) -> None:
        """Pause, or change the pause."""
        ...

    def end_pause(self, pipeline: PipelineName, at: datetime, actor: str) -> bool:
        """End the pause; False when there was none."""
        ...

    def pauses(self, at: datetime) -> tuple[Pause, ...]:
        """Return the pauses in force at an instant, by pipeline."""
        ...

    def put_silence(self, silence: Silence) -> None:
        """Keep a silence, or change it (ending it early is a change of `until`)."""
        ...

    def silences(self, at: datetime) -> tuple[Silence, ...]:
        """Return the silences not yet over at an instant, by id."""
        ...

    def put_marker(self, marker: Marker) -> None:
        """Record a marker. The same slot, source and instant twice is one."""
        ...

    def markers(self, pipeline: PipelineName, *, limit: int, before: str | None = None) -> tuple[Marker, ...]:
        """Return a pipeline's markers, latest first. `before` is the cursor of the last one already seen.

        Raises:
            ValueError: `before` is no cursor of markers.
        """
        ...

    def marker_cursor(self, marker: Marker) -> str:
        """Return where to go on behind a marker."""
        ...
