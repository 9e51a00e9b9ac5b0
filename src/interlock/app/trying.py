"""Trying the channels out: a real alert about nothing, told and ended at once. Nothing of it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from interlock.app.alert_views import ChannelTest
from interlock.app.channels import Alerting, Channel
from interlock.app.hands import Together, in_order
from interlock.core.alerts import Alert, AlertLevel, AlertType, Notice, NoticeKind
from interlock.errors import SinkError
from interlock.ports.clock import Clock

_MESSAGE = "this is a test of the alert channels: nothing is wrong, and nothing needs to be done"


def try_channels(
    alerting: Alerting, clock: Clock, *, actor: str, only: str | None = None, together: Together = in_order
) -> tuple[ChannelTest, ...]:
    """Tell a test alert and its end through every channel, or one, whatever they take; say what became of each."""
    chosen = [channel for channel in alerting.channels if only is None or channel.name == only]
    return together([partial(_tried, channel, alerting.timeout, clock, actor) for channel in chosen])


def _tried(channel: Channel, timeout: timedelta, clock: Clock, actor: str) -> ChannelTest:
    began = clock.now()
    alert = a_test(channel.name, began, actor)
    reason = ""
    try:
        channel.sink.deliver(Notice(alert=alert, at=began), timeout=timeout)
        end = Notice(alert=alert, kind=NoticeKind.RESOLVED, number=2, at=clock.now(), resolution="the test is over")
        channel.sink.deliver(end, timeout=timeout)
    except SinkError as exc:
        reason = str(exc) or "it was not delivered"
    except Exception as exc:  # noqa: BLE001  (what this is for is to find out what breaks)
        reason = f"the sink broke: {type(exc).__name__}: {exc}"
    seconds = max((clock.now() - began).total_seconds(), 0.0)
    return ChannelTest(channel=channel.name, delivered=not reason, reason=reason, seconds=round(seconds, 3))


def a_test(channel: str, at: datetime, actor: str) -> Alert:
    """Make a test alert, named after its channel and its instant."""
    return Alert(
        alert_id=f"{AlertType.TEST}/{channel}/{at.isoformat()}",
        alert_type=AlertType.TEST,
        level=AlertLevel.INFO,
        at=at,
        message=f"{_MESSAGE} (asked for by {actor})",
    )
