"""Does a value have the shape that a struct asks for? Every deviation at once.

msgspec answers that question fast, and stops at its first error. This asks the same struct definitions slowly and
completely; it runs only over files that msgspec has refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

from interlock.config.values import meant
from interlock.core.templates import has_placeholder

Path = tuple[str | int, ...]


class Unusable(NamedTuple):
    """Stands where a value could not be read; whoever meets it knows that it has been reported."""

    reason: str


class Violation(NamedTuple):
    """One thing wrong with one value. `on_key` says that the key itself is meant."""

    path: Path
    message: str
    hint: str = ""
    rule: str = "type"
    on_key: bool = False


_BAD: Final = Unusable("reported")
_FILLERS: Final[dict[Any, Any]] = {inspect.StrType: "", inspect.VarTupleType: (), inspect.DictType: {}}
_SCALARS: Final[dict[Any, tuple[type, ...]]] = {
    inspect.StrType: (str,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
}
_NAMES: Final[dict[Any, str]] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "nothing",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
}
_PLURALS: Final[dict[Any, str]] = {
    inspect.StrType: "texts",
    inspect.IntType: "whole numbers",
    inspect.FloatType: "numbers",
    inspect.DictType: "mappings",
    inspect.StructType: "mappings",
}
_LISTS: Final = (inspect.VarTupleType, inspect.ListType, inspect.SetType, inspect.FrozenSetType)


def violations(value: object, shape: Any) -> tuple[Any, list[Violation]]:
    """Return what is left of a value once everything wrong is cut out, and everything wrong with it.

    `shape` is a type that msgspec knows. Required keys that are missing are reported and stand as empty in what is left.
    """
    check = _Check()
    left = check.value(value, inspect.type_info(shape), ())
    return (None if left is _BAD else left), check.found


def kind_of(value: object) -> str:
    """Name a value's kind as people who write YAML do."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value!r}" if len(value) <= 40 else "a long text"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


class _Check:
    def __init__(self) -> None:
        self.found: list[Violation] = []

    def value(self, value: Any, kind: Any, path: Path, expected: str = "") -> Any:
        if isinstance(value, Unusable):
            return _BAD
        if isinstance(kind, inspect.Metadata):
            return self.value(value, kind.type, path, (kind.extra or {}).get("expected", expected))
        if isinstance(kind, inspect.UnionType):
            kind = _chosen(value, kind.types) or kind
        if isinstance(kind, inspect.StructType) and isinstance(value, dict) and not kind.array_like:
            return self.struct(value, kind, path)
        if isinstance(kind, inspect.DictType) and isinstance(value, dict):
            kept = {key: self.value(item, kind.value_type, (*path, key)) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item is not _BAD}
        if isinstance(kind, _LISTS) and isinstance(value, list):
            return self.sequence(value, kind, path)
        if _fits(value, kind):
            return self.limits(value, kind, path, expected)
        return self.refuse(value, expected or _expected(kind), path)

    def refuse(self, value: object, expected: str, path: Path) -> Any:
        if value is None:
            self.found.append(
                Violation(path, f"{dotted(path)} is empty, expected {expected}", "give it a value, or remove the key")
            )
            return _BAD
        hint = "put it in quotes" if expected in ("text", "a name") and isinstance(value, int | float) else ""
        if isinstance(value, str) and re.fullmatch(r"-?\d[\d.]*", value) and "number" in expected:
            hint = "remove the quotes"
        elif isinstance(value, str) and has_placeholder(value):
            hint = "placeholders stand in texts only"
        self.found.append(Violation(path, f"{dotted(path)} is {kind_of(value)}, expected {expected}", hint))
        return _BAD

    def struct(self, value: dict[str, Any], kind: inspect.StructType, path: Path) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        tagged = {kind.tag_field} if kind.tag_field else set()
        kept: dict[str, Any] = {key: value[key] for key in tagged if key in value}
        for key, item in value.items():
            if key in fields:
                kept[key] = self.value(item, fields[key].type, (*path, key))
            elif key not in tagged and kind.forbid_unknown_fields:
                hint = meant(key, fields)
                where = f" in {dotted(path)}" if path else ""
                self.found.append(
                    Violation((*path, key), f"unknown key {key!r}{where}", hint, "unknown-key", on_key=True)
                )
        for key, field in fields.items():
            if field.required and key not in value:
                where = f"{dotted(path)} has" if path else "there is"
                self.found.append(Violation(path, f"{where} no {key!r}", f"add {key}: …", "missing-key"))
                kept[key] = _BAD
            if kept.get(key) is _BAD and field.required:
                kept[key] = _FILLERS.get(type(_bare(field.type)), _BAD)
        if any(kept.get(field.encode_name) is _BAD for field in kind.fields if field.required):
            return _BAD
        return {key: item for key, item in kept.items() if item is not _BAD}

    def sequence(self, value: list[Any], kind: Any, path: Path) -> Any:
        if kind.min_length is not None and len(value) < kind.min_length:
            self.found.append(
                Violation(path, f"{dotted(path)} has {len(value)} items, expected at least {kind.min_length}")
            )
        kept = [self.value(item, kind.item_type, (*path, index)) for index, item in enumerate(value)]
        # What comes after an item that is cut out would be looked for in the wrong place, so it is cut out as well.
        return kept[: kept.index(_BAD)] if _BAD in kept else kept

    def limits(self, value: Any, kind: Any, path: Path, expected: str) -> Any:
        wrong = ""
        if isinstance(kind, inspect.IntType | inspect.FloatType):
            if not _within(value, kind):
                wrong = f"{dotted(path)} is {value}, expected {_span(kind)}"
        elif isinstance(kind, inspect.StrType):
            if kind.min_length and len(value) < kind.min_length:
                wrong = f"{dotted(path)} is empty" if not value else f"{dotted(path)} is too short"
            elif kind.max_length is not None and len(value) > kind.max_length:
                wrong = f"{dotted(path)} is longer than {kind.max_length} characters"
            elif kind.pattern and not re.search(kind.pattern, value):
                wanted = expected or f"text that matches {kind.pattern}"
                wrong = f"{dotted(path)} is {kind_of(value)}, expected {wanted}"
        elif isinstance(kind, inspect.LiteralType | inspect.EnumType):
            choices = _choices(kind)
            if value not in choices:
                wrong = f"{dotted(path)} is {kind_of(value)}"
                self.found.append(Violation(path, wrong, meant(str(value), map(str, choices)), "value"))
                return _BAD
        if not wrong:
            return value
        self.found.append(Violation(path, wrong, rule="range"))
        return _BAD


