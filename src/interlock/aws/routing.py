"""What a change of the table means: an execution is started or woken, or a marker has arrived.

A record may come twice, late, or together with later ones. So it is only a hint: whatever is done goes by what the table
holds now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final, NamedTuple

from interlock.app.hands import Hands
from interlock.app.markers import Arrival, arrive
from interlock.app.notifying import raise_alert
from interlock.app.postponing import about_run
from interlock.aws.machines import Failures, Machines
from interlock.aws.markers import marker_of
from interlock.aws.parking import Parking
from interlock.aws.records import Malformed, Record, read
from interlock.core.alerts import AlertType
from interlock.core.ids import RunKey
from interlock.core.runs import Run
from interlock.errors import UnreadableRecord
from interlock.ports.stores import DueKind
from interlock.stores.due import work_of
from interlock.stores.dynamodb.items import place_of
from interlock.stores.kernel import Place

_SECOND: Final = timedelta(seconds=1)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_INSERT: Final = "INSERT"
_CHANGES: Final = (_INSERT, "MODIFY")


def _wait(span: timedelta) -> None:
    Event().wait(span.total_seconds())


class Router(NamedTuple):
    """What is done with records, and with what."""

    hands: Hands
    machines: Machines
    parking: Parking
    failures: Failures
    pause: Callable[[timedelta], object] = _wait

    def route(self, raw: Mapping[str, Any]) -> None:
        """Do what a record means. What nobody can use is kept with the reason, and is no error.

        Raises:
            StoreError, AwsTrouble: it could not be done now; it may be done again.
        """
        try:
            record = read(raw)
            if record.event not in _CHANGES:
                return
            run = _run_of(record)
            if run is not None:
                self._changed(run, opened=record.event == _INSERT)
            elif not _has_version(record):
                self._marker(record)
        except (Malformed, UnreadableRecord) as exc:
            self.failures.keep(str(exc), raw)

    def _changed(self, key: RunKey, *, opened: bool) -> None:
        run = self.hands.store.run(key)
        if run is None:
            return  # its history was removed meanwhile
        if opened and not self._is_over(run):
            self.machines.start(key)
        for parked in self.parking.find(key.run_id):
            if parked.seen < run.version:
                # First the wake: cut short in between, it is repeated, which is harmless.
                self.machines.wake(parked.token)
                self.parking.clear(key.run_id, parked)

    def _is_over(self, run: Run) -> bool:
        """Say whether nothing is left to do: its record came very late, or it was copied here with its history."""
        return run.ended and not self.hands.store.outstanding(run.key)

    def _marker(self, record: Record) -> None:
        marker = marker_of(record, self.hands)
        early = marker.at - self.hands.clock.now()
        if early > timedelta():
            # Its second is not over: told now, it would be news of the future, and hide what comes in between.
            self.pause(min(early, _SECOND))
        arrived = arrive(marker, self.hands)
        if arrived.how is Arrival.UNKNOWN:
            words = f"a marker of {marker.source!r} came for {marker.slot}, and {arrived.words}"
            message = f"{words}. It is recorded; deploy the pipeline, or correct whoever writes the marker"
            alert = about_run(AlertType.RUN_POISONED, f"marker/{marker.slot.pipeline}", message, None, self.hands)
            raise_alert(alert, self.hands)
            raise Malformed(words)


def _has_version(record: Record) -> bool:
    """Say whether an item is a row of ours: all of them have a version, and it is a number."""
    return "N" in record.new.get("version", {})


def _run_of(record: Record) -> RunKey | None:
    place = place_of({"PK": {"S": record.pk}, "SK": {"S": record.sk}})
    if place is None or not _has_version(record):
        return None
    work = work_of(Place(*place, _EVER))
    return work.subject if work.kind is DueKind.RUN and isinstance(work.subject, RunKey) else None
