"""Leave to run a job oneself, and word of one that ran anyway, as they are shown."""

from __future__ import annotations

from datetime import datetime

from interlock.app.views import RunView, View


class GateView(View, frozen=True, kw_only=True, rename="camel"):
    """Leave to run the job of a slot: this attempt of this run, if it is begun before `valid_seconds` are over.

    `token` names the attempt for good: hand it to whatever must not do the same thing twice. `heartbeat_seconds` is how
    often to tell that the job lives; null where nobody asked for that. In `shadow` mode there is no run, and no attempt.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    shadow: bool
    run_id: str
    attempt: int
    token: str
    valid_until: datetime | None
    valid_seconds: float | None
    heartbeat_seconds: float | None
    message: str
    run: RunView | None


class PingView(View, frozen=True, kw_only=True, rename="camel"):
    """What came of a ping: the run as it stands, or null in shadow mode, where it is only noted what really happened."""

    pipeline_id: str
    schedule_id: str
    date: str
    shadow: bool
    run: RunView | None
