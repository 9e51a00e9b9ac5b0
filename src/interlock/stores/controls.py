"""Pauses, silences and markers, over any kernel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from interlock.codec import wire
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import PipelineName, is_name
from interlock.errors import Contention
from interlock.ports.controls import Marker, Pause, Silence
from interlock.stores import keys
from interlock.stores.kernel import Change, Kernel, Page, Put, Record
from interlock.stores.paging import listed, rows_in
from interlock.stores.repository import decoded, note_record, pipeline_note_record

if TYPE_CHECKING:
    from interlock.ports.controls import Controls

MARKERS_KEPT: Final = timedelta(days=30)
"""How long a marker is kept; its line in the timeline stays."""

_SILENCES_KEPT: Final = timedelta(days=1)  # beyond their end, so that a clock that is behind still sees them
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_TRIES: Final = 20


class ControlRows:
    """Keeps pauses and markers with their pipeline, and silences together in one partition."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    # ------------------------------------------------------------------ pauses

    def pause(self, pipeline: PipelineName) -> Pause | None:
        """Return the pipeline's pause, also one that is over."""
        record = self._kernel.get(keys.pipeline_pk(pipeline), keys.PAUSE_SK)
        return None if record is None else decoded(record, Pause)

    def put_pause(self, pause: Pause) -> None:
        """Pause, or change the pause; the same pause again is none.

        Raises:
            Contention: others kept changing the pause first; nothing was written.
        """
        for _ in range(_TRIES):
            old = self._kernel.get(keys.pipeline_pk(pause.pipeline), keys.PAUSE_SK)
            if old is not None and decoded(old, Pause) == pause:
                return
            told = EventRecord(
                kind=EventKind.PIPELINE_PAUSED,
                at=pause.at,
                message=f"by {pause.actor} until {pause.until.isoformat()}: {pause.reason}",
            )
            if self._commit_pause(pause, old, told):
                return
        raise _lost(f"the pause of {pause.pipeline}")

    def end_pause(self, pipeline: PipelineName, at: datetime, actor: str) -> bool:
        """End the pause; False when there was none, or it was over.

        Raises:
            Contention: others kept changing the pause first; nothing was written.
        """
        for _ in range(_TRIES):
            old = self._kernel.get(keys.pipeline_pk(pipeline), keys.PAUSE_SK)
            pause = None if old is None else decoded(old, Pause)
            if pause is None or pause.until <= at:
                return False
            told = EventRecord(kind=EventKind.PIPELINE_RESUMED, at=at, message=f"by {actor}")
            if self._commit_pause(replace(pause, until=at), old, told):
                return True
        raise _lost(f"the pause of {pipeline}")

    def pauses(self, at: datetime) -> tuple[Pause, ...]:
        """Return the pauses in force at an instant, by pipeline."""
        after = f"{keys.moment(at)}\0\0"  # by their end: those that are over are not looked at
        found = (decoded(record, Pause) for record in listed(self._kernel, keys.PAUSES_KIND, after))
        return tuple(sorted((pause for pause in found if pause.at <= at < pause.until), key=lambda each: each.pipeline))

    def _commit_pause(self, pause: Pause, old: Record | None, told: EventRecord) -> bool:
        pk, version = keys.pipeline_pk(pause.pipeline), 1 if old is None else old.version + 1
        row = Record(
            pk=pk,
            sk=keys.PAUSE_SK,
            version=version,
            body=wire.to_builtins(pause),
            kind=keys.PAUSES_KIND,
            rank=keys.moment(pause.until),
        )
        line = pipeline_note_record(pk, pause.pipeline, told.at, f"{keys.PAUSE_SK}#{version:08d}", (told,))
        return self._kernel.commit(pk, [Put(row), Put(line)])

    # ------------------------------------------------------------------ silences

    def put_silence(self, silence: Silence) -> None:
        """Keep a silence, or change it; the same silence again is none.

        Raises:
            Contention: others kept changing the silence first; nothing was written.
        """
        pk, sk = keys.SILENCES_PK, keys.silence_sk(silence.silence_id)
        for _ in range(_TRIES):
            old = self._kernel.get(pk, sk)
            if old is not None and decoded(old, Silence) == silence:
                return
            version = 1 if old is None else old.version + 1
            expires_at = _later(silence.until, _SILENCES_KEPT)
            row = Record(pk=pk, sk=sk, version=version, body=wire.to_builtins(silence), expires_at=expires_at)
            batch: list[Change] = [Put(row)]
            if is_name(silence.pipeline):
                line = _silence_line(silence, f"{sk}#{version:08d}")
                # It may be there: versions begin again at 1 once a silence of long ago was purged.
                batch += [] if self._kernel.get(pk, line.sk) else [Put(line)]
            if self._kernel.commit(pk, batch):
                return
        raise _lost(f"the silence {silence.silence_id}")

    def silences(self, at: datetime) -> tuple[Silence, ...]:
        """Return the silences not yet over at an instant, by id."""
        rows = rows_in(self._kernel, keys.SILENCES_PK, keys.SILENCE_PREFIX)
        found = (decoded(record, Silence) for record in rows)
        return tuple(sorted((each for each in found if at < each.until), key=lambda each: each.silence_id))

    # ------------------------------------------------------------------ markers

    def put_marker(self, marker: Marker) -> None:
        """Record a marker and its line in the timeline. The same slot, source and instant twice is one."""
        slot = marker.slot
        pk, sk = keys.pipeline_pk(slot.pipeline), keys.marker_sk(slot, marker.at, marker.source)
        row = Record(
            pk=pk,
            sk=sk,
            version=1,
            body=wire.to_builtins(marker),
            expires_at=_later(marker.at, MARKERS_KEPT),
            kind=keys.markers_kind(slot.pipeline),
            rank=keys.moment(marker.at),
        )
        told = EventRecord(kind=EventKind.MARKER_RECEIVED, at=marker.at, message=f"from {marker.source}")
        self._kernel.commit(pk, [Put(row), Put(note_record(pk, slot, marker.at, sk, (told,)))])

    def markers(self, pipeline: PipelineName, *, limit: int, before: str | None = None) -> tuple[Marker, ...]:
        """Return a pipeline's markers, latest first.

        Raises:
            ValueError: `before` is no cursor of markers.
        """
        after = None if before is None else _marker_place(pipeline, before)
        found = self._kernel.listing(keys.markers_kind(pipeline), Page(limit=limit, after=after, backwards=True))
        return tuple(decoded(record, Marker) for record in found)

    def marker_cursor(self, marker: Marker) -> str:
        """Return where to go on behind a marker."""
        return keys.marker_sk(marker.slot, marker.at, marker.source)


def _marker_place(pipeline: PipelineName, cursor: str) -> str:
    parts = cursor.split("#")
    if len(parts) != 5 or f"{parts[0]}#" != keys.MARKER_PREFIX or "\0" in cursor:
        raise ValueError(f"not a cursor of markers: {cursor!r} (use the `next` of a page)")
    return f"{parts[3]}\0{keys.pipeline_pk(pipeline)}\0{cursor}"


def _silence_line(silence: Silence, name: str) -> Record:
    # In the silences' partition, so that it is told in the commit that keeps the silence; timelines know no partitions.
    told = EventRecord(
        kind=EventKind.ALERTS_SILENCED,
        at=silence.at,
        message=f"by {silence.actor} until {silence.until.isoformat()}: {silence.reason}",
    )
    return pipeline_note_record(keys.SILENCES_PK, PipelineName(silence.pipeline), silence.at, name, (told,))


def _later(at: datetime, by: timedelta) -> datetime:
    return at + min(by, _LATEST - at)


def _lost(what: str) -> Contention:
    return Contention(f"{what} could not be kept: others kept changing it first. Nothing was written; try again")


if TYPE_CHECKING:

    def _are_controls(it: ControlRows) -> Controls:
        return it
