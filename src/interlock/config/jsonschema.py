"""JSON Schema 2020-12 of each kind of file, for editors: made from the structs that loading uses."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from interlock import plugins
from interlock.config.build_trigger import TriggerEntry
from interlock.config.cache import KINDS
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
        _add_choices(defs, "trigger", _common_properties(defs))
        defs["PipelineFile"]["properties"]["trigger"] = {"$ref": "#/$defs/Trigger"}
        values = [category.value for category in FailureCategory]
        defs["RetryEntry"]["properties"]["retryableFailures"]["items"] = {"enum": values}
    if kind == "project":
        _add_choices(defs, "sink", {"type": {"type": "string"}})
        defs["ProjectFile"]["properties"]["alerts"]["items"] = {"$ref": "#/$defs/Sink"}
    if kind == "archetype":
        rules = {"enum": [rule.value for rule in RuleType]}
        defs["RuleEntry"]["properties"]["type"] = rules
        defs["ArchetypeFile"]["properties"]["readinessRule"]["anyOf"][0] = rules
        defs["ArchetypeFile"]["properties"]["requiredTraits"]["minItems"] = 1
    return {"$schema": DIALECT, "title": f"Interlock {kind} file", **root, "$defs": defs}


def _common_properties(defs: dict[str, Any]) -> dict[str, Any]:
    (_,), more = msgspec.json.schema_components([TriggerEntry], ref_template=_TEMPLATE)
    properties: dict[str, Any] = dict(more["TriggerEntry"]["properties"])
    defs.update({name: one for name, one in more.items() if name != "TriggerEntry"})
    return properties


def _add_choices(defs: dict[str, Any], kind: str, common: dict[str, Any]) -> None:
    """Define `Trigger` or `Sink`: which keys are allowed depends on `type`."""
    names = plugins.available(kind)
    rules = []
    for name in names:
        shape = _own_shape(kind, name, common, defs)
        if shape is not None:
            rules.append({"if": {"properties": {"type": {"const": name}}}, "then": shape})
    defs[kind.capitalize()] = {
        "type": "object",
        "properties": {"type": {"enum": list(names)}},
        "required": ["type"],
        "allOf": rules,
    }


def _own_shape(kind: str, name: str, common: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    try:
        config = plugins.load(kind, name).Config
    except (ConfigError, ImportError, AttributeError):
        return None
    # Two plugins may call their structs the same: each one's go by the plugin's name.
    prefix = f"{kind}-{name}-"
    (_,), more = msgspec.json.schema_components([config], ref_template=f"#/$defs/{prefix}{{name}}")
    own = dict(more[config.__name__])
    defs.update({prefix + key: one for key, one in more.items()})
    flat = {**own, "properties": {**own["properties"], **common}, "required": ["type", *own.get("required", [])]}
    if kind != "trigger":
        return flat
    block = {name: {"$ref": f"#/$defs/{prefix}{config.__name__}"}}
    nested = {
        "type": "object",
        "properties": {**block, **common},
        "required": ["type", name],
        "additionalProperties": False,
    }
    return {"anyOf": [flat, nested]}
