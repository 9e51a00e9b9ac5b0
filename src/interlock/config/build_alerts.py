"""Where alerts and lifecycle events go: the keys that every sink has, and the keys of the sink's own type."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from interlock import plugins, reading
from interlock.codec.documents import document
from interlock.config import values
from interlock.config.checks import Checks
from interlock.config.project import AlertingSpec, SinkSpec
from interlock.config.schema import Duration, Name
from interlock.config.schema_project import AlertingEntry
from interlock.config.shape import Path as Steps
from interlock.config.shape import Violation, kind_of, violations
from interlock.config.source import Source
from interlock.config.spans import span_of
from interlock.config.values import Refused, meant
from interlock.core.alerts import AlertLevel, AlertType

MOST_SINKS: Final = 40
"""An alert and what it has to tell each sink change in one commit, and a commit has a limit."""

SUBSCRIBERS: Final = ("file", "s3", "sns", "webhook")
"""The sinks of ours that take lifecycle events. Those of others may, too."""

Group = Literal["pipeline", "schedule", "alertType", "tier", "owner"]
Tier = Annotated[int, Meta(ge=0, le=9)]


class MatchEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts a sink takes; each key that is given must fit."""

    pipeline: Annotated[
        str | tuple[str, ...] | UnsetType, Meta(description="Names of pipelines; * and ? stand for any characters.")
    ] = UNSET
    tier: Tier | tuple[Tier, ...] | UnsetType = UNSET
    owner: str | tuple[str, ...] | UnsetType = UNSET
    type: str | tuple[str, ...] | UnsetType = UNSET


class SubscriberEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """The keys that every place has to which something is sent."""

    type: str
    name: Name | UnsetType = UNSET


class SinkEntry(SubscriberEntry, frozen=True, kw_only=True, rename="camel"):
    """The keys that every alert sink has."""

    level: Annotated[Literal["error", "warning", "info"], Meta(description="The least loud that is told.")] = "info"
    match: MatchEntry = MatchEntry()
    group_by: tuple[Group, ...] = ()
    group_wait: Duration | UnsetType = UNSET


_OWN: Final = {
    kind: frozenset(field.encode_name for field in msgspec.structs.fields(kind))
    for kind in (SinkEntry, SubscriberEntry)
}


def build_alerting(entry: AlertingEntry, source: Source) -> AlertingSpec:
    """Resolve how alerts are repeated. Problems are noted."""
    plain = AlertingSpec()
    renotify = span_of(entry.renotify, values.RENOTIFY, ("alerting", "renotify"), source)
    deliver_for = span_of(entry.deliver_for, values.DEADLINE, ("alerting", "deliverFor"), source)
    return AlertingSpec(
        renotify=plain.renotify if renotify is None else renotify,
        deliver_for=plain.deliver_for if deliver_for is None else deliver_for,
    )


def build_sinks(entries: tuple[dict[str, Any], ...], source: Source, checks: Checks) -> tuple[SinkSpec, ...]:
    """Resolve `alerts`. Problems are noted; what has some is left out."""
    if len(entries) > MOST_SINKS:
        message = f"{len(entries)} sinks, and there can be {MOST_SINKS} at most"
        hint = "let one of them pass alerts on, as Alertmanager, PagerDuty or a mailing list do"
        source.fail(("alerts", MOST_SINKS), message, hint)
    found = [_sink(entry, ("alerts", index), source, checks) for index, entry in enumerate(entries)]
    return _named(found, "alerts", source)


def build_lifecycle(entries: tuple[dict[str, Any], ...], source: Source, checks: Checks) -> tuple[SinkSpec, ...]:
    """Resolve `lifecycle`. Problems are noted; what has some is left out."""
    found = [_subscriber(entry, ("lifecycle", index), source, checks) for index, entry in enumerate(entries)]
    return _named(found, "lifecycle", source)


def _named(found: list[SinkSpec | None], key: str, source: Source) -> tuple[SinkSpec, ...]:
    """Give every sink a name of its own: what it was called, else its type, with a number where that is taken."""
    said: set[str] = set()
    for index, spec in enumerate(found):
        if spec is not None and spec.name:
            if spec.name in said:
                message = f"two of {key} are named {spec.name!r}"
                source.fail((key, index, "name"), message, "rename one", "duplicate-name")
            said.add(spec.name)
    named = []
    for spec in found:
        if spec is not None:
            name, number = spec.name or spec.type, 2
            while not spec.name and name in said:
                name, number = f"{spec.type}-{number}", number + 1
            said.add(name)
            named.append(msgspec.structs.replace(spec, name=name))
    return tuple(named)


