"""Who wants to hear of which alert, and which alerts are told together."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from interlock.app.channels import Alerting, Channel, Wants
from interlock.core.alerts import Alert, AlertLevel
from interlock.core.deliveries import Pace, Target

_LOUDNESS: Final = {AlertLevel.INFO: 0, AlertLevel.WARNING: 1, AlertLevel.ERROR: 2}


def refusal(wants: Wants, alert: Alert) -> str:
    """Return why a channel does not take an alert; empty when it does."""
    if _LOUDNESS[alert.level] < _LOUDNESS[wants.min_level]:
        return f"its level is {alert.level}, and the channel begins at {wants.min_level}"
    pipeline = pipeline_of(alert)
    if wants.pipelines and not any(matches(pattern, pipeline) for pattern in wants.pipelines):
        return f"the channel is for the pipelines {', '.join(wants.pipelines)}"
    if wants.tiers and alert.tier not in wants.tiers:
        return f"the channel is for tier {', '.join(map(str, wants.tiers))}"
    if wants.owners and alert.owner not in wants.owners:
        return f"the channel is for what {', '.join(wants.owners)} owns"
    if wants.types and alert.alert_type not in wants.types:
        return f"the channel is for {', '.join(wants.types)}"
    return ""


def targets_of(alert: Alert, alerting: Alerting) -> tuple[Target, ...]:
    """Return the channels that take an alert, as targets of its deliveries."""
    takers = [channel for channel in alerting.channels if not refusal(channel.wants, alert)]
    return tuple(Target(name=each.name, group=group_key(each, alert), wait=each.group_wait) for each in takers)


def group_key(channel: Channel, alert: Alert) -> str:
    """Return what alerts of one group of a channel have in common; empty when the channel does not group."""
    said = {
        "pipeline": pipeline_of(alert),
        "schedule": "" if alert.slot is None else alert.slot.schedule,
        "alertType": str(alert.alert_type),
        "tier": str(alert.tier),
        "owner": alert.owner,
    }
    # As Python writes it: quoted, so that no owner's name can make two groups look like one.
    return repr(tuple(said[name] for name in channel.group_by)) if channel.group_by else ""


def pipeline_of(alert: Alert) -> str:
    """Return the pipeline an alert is about; empty when it is about Interlock itself."""
    return "" if alert.slot is None else alert.slot.pipeline


def matches(pattern: str, name: str) -> bool:
    """Say whether a name matches a pattern, in which `*` stands for any text and `?` for one character."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def pace_of(alerting: Alerting) -> Pace:
    """Return how often, and for how long."""
    return Pace(renotify=alerting.renotify, deliver_for=alerting.deliver_for)
