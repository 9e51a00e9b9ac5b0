"""How an installation stands, as numbers: what a scrape shows besides what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct


class Load(NamedTuple):
    """How much waits in a lane, and how much is being done."""

    queued: int
    running: int


class Vitals(Struct, frozen=True, kw_only=True):
    """How things stood at one look. None and an empty mapping: it could not be told.

    Ages are in seconds. `outbox_ages` are by `wish`, `alert` and `event`; `members` and `progress_ages` by role;
    `open_alerts` by level; `lanes` by lane. `archive_age` is how long the oldest fact has waited for being archived.
    """

    store_up: bool
    store_ping: float
    due_lag: float | None = None
    outbox_ages: Mapping[str, float] = {}
    active_runs: int | None = None
    open_alerts: Mapping[str, int] = {}
    members: Mapping[str, int] = {}
    progress_ages: Mapping[str, float] = {}
    lanes: Mapping[str, Load] = {}
    archive_age: float | None = None