def _sink(entry: dict[str, Any], path: Steps, source: Source, checks: Checks) -> SinkSpec | None:
    plain = _plain(entry, path, source, checks)
    common = _common(entry, SinkEntry, path, source)
    if plain is None or common is None:
        return None
    wait = span_of(common.group_wait, values.GROUP_WAIT, (*path, "groupWait"), source)
    if wait and not common.group_by:
        hint = "add groupBy: [pipeline], or remove groupWait"
        source.fail((*path, "groupWait"), "groupWait without groupBy groups nothing", hint, "missing-key", on_key=True)
    return msgspec.structs.replace(
        plain,
        name=_name(common.name, path, source),
        min_level=AlertLevel(common.level),
        pipelines=_list(common.match.pipeline),
        tiers=_list(common.match.tier),
        owners=_list(common.match.owner),
        types=_types(common.match, path, source),
        group_by=common.group_by,
        group_wait=wait or timedelta(),
    )


def _subscriber(entry: dict[str, Any], path: Steps, source: Source, checks: Checks) -> SinkSpec | None:
    kind = entry.get("type")
    if isinstance(kind, str) and kind and kind not in SUBSCRIBERS and kind not in _of_others():
        message = f"lifecycle events go to {', '.join(SUBSCRIBERS[:-1])} or {SUBSCRIBERS[-1]}, not to {kind!r}"
        source.fail((*path, "type"), message, meant(kind, (*SUBSCRIBERS, *_of_others())), "unknown-name")
        return None
    plain = _plain(entry, path, source, checks)
    common = _common(entry, SubscriberEntry, path, source)
    if plain is None or common is None:
        return None
    return msgspec.structs.replace(plain, name=_name(common.name, path, source))


def _of_others() -> tuple[str, ...]:
    return tuple(one.name for one in plugins.outsiders() if one.kind == "sink")


def _plain(entry: dict[str, Any], path: Steps, source: Source, checks: Checks) -> SinkSpec | None:
    """Check a type and its own keys."""
    where = str(path[0])
    kind = entry.get("type")
    if not isinstance(kind, str) or not kind:
        said = "has no 'type'" if kind is None or kind == "" else f"has {kind_of(kind)} as its type, expected text"
        what = "alert sink" if where == "alerts" else "subscriber"
        # Asked only here: looking for other people's plugins takes as long as the rest of a small project's loading.
        kinds = plugins.available("sink") if where == "alerts" else SUBSCRIBERS
        source.fail(path, f"the {what} {said}", meant("", kinds), "missing-key")
        return None
    shared = _OWN[SinkEntry if where == "alerts" else SubscriberEntry]
    config = {key: value for key, value in entry.items() if key not in shared}
    try:
        found = checks.config("sink", kind, config)
        takes = checks.plugin("sink", kind).can("deliver" if where == "alerts" else "publish")
    except Refused as exc:
        source.refuse((*path, "type"), exc)
        return None
    if not takes:
        message = f"the sink {kind!r} takes no {'alerts' if where == 'alerts' else 'lifecycle events'}"
        source.fail((*path, "type"), message, "use another type", "plugin")
        return None
    for one in (*found, *checks.placeholders(config)):
        hint = one.hint
        if one.rule == "unknown-key":
            near = meant(str(one.path[-1]), shared) if len(one.path) == 1 else ""
            hint = near if near.startswith("did you mean") and not hint.startswith("did you mean") else hint
        source.fail((*path, *one.path), f"{where}: {one.message}", hint, one.rule, on_key=one.on_key)
    try:
        return SinkSpec(name="", type=kind, config=document(config))
    except ValueError as exc:
        source.fail(path, f"{where}: {exc}")
        return None


def _common(entry: dict[str, Any], kind: Any, path: Steps, source: Source) -> Any:
    given = {key: value for key, value in entry.items() if key in _OWN[kind]}
    try:
        return reading.value(given, kind)
    except msgspec.ValidationError:
        left, found = violations(given, kind)
        _tell(found, path, source)
        return None if left is None else reading.value(left, kind)


def _tell(found: list[Violation], path: Steps, source: Source) -> None:
    for one in found:
        if one.path != ("type",) and one.rule != "missing-key":
            source.fail((*path, *one.path), f"{path[0]}: {one.message}", one.hint, one.rule, on_key=one.on_key)


def _name(text: str | UnsetType, path: Steps, source: Source) -> str:
    if text is UNSET:
        return ""
    try:
        return values.name(text)
    except Refused as exc:
        source.refuse((*path, "name"), exc)
        return ""


def _list(value: Any) -> tuple[Any, ...]:
    if value is UNSET:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _types(entry: MatchEntry, path: Steps, source: Source) -> tuple[AlertType, ...]:
    known = [kind.value for kind in AlertType]
    found = []
    for index, text in enumerate(_list(entry.type)):
        if text in known:
            found.append(AlertType(text))
        else:
            place = (*path, "match", "type", *((index,) if isinstance(entry.type, tuple) else ()))
            source.fail(place, f"no alert is of the type {text!r}", meant(text, known), "unknown-name")
    return tuple(found)
