"""JSON Schema 2020-12 of each kind of file, for editors: made from the structs that loading uses."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from interlock import plugins
from interlock.config.build_alerts import SUBSCRIBERS, SinkEntry, SubscriberEntry
from interlock.config.build_trigger import TriggerEntry
from interlock.config.cache import KINDS
from interlock.core.alerts import AlertType
from interlock.core.readiness import RuleType
from interlock.core.traits import FailureCategory
from interlock.errors import ConfigError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE: Final = "#/$defs/{name}"


def json_schema(kind: str) -> dict[str, Any]:
    """Return the schema of `project`, `pipeline`, `archetype` or `calendar` files.

    Trigger types and sinks whose optional dependency is not installed are accepted with any keys.

    Raises:
        ValueError: there is no such kind of file.
    """
    shape = KINDS.get(kind)
    if shape is None:
        raise ValueError(f"no file is of the kind {kind!r}: there are {', '.join(KINDS)}")
    (root,), defs = msgspec.json.schema_components([shape], ref_template=_TEMPLATE)
    defs = dict(defs)
    if kind == "pipeline":
        common = _properties(TriggerEntry, defs)
        _add_choices(defs, "trigger", plugins.available("trigger"), common)
        defs["PipelineFile"]["properties"]["trigger"] = {"$ref": "#/$defs/Trigger"}
        _add_rules(defs)
        values = [category.value for category in FailureCategory]
        defs["RetryEntry"]["properties"]["retryableFailures"]["items"] = {"enum": values}
    if kind == "project":
        _add_choices(defs, "sink", plugins.available("sink"), _properties(SinkEntry, defs))
        _add_choices(defs, "subscriber", _subscribers(), _properties(SubscriberEntry, defs))
        _add_stores(defs)
        types = {"enum": [kind.value for kind in AlertType]}
        defs["MatchEntry"]["properties"]["type"] = {"anyOf": [types, {"type": "array", "items": types}]}
        defs["ProjectFile"]["properties"]["alerts"]["items"] = {"$ref": "#/$defs/Sink"}
        defs["ProjectFile"]["properties"]["lifecycle"]["items"] = {"$ref": "#/$defs/Subscriber"}
    if kind == "archetype":
        rules = {"enum": [rule.value for rule in RuleType]}
        defs["RuleEntry"]["properties"]["type"] = rules
        defs["ArchetypeFile"]["properties"]["readinessRule"]["anyOf"][0] = rules
        defs["ArchetypeFile"]["properties"]["requiredTraits"]["minItems"] = 1
    return {"$schema": DIALECT, "title": f"Interlock {kind} file", **root, "$defs": defs}


def _add_rules(defs: dict[str, Any]) -> None:
    """Describe the entries of `rules` as `builtin:rule` does: its checks, its keys, and that a sensor is named."""
    (_,), more = msgspec.json.schema_components([plugins.load("evaluator", "rule").Config], ref_template=_TEMPLATE)
    own, entry = more["RuleConfig"]["properties"], defs["SensorRuleEntry"]
    entry["properties"] |= {key: own[key] for key in ("sensor", "field", "check", "value", "perPeriod")}
    entry["properties"]["key"] = own["sensor"]
    entry["oneOf"] = [{"required": ["sensor"]}, {"required": ["key"]}]


def _properties(shared: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that every type has, and define what they refer to."""
    (_,), more = msgspec.json.schema_components([shared], ref_template=_TEMPLATE)
    properties: dict[str, Any] = dict(more[shared.__name__]["properties"])
    defs.update({name: one for name, one in more.items() if name != shared.__name__})
    return properties


def _add_choices(defs: dict[str, Any], what: str, names: tuple[str, ...], common: dict[str, Any]) -> None:
    """Define `Trigger`, `Sink` or `Subscriber`: which keys are allowed depends on `type`."""
    rules = []
    for name in names:
        shape = _own_shape(what, name, common, defs)
        if shape is not None:
            rules.append({"if": {"properties": {"type": {"const": name}}}, "then": shape})
    defs[what.capitalize()] = {
        "type": "object",
        "properties": {"type": {"enum": list(names)}},
        "required": ["type"],
        "allOf": rules,
    }


def _own_shape(what: str, name: str, common: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    kind = "trigger" if what == "trigger" else "sink"
    place = _define(what, kind, name, defs)
    if place is None:
        return None
    own = dict(defs[place])
    flat = {**own, "properties": {**own["properties"], **common}, "required": ["type", *own.get("required", [])]}
    if kind != "trigger":
        return flat
    block = {name: {"$ref": f"#/$defs/{place}"}}
    nested = {
        "type": "object",
        "properties": {**block, **common},
        "required": ["type", name],
        "additionalProperties": False,
    }
    return {"anyOf": [flat, nested]}


def _define(what: str, kind: str, name: str, defs: dict[str, Any]) -> str | None:
    """Define the `Config` of a plugin, and return under which name; None for one that cannot be loaded."""
    try:
        config = plugins.load(kind, name).Config
    except (ConfigError, ImportError, AttributeError):
        return None
    # Two plugins may call their structs the same: each one's go by the plugin's name.
    prefix = f"{what}-{name}-"
    (_,), more = msgspec.json.schema_components([config], ref_template=f"#/$defs/{prefix}{{name}}")
    defs.update({prefix + key: one for key, one in more.items()})
    return f"{prefix}{config.__name__}"


def _subscribers() -> tuple[str, ...]:
    """Return every sink that takes lifecycle events, and those of others that cannot be loaded to be asked."""
    found = list(SUBSCRIBERS)
    for one in plugins.outsiders():
        if one.kind == "sink":
            try:
                takes = hasattr(plugins.load("sink", one.name), "publish")
            except ConfigError:
                takes = True
            found += [one.name] if takes else []
    return tuple(dict.fromkeys(found))


def _add_stores(defs: dict[str, Any]) -> None:
    """Let the provider be any that is installed, and describe the blocks of those that are not ours."""
    properties = defs["ProjectFile"]["properties"]
    others = dict.fromkeys(one.name for one in plugins.outsiders() if one.kind == "store")
    properties["provider"]["enum"] = [*plugins.PROVIDERS, *others]
    for name in others:
        place = _define("store", "store", name, defs)
        properties.setdefault(name, {"type": "object"} if place is None else {"$ref": f"#/$defs/{place}"})
