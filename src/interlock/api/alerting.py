"""What people are told, why, and whether they can be.

An alert's id holds `/`, which no path segment can: it travels in the query or the body.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta, field

from interlock.api.contract import Cursor, Endpoint, Limit, PipelineId, Reason, Request, Role
from interlock.app import alert_views
from interlock.app.alert_views import AlertEnd, AlertList, AlertTest, AlertView, SilenceEnd, SilenceList, SilenceView
from interlock.core.alerts import AlertType

AlertId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=2048, description="An alert, such as run_failed/orders:daily:2026-03-07:1.")
]
Length: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, description="How long, such as 2h or 1d.")]
Until: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="Until when: 18:00 or 2026-03-07T18:00 in the zone of what it is about, or 2026-03-07T18:00Z.",
    ),
]


class Alerts(Request[AlertList], frozen=True, kw_only=True):
    """List alerts, latest opened first."""

    endpoint: ClassVar = Endpoint("GET", "/api/alerts", Role.READ)

    state: Literal["open", "resolved"] | None = None
    pipeline: PipelineId | None = None
    alert_type: AlertType | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class AlertOf(Request[AlertView], frozen=True, kw_only=True):
    """Show one alert with the latest telling through each channel."""

    endpoint: ClassVar = Endpoint("GET", "/api/alerts/show", Role.READ)

    alert_id: AlertId


class AlertWhy(Request[alert_views.AlertWhy], frozen=True, kw_only=True):
    """Say for every channel why it was, or was not, told of an alert."""

    endpoint: ClassVar = Endpoint("GET", "/api/alerts/explain", Role.READ)

    alert_id: AlertId


class ResolveAlert(Request[AlertEnd], frozen=True, kw_only=True):
    """Say that the fact behind an alert holds no longer. Whoever was told of it is told so; twice changes nothing."""

    endpoint: ClassVar = Endpoint("POST", "/api/alerts/resolve", Role.OPERATE, repeatable=True)

    alert_id: AlertId
    reason: Reason


class TestAlert(Request[AlertTest], frozen=True, kw_only=True):
    """Send a test alert, and its end, through every real channel or one, and say whether it was taken."""

    endpoint: ClassVar = Endpoint("POST", "/api/alerts/test", Role.ADMIN, slow=True)
    __test__: ClassVar = False  # its name begins as those that pytest collects

    channel: Annotated[str, Meta(min_length=1, max_length=255, description="Only this channel.")] | None = None


class Silences(Request[SilenceList], frozen=True, kw_only=True):
    """List the silences that are not over."""

    endpoint: ClassVar = Endpoint("GET", "/api/silences", Role.READ)


class BeginSilence(Request[SilenceView], frozen=True, kw_only=True):
    """Keep matching alerts quiet, from now on for a time. What is still open then is told then.

    What is said of `pipeline`, `tier`, `owner` and `alertType` must all match; `everything` says that nothing of these is
    meant to.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/silences", Role.OPERATE, success=201)

    reason: Reason
    length: Length | None = field(name="for", default=None)
    until: Until | None = None
    pipeline: Annotated[str, Meta(max_length=255, description="A pipeline's name; `*` and `?` stand for any.")] = ""
    tier: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    owner: Annotated[str, Meta(max_length=255)] = ""
    alert_type: AlertType | None = None
    everything: bool = False


class EndSilence(Request[SilenceEnd], frozen=True, kw_only=True):
    """End a silence now. What waited for its end and is still open is due at once."""

    endpoint: ClassVar = Endpoint("DELETE", "/api/silences/{silenceId}", Role.OPERATE)

    silence_id: Annotated[str, Meta(min_length=1, max_length=255, description="The silence's name.")]
