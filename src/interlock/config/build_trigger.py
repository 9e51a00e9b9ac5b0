"""The `trigger` block: a type, the keys that every trigger has, and the keys of the type's own plugin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from interlock import plugins, reading
from interlock.codec.documents import document
from interlock.config import values
from interlock.config.build_retry import build_retry
from interlock.config.checks import Checks
from interlock.config.schema import Duration, RetryEntry
from interlock.config.shape import Path as Steps
from interlock.config.shape import Violation, violations
from interlock.config.source import Source
from interlock.config.values import Range, Refused
from interlock.core.documents import EMPTY
from interlock.core.pipelines import TriggerSpec

GENERIC: Final = frozenset({"type", "pollInterval", "pollBudget", "startTimeout", "startRetry"})
_START: Final = Range(timedelta(seconds=1), timedelta(hours=1))


class TriggerEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """The keys that every type of trigger has."""

    type: str
    poll_interval: Duration | UnsetType = UNSET
    poll_budget: Annotated[int, Meta(ge=1, le=1000, description="Failed looks in a row.")] | UnsetType = UNSET
    start_timeout: Duration | UnsetType = UNSET
    start_retry: (
        Annotated[RetryEntry, Meta(description="How a start that came to nothing is tried again.")] | UnsetType
    ) = UNSET


def build_trigger(entry: dict[str, Any] | UnsetType, source: Source, checks: Checks) -> TriggerSpec | None:
    """Resolve a trigger; None when there is none, or when it has problems, which are then noted."""
    if entry is UNSET:
        return None
    if not entry.get("type"):
        source.fail(
            ("trigger",), "trigger has no 'type'", values.meant("", plugins.available("trigger")), "missing-key"
        )
        return None
    common = _common(entry, source)
    kind = entry["type"]
    if common is None or not isinstance(kind, str):
        return None
    if inner := plugins.inner("trigger", kind):
        source.fail(("trigger", "type"), f"a pipeline's trigger cannot be of the type {kind!r}", inner, "plugin")
        return None
    poll = _span(common.poll_interval, values.INTERVAL, "pollInterval", source)
    start = _span(common.start_timeout, _START, "startTimeout", source)
    again = None
    if common.start_retry is not UNSET:
        again = build_retry(common.start_retry, source, ("trigger", "startRetry"))
    try:
        own = own_keys(entry, kind, checks, source)
        for one in checks.config("trigger", kind, own.config):
            hint = one.hint if one.rule != "unknown-key" else _whose(one, kind, checks) or one.hint
            _fail(source, own.path(one.path), one._replace(hint=hint))
    except Refused as exc:
        source.refuse(("trigger", "type"), exc)
        return None
    for one in checks.placeholders(own.config):
        _fail(source, own.path(one.path), one)
    plain = TriggerSpec(type=kind)
    return TriggerSpec(
        type=kind,
        config=_document(own.config, own.prefix, source),
        start_timeout=plain.start_timeout if start is None else start,
        poll_interval=plain.poll_interval if poll is None else poll,
        poll_budget=plain.poll_budget if common.poll_budget is UNSET else common.poll_budget,
        start_retry=again,
    )


class Own(NamedTuple):
    """The keys of the type itself under the names that it knows, where they stand, and how the file spells them."""

    config: dict[str, Any]
    prefix: Steps
    spelt: Mapping[str, str]

    def path(self, path: Steps) -> Steps:
        """Return where in the file something of the configuration stands."""
        first = () if not path else (self.spelt.get(str(path[0]), path[0]), *path[1:])
        return (*self.prefix, *first)


def own_keys(entry: dict[str, Any], kind: str, checks: Checks, source: Source) -> Own:
    """Return the keys that belong to the type itself: flat, or in a block named after the type.

    `…Id` and `…ID` mean the same everywhere, as `dagId` and `dagID`; within a block so does `dag_id`.

    Raises:
        Refused: the type is not there to be asked for its names.
    """
    own = {key: value for key, value in entry.items() if key not in GENERIC}
    prefix: Steps = ("trigger",)
    nested = next((key for key in own if _plain(key) == _plain(kind)), "")
    block = own.get(nested) if len(own) == 1 else None
    if isinstance(block, dict):
        own, prefix = block, ("trigger", nested)
    known = {field.encode_name for field in msgspec.structs.fields(checks.plugin("trigger", kind).shape)}
    same = _plain if len(prefix) > 1 else str.casefold
    meant = {same(name): name for name in known}
    config: dict[str, Any] = {}
    spelt: dict[str, str] = {}
    for key, value in own.items():
        loose = len(prefix) > 1 or str(key).endswith(("Id", "ID"))
        name = key if key in known or not loose else meant.get(same(str(key)), key)
        if name in config:
            source.fail(
                (*prefix, key), f"trigger: {key} and {spelt.get(name, name)} are the same key", "keep one", on_key=True
            )
        config[name] = value
        spelt[name] = key
    return Own(config, prefix, spelt)


def _plain(name: object) -> str:
    return re.sub("[_-]", "", str(name)).casefold()


def _common(entry: dict[str, Any], source: Source) -> TriggerEntry | None:
    given = {key: value for key, value in entry.items() if key in GENERIC}
    if len(given) == 1 and isinstance(given["type"], str):
        return TriggerEntry(type=given["type"])
    try:
        return reading.value(given, TriggerEntry)
    except msgspec.ValidationError:
        left, found = violations(given, TriggerEntry)
        for one in found:
            _fail(source, ("trigger", *one.path), one)
        return reading.value(left, TriggerEntry) if left else None


def _span(value: int | str | UnsetType, allowed: Range, key: str, source: Source) -> timedelta | None:
    if value is UNSET:
        return None
    try:
        return values.duration(value, allowed)
    except Refused as exc:
        source.refuse(("trigger", key), exc, key)
        return None


def _fail(source: Source, path: Steps, one: Violation) -> None:
    source.fail(path, f"{path[0]}: {one.message}", one.hint, one.rule, on_key=one.on_key)


def _whose(one: Violation, kind: str, checks: Checks) -> str:
    """Return a hint when a key that this type does not know belongs to another."""
    if one.hint.startswith("did you mean") or len(one.path) != 1:
        return one.hint
    owners = []
    for other in plugins.available("trigger"):
        try:
            fields = msgspec.structs.fields(checks.plugin("trigger", other).shape)
        except (Refused, TypeError):
            continue
        if other != kind and any(field.encode_name == one.path[0] for field in fields):
            owners.append(other)
    return f"it belongs to the type {' or '.join(owners)}" if owners else ""


def _document(config: dict[str, Any], path: Steps, source: Source) -> Any:
    try:
        return document(config) if config else EMPTY
    except ValueError as exc:
        source.fail(path, f"trigger: {exc}")
        return EMPTY
