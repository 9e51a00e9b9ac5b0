"""Every request of the API, and how to make up values of the types it speaks of."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from interlock import api
from interlock.api.contract import Request
from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.core.periods import Period

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
_OBJECTS = st.dictionaries(st.text(max_size=4), _JSON, max_size=3)
_LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
_SIMPLE: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
    inspect.DateType: st.dates(),
    inspect.DateTimeType: st.datetimes(timezones=st.just(UTC)),
    inspect.TimeDeltaType: st.timedeltas(timedelta(), timedelta(days=3650)),
    inspect.AnyType: _JSON,
}
_ODD = ("null", "true", "1", "a b", "ü/😀?&=#%2F+", "{pipelineId}", "x,y")


def requests() -> list[type[Request[Any]]]:
    """Return every kind of request, by name."""
    modules = [importlib.import_module(f"interlock.api.{each.name}") for each in pkgutil.iter_modules(api.__path__)]
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Request) and "endpoint" in vars(value)
    }
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def made_up(kind: Any) -> st.SearchStrategy[Any]:
    """Make up values of a type as msgspec would accept them."""
    return _of(inspect.type_info(kind))


def structs_in(kind: Any) -> Iterator[inspect.StructType]:
    """Yield every struct within a type, each once."""
    seen: set[type] = set()
    ahead = [inspect.type_info(kind)]
    while ahead:
        found = ahead.pop()
        if isinstance(found, inspect.StructType):
            if found.cls in seen:
                continue
            seen.add(found.cls)
            yield found
        ahead += _within(found)


def _within(found: inspect.Type) -> list[inspect.Type]:
    match found:
        case inspect.StructType():
            return [field.type for field in found.fields]
        case inspect.UnionType():
            return list(found.types)
        case inspect.VarTupleType() | inspect.ListType():
            return [found.item_type]
        case inspect.DictType():
            return [found.key_type, found.value_type]
        case inspect.Metadata():
            return [found.type]
        case _:
            return []


def _of(found: inspect.Type) -> st.SearchStrategy[Any]:
    match found:
        case inspect.Metadata():
            return _of(found.type)
        case inspect.StructType():
            return _struct(found)
        case inspect.UnionType():
            return st.one_of([_of(each) for each in found.types])
        case inspect.VarTupleType():
            return _list(found).map(tuple)
        case inspect.ListType():
            return _list(found)
        case inspect.DictType():
            return st.dictionaries(_of(found.key_type), _of(found.value_type), max_size=2)
        case inspect.CustomType():
            return _custom(found.cls)
        case _:
            return _plain(found)


def _list(found: inspect.VarTupleType | inspect.ListType) -> st.SearchStrategy[list[Any]]:
    least = found.min_length or 0
    return st.lists(_of(found.item_type), min_size=least, max_size=least + 2)


def _struct(found: inspect.StructType) -> st.SearchStrategy[Any]:
    parts = {field.name: _of(field.type) for field in found.fields}
    return st.builds(found.cls, **parts)


def _custom(kind: type) -> st.SearchStrategy[Any]:
    if kind is Document:
        return _OBJECTS.map(document)
    if kind is Period:
        return st.dates().filter(lambda day: 1000 <= day.year < 3000).map(Period.of_day)
    raise AssertionError(f"no values can be made up for {kind}")


def _plain(found: inspect.Type) -> st.SearchStrategy[Any]:
    match found:
        case inspect.StrType():
            return _text(found)
        case inspect.IntType():
            return st.integers(_bound(found.ge, found.gt, 1, -(2**53)), _bound(found.le, found.lt, -1, 2**53))
        case inspect.FloatType():
            return st.floats(found.ge, found.le, allow_nan=False, allow_infinity=False)
        case inspect.EnumType():
            return st.sampled_from(list(found.cls))
        case inspect.LiteralType():
            return st.sampled_from(sorted(found.values, key=str))
        case _:
            return _SIMPLE[type(found)]


def _text(found: inspect.StrType) -> st.SearchStrategy[str]:
    if found.pattern is not None:
        return st.from_regex(found.pattern, fullmatch=True)
    least, most = found.min_length or 0, found.max_length
    odd = [text for text in _ODD if len(text) >= least and (most is None or len(text) <= most)]
    return st.sampled_from(odd) | st.text(_LETTERS, min_size=least, max_size=most)


def _bound(included: float | None, excluded: float | None, step: int, otherwise: int) -> int:
    if included is not None:
        return int(included)
    return otherwise if excluded is None else int(excluded) + step


def fields_of(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of a struct by the names under which they travel."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}
