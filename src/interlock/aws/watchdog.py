"""The function `watchdog`: compares what was expected with what happened; on a schedule of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from interlock.aws.bodies import Context
from interlock.aws.functions import named
from interlock.aws.metrics import WATCHDOG_SCAN, count
from interlock.aws.office import Office, office_of
from interlock.aws.scheduling import BEATS
from interlock.clients.http import HttpSender
from interlock.errors import InterlockError
from interlock.runtime.leases import WATCHER
from interlock.runtime.watchdog import Rounds, Watchdog, rounds_of
from interlock.runtime.wiring import LazyHttp, allowed_addresses

_OFFICE: Final = office_of(named("watchdog"))
_LOG: Final = logging.getLogger(__name__)


class Degraded(InterlockError):
    """A scan could not check everything."""


class _Once:
    """There is nothing to wait for: a rule calls again."""

    def until(self, at: datetime) -> None:
        """Wait for nothing."""

    def poke(self) -> None:
        """End no wait."""


def handler(_event: Mapping[str, Any], _context: Context) -> dict[str, int]:
    """Scan once.

    Raises:
        Degraded: not everything could be checked; what could was.
    """
    office = _OFFICE()
    work = office.work
    with closing(LazyHttp(allowed_addresses(work.project))) as http:
        report = Watchdog(work.hands, _rounds(office, http), alarm=_Once(), say=_LOG.warning).turn()
    if report.troubles:
        raise Degraded("; ".join(f"{name}: {words}" for name, words in report.troubles))
    # Only a scan that was whole counts: without one for a while, an alarm tells people.
    count(office.environment.table, {WATCHDOG_SCAN: 1, "WatchdogFindings": report.findings})
    return {"findings": report.findings}


def _rounds(office: Office, http: HttpSender) -> Rounds:
    """Return the project's rounds, in which the scheduler's sign of life counts, and executions may be late."""
    rounds = rounds_of(office.work.project.settings, http)
    # Before its first tick ever nobody can tell whether it is late; that it never comes, an alarm tells.
    begun = bool(office.work.hands.members.members(WATCHER))
    thresholds = rounds.thresholds._replace(silence=BEATS, wanted=begun, late=office.environment.longest_wait)
    return rounds._replace(thresholds=thresholds, name="watchdog")
