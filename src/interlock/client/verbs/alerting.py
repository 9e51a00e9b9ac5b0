"""What people are told, and what is kept from them for a while: `client.alerts` and `client.silences`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from interlock.api.alerting import (
    AlertOf,
    AlertWhy,
    BeginSilence,
    EndSilence,
    ResolveAlert,
    TestAlert,
)
from interlock.api.alerting import Alerts as ListAlerts
from interlock.api.alerting import Silences as ListSilences
from interlock.app import alert_views
from interlock.app.alert_views import AlertEnd, AlertList, AlertTest, AlertView, SilenceEnd, SilenceList, SilenceView
from interlock.client.asking import Asking, pages
from interlock.client.settings import Seconds
from interlock.client.values import alert_type_of, instant_of, length_of


class Alerts:
    """What people were told, and whether they can be."""

    def __init__(self, client: Asking) -> None:
        self._client = client

    def list(
        self,
        *,
        state: Literal["open", "resolved"] | None = None,
        pipeline: str | None = None,
        alert_type: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> AlertList:
        """List alerts, latest opened first. A page may hold few, and yet have a `next`.

        Raises:
            Invalid: there is no such type of alert.
        """
        return self._client.ask(
            ListAlerts(state=state, pipeline=pipeline, alert_type=alert_type_of(alert_type), limit=limit, cursor=cursor)
        )

    def iter(
        self,
        *,
        state: Literal["open", "resolved"] | None = None,
        pipeline: str | None = None,
        alert_type: str | None = None,
        page: int = 200,
    ) -> Iterator[AlertView]:
        """Go through all alerts, latest opened first, a page at a time.

        Raises:
            Invalid: there is no such type of alert.
        """
        chosen = alert_type_of(alert_type)
        return pages(
            lambda cursor: self._client.ask(
                ListAlerts(state=state, pipeline=pipeline, alert_type=chosen, limit=page, cursor=cursor)
            )
        )

    def get(self, alert_id: str) -> AlertView:
        """Show one alert with the latest telling through each channel.

        Raises:
            NotFound: there is no such alert.
        """
        return self._client.ask(AlertOf(alert_id=alert_id))

    def why(self, alert_id: str) -> alert_views.AlertWhy:
        """Say for every channel why it was, or was not, told of an alert.

        Raises:
            NotFound: there is no such alert.
        """
        return self._client.ask(AlertWhy(alert_id=alert_id))

    def resolve(self, alert_id: str, *, reason: str) -> AlertEnd:
        """Say that the fact behind an alert holds no longer. Whoever was told of it is told so; twice changes nothing.

        Raises:
            NotFound: there is no such alert.
        """
        return self._client.ask(ResolveAlert(alert_id=alert_id, reason=reason))

    def test(self, *, channel: str | None = None) -> AlertTest:
        """Send a test alert, and its end, through every real channel or one, and say whether it was taken.

        Raises:
            NotFound: there is no such channel.
        """
        return self._client.ask(TestAlert(channel=channel))


class Silences:
    """Alerts that are kept quiet for a while."""

    def __init__(self, client: Asking) -> None:
        self._client = client

    def list(self) -> SilenceList:
        """List the silences that are not over."""
        return self._client.ask(ListSilences())

    def begin(  # noqa: PLR0913  (each narrows it down)
        self,
        *,
        reason: str,
        duration: Seconds | str | None = None,
        until: datetime | str | None = None,
        pipeline: str = "",
        tier: int | None = None,
        owner: str = "",
        alert_type: str | None = None,
        everything: bool = False,
    ) -> SilenceView:
        """Keep matching alerts quiet, from now on for a time. What is still open then is told then.

        Args:
            reason: why, for the record.
            duration: how long: seconds, a `timedelta`, or a text such as 2h.
            until: or until when.
            pipeline: a pipeline's name, in which `*` and `?` stand for any.
            tier: alerts of pipelines of one tier.
            owner: alerts of pipelines of one owner.
            alert_type: alerts of one type.
            everything: all alerts; then nothing of the above may be said.

        Raises:
            Invalid: nothing says which alerts, or neither or both of duration and until are given.
        """
        return self._client.ask(
            BeginSilence(
                reason=reason,
                length=length_of(duration),
                until=instant_of(until),
                pipeline=pipeline,
                tier=tier,
                owner=owner,
                alert_type=alert_type_of(alert_type),
                everything=everything,
            )
        )

    def end(self, silence_id: str) -> SilenceEnd:
        """End a silence now. What waited for its end and is still open is due at once.

        Raises:
            NotFound: there is no such silence.
        """
        return self._client.ask(EndSilence(silence_id=silence_id))
