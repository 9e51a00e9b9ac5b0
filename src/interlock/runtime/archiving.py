"""The archive of a project: opened, copied to now and then, and what people are told of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.config.project import Project
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.ids import RunId, Slot, parse_run_id
from interlock.core.times import format_duration
from interlock.errors import ConfigError, InterlockError, MissingExtra
from interlock.runtime.bell import Bell
from interlock.runtime.leases import Lease
from interlock.runtime.station import ITSELF, News, Station, alert_id
from interlock.runtime.stores import filled_in
from interlock.runtime.wiring import Interlock
from interlock.stores.kernel import Kernel
from interlock.stores.marks import waiting_since

if TYPE_CHECKING:
    from interlock.archive.archiver import Archiver, Report
    from interlock.archive.database import Archive
    from interlock.archive.gaps import Gap

ROLE: Final = "archiver"
TOLD: Final = 20
"""So many gaps are told each by itself; of more people are told together."""

_POOL: Final = 2
_OPEN: Final = 1000
_VERSIONS: Final = 10


def open_archive(project: Project, env: Mapping[str, str] | None = None) -> Archive:
    """Return the project's archive. Nothing is connected yet.

    Raises:
        ConfigError: the archiver is off, or the project file names a variable that is not set.
        MissingExtra: what it stands on is not installed.
        StoreError: the DSN cannot be read.
    """
    spec = project.settings.archiver
    if not spec.enabled:
        raise ConfigError(
            "the archiver is off, so nothing marks what is to be archived. Write archiver: {enabled: true, dsn: "
            "postgresql://…} in the project file, and start again whatever is at work on the project"
        )
    if find_spec("psycopg") is None:
        raise MissingExtra("the archive", "postgres")
    from interlock.archive.database import Archive
    from interlock.clients.postgres import Database

    dsn = filled_in(spec.dsn, "archiver.dsn", os.environ if env is None else env)
    return Archive(Database(dsn, application_name="interlock archive", pool_size=_POOL), spec.schema)


def archiver_of(kernel: Kernel, archive: Archive) -> Archiver:
    """Return what copies from a store to an archive, and says how far behind that is."""
    from interlock.archive.archiver import Archiver

    return Archiver(kernel, archive)


class Archiving:
    """Copies to the archive at every interval, one of several processes at a time, until it is told to stop.

    It never dies of what goes wrong: that is said once, and the next interval is another try. `say` is told of it, and of
    what was copied.
    """

    def __init__(self, work: Interlock, archive: Archive, *, say: News) -> None:
        from interlock.archive.archiver import Archiver

        self._work = work
        self._archive = archive
        self._say = say
        self._lease = Lease(work.hands.members, role=ROLE)
        # A plain word, and a bell that needs no locks: signals' handlers set and poke them.
        self._stopping = False
        self._bell = Bell()
        self._trouble = ""
        self._archiver = Archiver(work.kernel, archive, stopped=self._stopped)

    @property
    def archiver(self) -> Archiver:
        """What copies."""
        return self._archiver

    def run(self) -> None:
        """Copy at every interval, the first time now, and let go of everything in the end."""
        try:
            while not self._stopping:
                self.try_once()
                self._bell.wait(self._work.project.settings.archiver.interval)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the archive; what is under way there is waited for."""
        self._bell.close()
        self._archive.close()

    def try_once(self) -> None:
        """Copy what waits, and say what goes wrong, if it did not go wrong the same way the last time."""
        try:
            self.turn()
        except Exception as exc:  # noqa: BLE001  (whatever it is, the next interval is another try)
            self._troubled(str(exc) if isinstance(exc, InterlockError) else f"{type(exc).__name__}: {exc}")

    def turn(self, *, alone: bool = True) -> Report | None:
        """Copy what waits, and tell people of gaps; None when it is to be done by one `alone`, and somebody else is at it.

        Raises:
            StoreError: one of the two stores cannot be used. Nothing is lost.
        """
        self._lease.hold(self._work.clock.now())
        try:
            if alone and not self._lease.is_first():
                return None
            report = self._archiver.turn()
            tell_gaps(self._archiver.gaps(), self._work.hands)
        finally:
            with suppress(InterlockError):
                self._lease.leave()
            self._work.ring()
        if self._trouble:
            self._say("archive: it goes on")
            self._trouble = ""
        if report.again:
            self._say("archive: it was taken back to an earlier state, or is another one; everything is copied again")
        return report

    def stop(self) -> None:
        """Stop between two pages. Safe from any thread, and in a signal's handler."""
        self._stopping = True
        self._bell.poke()

    def _stopped(self) -> bool:
        # Asked between pages: a turn that takes long keeps its place.
        with suppress(InterlockError):
            self._lease.hold(self._work.clock.now())
        return self._stopping

    def _troubled(self, words: str) -> None:
        if words != self._trouble and not self._stopping:
            self._say(f"trouble archive: {words}")
        self._trouble = words