def dotted(path: Path) -> str:
    """Write a path as people do: `schedules[0].after`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


def _bare(kind: Any) -> Any:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _fits(value: Any, kind: Any) -> bool:
    kind = _bare(kind)
    if isinstance(kind, inspect.DictType | inspect.StructType):
        return isinstance(value, dict)
    if isinstance(kind, _LISTS):
        return isinstance(value, list)
    wanted = _SCALARS.get(type(kind))
    if wanted is None:
        # A type of a plugin that this check does not know: msgspec has the last word.
        return not isinstance(kind, inspect.UnionType)
    return isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))


def _chosen(value: Any, kinds: tuple[Any, ...]) -> Any:
    return next((kind for kind in kinds if _fits(value, kind)), None)


def _expected(kind: Any) -> str:
    kind = _bare(kind)
    if isinstance(kind, inspect.UnionType):
        return " or ".join(_expected(one) for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, _LISTS):
        return f"a list of {_PLURALS.get(type(_bare(kind.item_type)), 'values')}"
    return _NAMES.get(type(kind), "something else")


def _within(value: float, kind: Any) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.le is None or value <= kind.le)
        and (kind.gt is None or value > kind.gt)
        and (kind.lt is None or value < kind.lt)
    )


def _span(kind: Any) -> str:
    if kind.ge is not None and kind.le is not None:
        return f"a number between {kind.ge} and {kind.le}"
    parts = [(kind.ge, "at least"), (kind.gt, "more than"), (kind.le, "at most"), (kind.lt, "less than")]
    return "a number of " + " and ".join(f"{word} {limit}" for limit, word in parts if limit is not None)


def _choices(kind: Any) -> list[Any]:
    return [member.value for member in kind.cls] if isinstance(kind, inspect.EnumType) else list(kind.values)


def convert_error(exc: msgspec.ValidationError | ValueError) -> tuple[Path, str]:
    """Return the path and the words of msgspec's own message, for what this module has no words for."""
    text, _, place = str(exc).partition(" - at `$")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    return tuple(int(index) if index else key for key, index in steps), text
