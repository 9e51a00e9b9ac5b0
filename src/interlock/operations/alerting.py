"""What people are told, why, and whether they can be."""

from __future__ import annotations

from typing import Final

from interlock.api.alerting import (
    AlertOf,
    Alerts,
    AlertWhy,
    BeginSilence,
    EndSilence,
    ResolveAlert,
    Silences,
    TestAlert,
)
from interlock.app import alert_views
from interlock.app.alert_views import (
    AlertEnd,
    AlertList,
    AlertTest,
    AlertView,
    SilenceEnd,
    SilenceList,
    SilenceView,
    alert_view,
    silence_view,
)
from interlock.core.dispatching import AlertRecord, alert_dispatch
from interlock.errors import Invalid, NotFound
from interlock.operations.desk import Desk
from interlock.operations.instants import end_of
from interlock.operations.reasons import given_reason
from interlock.ports.controls import Silence
from interlock.ports.dispatches import Dispatches
from interlock.stores.controls import ControlRows
from interlock.stores.dispatches import DispatchRows

AT_MOST: Final = 500
"""How many alerts one page holds, whatever is asked for."""

LOOKED_AT: Final = 5_000
"""How many alerts are searched at once."""

_FOLDED: Final = 100


def alerts(request: Alerts, desk: Desk) -> AlertList:
    """List alerts, latest opened first. A page may hold few, and yet say where to go on: it searches a part only."""
    rows, limit = DispatchRows(desk.store.kernel), min(request.limit, AT_MOST)
    found: list[AlertRecord] = []
    last, looked_at = request.cursor, 0
    while True:
        page = _page(rows, request, last, AT_MOST if _narrowed(request) else limit + 1)
        for record in page:
            if len(found) == limit or looked_at == LOOKED_AT:
                return AlertList(items=tuple(map(alert_view, found)), next=last)
            if _wanted(request, record):
                found.append(record)
            looked_at, last = looked_at + 1, record.alert.alert_id
        if len(page) < AT_MOST:
            return AlertList(items=tuple(map(alert_view, found)), next=None)


def _page(rows: Dispatches, request: Alerts, before: str | None, limit: int) -> tuple[AlertRecord, ...]:
    return rows.alerts(limit=limit, open_only=request.state == "open", pipeline=request.pipeline, before=before)


def _narrowed(request: Alerts) -> bool:
    return request.alert_type is not None or request.state == "resolved"


def _wanted(request: Alerts, record: AlertRecord) -> bool:
    if request.alert_type is not None and record.alert.alert_type is not request.alert_type:
        return False
    return request.state != "resolved" or not record.open


def alert_of(request: AlertOf, desk: Desk) -> AlertView:
    """Show one alert."""
    return alert_view(_found(DispatchRows(desk.store.kernel), request.alert_id))


def alert_why(request: AlertWhy, desk: Desk) -> alert_views.AlertWhy:
    """Say for every channel why it was, or was not, told."""
    from interlock.runtime.channels import wants_of

    kernel, at = desk.store.kernel, desk.clock.now()
    rows = DispatchRows(kernel)
    record = _found(rows, request.alert_id)
    folded = rows.folded(request.alert_id, limit=_FOLDED)
    silences = ControlRows(kernel).silences(at)
    return alert_views.alert_why(record, folded, wants_of(desk.project.settings), silences, at)


def resolve_alert(request: ResolveAlert, desk: Desk) -> AlertEnd:
    """Say that the fact behind an alert holds no longer, and tell so whoever was told of it."""
    from interlock.app import notifying
    from interlock.runtime.promptly import tell_at_once

    work, reason = desk.work, given_reason(request.reason)
    before = _found(work.hands.dispatches, request.alert_id)
    notifying.resolve_alert(request.alert_id, f"{reason} ({desk.actor})", work.clock.now(), work.hands)
    tell_at_once([alert_dispatch(request.alert_id)], work.hands)
    after = _found(work.hands.dispatches, request.alert_id)
    return AlertEnd(resolved=before.open, alert=alert_view(after))


def _found(rows: Dispatches, alert_id: str) -> AlertRecord:
    record = rows.alert(alert_id)
    if record is None:
        raise NotFound(f"no alert is named {alert_id!r}; there are those of: interlock alerts list")
    return record


def test_alert(request: TestAlert, desk: Desk) -> AlertTest:
    """Send a test alert, and its end, through the real channels. Nothing is kept."""
    from interlock.app.trying import try_channels
    from interlock.runtime.lanes import side_by_side

    alerting, channel = desk.work.hands.alerting, request.channel
    names = [each.name for each in alerting.channels]
    if channel is not None and channel not in names:
        raise NotFound(f"no channel is named {channel!r}; there are: {', '.join(names)}")
    tried = try_channels(alerting, desk.clock, actor=desk.actor, only=channel, together=side_by_side)
    return AlertTest(ok=all(each.delivered for each in tried), items=tried)


def silences(request: Silences, desk: Desk) -> SilenceList:  # noqa: ARG001  (there is nothing to choose)
    """List the silences that are not over."""
    at = desk.clock.now()
    found = ControlRows(desk.store.kernel).silences(at)
    return SilenceList(items=tuple(silence_view(each, at) for each in found))


def begin_silence(request: BeginSilence, desk: Desk) -> SilenceView:
    """Keep matching alerts quiet, from now on."""
    which = bool(request.pipeline or request.owner) or request.tier is not None or request.alert_type is not None
    if request.everything == which:
        raise Invalid(
            "say which alerts: `pipeline`, `tier`, `owner` or `alertType`; or `everything`, and none of these"
        )
    at = desk.clock.now()
    silence = Silence(
        silence_id="",
        at=at,
        until=end_of(at, request.length, request.until, desk.project.settings.timezone),
        actor=desk.actor,
        reason=given_reason(request.reason),
        pipeline=request.pipeline,
        tier=request.tier,
        owner=request.owner,
        alert_type=request.alert_type,
    )
    from interlock.app import silencing

    try:
        return silence_view(silencing.begin_silence(silence, desk.work.hands), at)
    except ValueError as exc:
        raise Invalid(str(exc)) from exc


def end_silence(request: EndSilence, desk: Desk) -> SilenceEnd:
    """End a silence now."""
    from interlock.app import silencing

    freed = silencing.end_silence(request.silence_id, desk.work.hands)
    return SilenceEnd(silence_id=request.silence_id, freed=freed)
