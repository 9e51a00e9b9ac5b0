"""The `rules` of a pipeline: each becomes a required trait that `builtin:rule` checks, under a name made of what it says.

A name depends on its own rule alone, so that adding, removing or moving another rule changes no trait's history. Only what
would bear a name that is taken already gets a digest of its content behind it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from msgspec import UNSET

from interlock.codec.documents import document
from interlock.config.build_shelf import MAX_TRAITS, ShelvedArchetype
from interlock.config.checks import BUILTIN, Checks
from interlock.config.schema import SensorRuleEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.core.documents import Document
from interlock.core.ids import TraitName
from interlock.core.readiness import RuleType
from interlock.core.traits import TraitSpec

RULE: Final = "rule"

_LONGEST: Final = 100
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])", re.ASCII)
_FOREIGN: Final = re.compile(r"[^a-z0-9_]+", re.ASCII)
_NAMED: Final = re.compile(r"(\w+): (.+)", re.DOTALL)


def build_rules(
    entries: tuple[SensorRuleEntry, ...],
    source: Source,
    checks: Checks,
    shelved: ShelvedArchetype | None,
    timeout: timedelta,
) -> tuple[TraitSpec, ...]:
    """Return the traits of a pipeline's rules. Problems are noted; what has one gives no trait."""
    if shelved is not None:
        _check_archetype(entries, source, shelved)
    taken = set() if shelved is None else set(shelved.names)
    configs: dict[Document, int] = {}
    traits = []
    for index, entry in enumerate(entries):
        config = _config(entry, index, source, checks)
        if config is None:
            continue
        if config in configs:
            message = f"rules[{index}] says the same as rules[{configs[config]}]"
            source.fail(("rules", index), message, "remove one", "duplicate-name")
            continue
        configs[config] = index
        name = trait_name(entry, config, taken)
        taken.add(name)
        what = f"The rule {entry.check} of the sensor {_sensor(entry)}."
        traits.append(
            TraitSpec(name=name, evaluator=(BUILTIN + RULE,), description=what, config=config, timeout=timeout)
        )
    return tuple(traits)


def trait_name(entry: SensorRuleEntry, config: Document, taken: set[str]) -> TraitName:
    """Name a rule's trait: `rule-orders.row-count.gte` for `{sensor: orders, field: rowCount, check: gte}`."""
    field = "" if entry.field is UNSET else entry.field
    parts = [_plain(part) for part in (_sensor(entry), field, entry.check) if part]
    name = f"rule-{'.'.join(parts)}"
    if name in taken:
        from hashlib import sha256

        name += f"-{sha256(config.text.encode()).hexdigest()[:8]}"
    return TraitName(name)


def _plain(text: str) -> str:
    words = _FOREIGN.sub("-", _HUMP.sub("-", text).lower()).strip("-_")
    return words[:_LONGEST].strip("-_") or "x"


def _sensor(entry: SensorRuleEntry) -> str:
    return str(entry.key if entry.sensor is UNSET else entry.sensor)


def _check_archetype(entries: tuple[SensorRuleEntry, ...], source: Source, shelved: ShelvedArchetype) -> None:
    archetype = shelved.archetype
    if archetype.rule.type is not RuleType.ALL_REQUIRED_PASS:
        # Counted with the others, a rule could be outvoted, or open a gate that the archetype's own traits keep shut.
        message = f"rules must all hold, and the archetype {archetype.name!r} goes by {archetype.rule.type}"
        hint = "write them as one trait of the archetype instead, with evaluator: builtin:rules"
        source.fail(("rules",), message, hint, on_key=True)
    if len(shelved.names) + len(entries) > MAX_TRAITS:
        message = f"{len(entries)} rules and {len(shelved.names)} traits are more than {MAX_TRAITS} together"
        hint = "put rules together into one trait, with evaluator: builtin:rules"
        source.fail(("rules",), message, hint, "range", on_key=True)


def _config(entry: SensorRuleEntry, index: int, source: Source, checks: Checks) -> Document | None:
    """Return the configuration of `builtin:rule`, or None with a problem noted."""
    known = len(source.problems)
    if known and _was_cut(entry, index, source):
        return None
    if (entry.sensor is UNSET) is (entry.key is UNSET):
        said = "names no sensor" if entry.key is UNSET else "has both 'sensor' and 'key'"
        source.fail(("rules", index), f"rules[{index}] {said}", "give it one of them: sensor: …", "missing-key")
        return None
    config: dict[str, Any] = {"sensor": _sensor(entry), "check": entry.check}
    given = (("field", entry.field), ("value", entry.value), ("perPeriod", entry.per_period), ("skew", entry.skew))
    config |= {key: value for key, value in given if value is not UNSET}
    for one in checks.config("evaluator", RULE, config):
        path, message = _placed(one.path, one.message, config)
        if path and path[0] == "sensor" and entry.sensor is UNSET:
            path, message = ("key", *path[1:]), f"key{message.removeprefix('sensor')}"
        said = "." if path and message.startswith(str(path[0])) else ": "
        source.fail(("rules", index, *path), f"rules[{index}]{said}{message}", one.hint, one.rule, on_key=one.on_key)
    if len(source.problems) > known:
        return None
    try:
        return document(config)
    except ValueError as exc:
        source.fail(("rules", index, "value"), f"rules[{index}].value: {exc}")
        return None


def _was_cut(entry: SensorRuleEntry, index: int, source: Source) -> bool:
    """Say whether something of an entry could not be used: that has been said, and what follows from it need not be."""
    written = source.data["rules"][index]
    return not entry.check or any(getattr(entry, _snake(key), UNSET) is UNSET for key in written)


def _snake(key: object) -> str:
    return _HUMP.sub("_", str(key)).lower()


def _placed(path: Steps, message: str, config: dict[str, Any]) -> tuple[Steps, str]:
    # What the struct says of one of its fields begins with the field's name.
    named = _NAMED.match(message)
    if not path and named is not None and named[1] in config:
        return (named[1],), message
    return path, message