def look_after_archive(station: Station, kernel: Kernel, behind: timedelta) -> None:
    """Tell people when what happened waits for longer than `behind` for being archived; and when it does no more.

    What cannot be copied as it stands is told of as a gap, and does not count here.
    """
    hands = station.hands
    since = waiting_since(kernel)
    known = hands.dispatches.alert(alert_id(AlertType.ARCHIVE_BEHIND))
    is_open = known is not None and known.open
    if since is None or hands.clock.now() - since <= behind:
        if is_open:
            station.mended(AlertType.ARCHIVE_BEHIND, ITSELF, "what happened is archived again")
        return
    if not is_open:
        station.alert(AlertType.ARCHIVE_BEHIND, ITSELF, _behind_message(since, behind))


def tell_gaps(gaps: Sequence[Gap], hands: Hands) -> None:
    """Tell people of everything that is missing in the archive, each run once; and of what is so no longer.

    Raises:
        StoreError: it could not be written down; telling it again completes it.
    """
    about = _by_subject(gaps)
    wanted = {alert_id(AlertType.ARCHIVE_GAP, subject): each for subject, each in about.items()}
    records = hands.dispatches.alerts(limit=_OPEN, open_only=True)
    known = {each.alert.alert_id for each in records if each.alert.alert_type is AlertType.ARCHIVE_GAP}
    now = hands.clock.now()
    for name in sorted(known - wanted.keys()):
        resolve_alert(name, "nothing is missing there any more", now, hands)
    for name in sorted(wanted.keys() - known):
        told = wanted[name]
        raise_alert(
            Alert(
                alert_id=name,
                alert_type=AlertType.ARCHIVE_GAP,
                level=AlertLevel.ERROR,
                at=now,
                message=told.message,
                slot=told.slot,
                run_id=told.run_id,
            ),
            hands,
        )


class _Told(NamedTuple):
    message: str
    slot: Slot | None = None
    run_id: RunId = RunId("")


def _by_subject(gaps: Sequence[Gap]) -> dict[str, _Told]:
    found: dict[str, _Told] = {}
    grouped = {subject: list(each) for subject, each in groupby(sorted(gaps, key=lambda gap: gap.subject), _subject_of)}
    for subject, some in list(grouped.items())[:TOLD]:
        found[subject] = _told(subject, some)
    rest = len(grouped) - TOLD
    if rest > 0:
        message = f"{rest} more runs and rows are missing in the archive: interlock archive --check lists them"
        found[ITSELF] = _Told(message)
    return found


def _subject_of(gap: Gap) -> str:
    return gap.subject


def _told(subject: str, gaps: Sequence[Gap]) -> _Told:
    versions = sorted(gap.version for gap in gaps if gap.version is not None)
    what = f"versions {_spans(versions)} of {subject}" if versions else subject
    message = f"{what} cannot be archived: {gaps[0].message}. What is archived lies before and after it unharmed"
    try:
        key = parse_run_id(gaps[0].run_id)
    except ValueError:
        return _Told(message)
    return _Told(message, key.slot, key.run_id)


def _spans(versions: Sequence[int]) -> str:
    """Write 1, 2, 3, 5 as `1-3, 5`; of many spans the first."""
    spans: list[list[int]] = []
    for version in versions:
        if spans and spans[-1][1] == version - 1:
            spans[-1][1] = version
        else:
            spans.append([version, version])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    more = f" and {len(words) - _VERSIONS} more" if len(words) > _VERSIONS else ""
    return ", ".join(words[:_VERSIONS]) + more


def _behind_message(since: datetime, behind: timedelta) -> str:
    return (
        f"what happened since {since:%Y-%m-%d %H:%M:%S} UTC waits for being archived, for longer than archiver.behind "
        f"({format_duration(behind)}). Nothing is lost: it stays in the store until it is copied. Is interlock serve at "
        "work, and does the archive's PostgreSQL answer? interlock archive --check says"
    )
