"""Reads requests of AWS clients by the service models of botocore: what a model does not accept is refused."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from tests.servers.aws_errors import Unacceptable
from tests.servers.aws_http import Request

Params: TypeAlias = dict[str, Any]
# The name under which a service is signed for, where it is not the name of its client.
_SIGNED: Final = {"elasticmapreduce": "emr", "states": "stepfunctions"}
_CREDENTIAL: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request,")
_validator: Final = ParamValidator()


class Signer(NamedTuple):
    """Who calls which service of which region."""

    access_key: str
    region: str
    service: str


class Read(NamedTuple):
    """A request, understood."""

    operation: str
    params: Params


@functools.cache
def model_of(service: str) -> Any:
    """Return botocore's model of a service."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def signer_of(request: Request, services: Container[str]) -> Signer:
    """Return who signed a request, for one of these services."""
    found = _CREDENTIAL.match(request.headers.get("authorization", ""))
    if found is None:
        raise Unacceptable("the request is not signed with AWS4-HMAC-SHA256")
    key, region, name = found.groups()
    service = _SIGNED.get(name, name)
    if service not in services:
        raise Unacceptable(f"the stub does not know the service {service!r}")
    return Signer(key, region, service)


def read(request: Request, service: str, operations: Iterable[str]) -> Read:
    """Return which of these operations is asked for, and with what."""
    model = model_of(service)
    match model.metadata["protocol"]:
        case "json":
            found = _read_json(request, model)
        case "query":
            found = _read_query(request, model)
        case _:
            found = _read_rest(request, model, operations)
    if found.operation not in operations:
        raise Unacceptable(f"the stub does not know {service}:{found.operation}")
    _check(model.operation_model(found.operation).input_shape, found)
    return found


def _operation(model: Any, name: str) -> Any:
    if name not in model.operation_names:
        raise Unacceptable(f"{model.service_name} has no operation {name!r}")
    return model.operation_model(name)


def _read_json(request: Request, model: Any) -> Read:
    prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
    wanted = model.metadata["targetPrefix"], f"application/x-amz-json-{model.metadata['jsonVersion']}"
    if (prefix, request.headers.get("content-type")) != wanted or request.method != "POST":
        raise Unacceptable(f"not a JSON call of {model.service_name}: {prefix!r}")
    _operation(model, name)
    return Read(name, _decoded(request.body))


def _decoded(body: bytes) -> Params:
    try:
        value = json.loads(body or b"{}")
    except ValueError as exc:
        raise Unacceptable("the body is not JSON") from exc
    if not isinstance(value, dict):
        raise Unacceptable("the body is not a JSON object")
    return value


# ------------------------------------------------------------ query


def _read_query(request: Request, model: Any) -> Read:
    given = dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
    name, version = given.pop("Action", ""), given.pop("Version", "")
    shape = _operation(model, name).input_shape
    if version != model.metadata["apiVersion"]:
        raise Unacceptable(f"{model.service_name} has no version {version!r}")
    params = _from_query(shape, given, "") if shape else {}
    if given:
        raise Unacceptable(f"{name} does not take {sorted(given)}")
    return Read(name, params or {})


def _from_query(shape: Any, given: dict[str, str], prefix: str) -> Any:
    """Take what belongs to a shape out of the flat names; None if nothing does."""
    match shape.type_name:
        case "structure":
            start = f"{prefix}." if prefix else ""
            found = {
                name: _from_query(member, given, start + member.serialization.get("name", name))
                for name, member in shape.members.items()
            }
            return {name: value for name, value in found.items() if value is not None} or None
        case "list":
            return list(_numbered(shape.member, given, f"{prefix}.member")) or None
        case "map":
            names = [
                part.serialization.get("name", word) for part, word in ((shape.key, "key"), (shape.value, "value"))
            ]
            found = {}
            number = 1
            while (key := given.pop(f"{prefix}.entry.{number}.{names[0]}", None)) is not None:
                found[key] = _from_query(shape.value, given, f"{prefix}.entry.{number}.{names[1]}")
                number += 1
            return found or None
        case _:
            text = given.pop(prefix, None)
            return None if text is None else _from_text(shape, text)


def _numbered(member: Any, given: dict[str, str], prefix: str) -> Iterable[Any]:
    number = 1
    while (value := _from_query(member, given, f"{prefix}.{number}")) is not None:
        yield value
        number += 1


def _from_text(shape: Any, text: str) -> Any:
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text]
            case "blob":
                return base64.b64decode(text, validate=True)
            case _:
                return text
    except (KeyError, ValueError, binascii.Error) as exc:
        raise Unacceptable(f"{text[:40]!r} is not a {shape.type_name}") from exc


# ------------------------------------------------------------ REST


def _read_rest(request: Request, model: Any, operations: Iterable[str]) -> Read:
    parts = urlsplit(request.target)
    for name in operations:
        operation = model.operation_model(name)
        place = _place(operation.http["requestUri"]).fullmatch(parts.path)
        if place and request.method == operation.http["method"]:
            return Read(name, _from_rest(operation, request, place.groupdict(), parts.query))
    raise Unacceptable(f"{model.service_name} has nothing at {request.method} {parts.path}")


@functools.cache
def _place(template: str) -> re.Pattern[str]:
    """Return the pattern of a URI template; `{Key+}` takes slashes too."""
    text = re.escape(template).replace(r"\{", "{").replace(r"\}", "}").replace(r"\+}", "+}")
    text = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", text)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text))


def _from_rest(operation: Any, request: Request, place: Mapping[str, str], query: str) -> Params:
    shape, params = operation.input_shape, {}
    asked = parse_qsl(query, keep_blank_values=True)
    payload = shape.serialization.get("payload")
    inside = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        location = member.serialization.get("location")
        if name == payload:
            params[name] = request.body if member.type_name == "blob" else _decoded(request.body)
        elif location is None:
            inside[wire] = name
        else:
            value = _located(member, location, wire, request, place, asked)
            if value is not None:
                params[name] = value
    if asked:
        raise Unacceptable(f"{operation.name} does not take {sorted({name for name, _ in asked})} in its query")
    if payload is None and request.body:
        params |= {inside.get(wire, wire): value for wire, value in _decoded(request.body).items()}
    return params


def _located(
    member: Any, location: str, wire: str, request: Request, place: Mapping[str, str], asked: list[tuple[str, str]]
) -> Any:
    match location:
        case "uri":
            return unquote(place[wire])
        case "header":
            text = request.headers.get(wire.lower())
            return None if text is None else _from_text(member, text)
        case "headers":
            start = wire.lower()
            return {k.removeprefix(start): v for k, v in request.headers.items() if k.startswith(start)} or None
        case _:
            found = [text for name, text in asked if name == wire]
            asked[:] = [pair for pair in asked if pair[0] != wire]
            if member.type_name == "list":
                return found or None
            return _from_text(member, found[0]) if found else None


# ------------------------------------------------------------ what the model accepts


def _check(shape: Any, found: Read) -> None:
    if shape is None:
        if found.params:
            raise Unacceptable(f"{found.operation} takes nothing")
        return
    report = _validator.validate(found.params, shape)
    complaints = [report.generate_report()] if report.has_errors() else list(_strict(shape, found.params, ""))
    if complaints:
        raise Unacceptable(f"{found.operation}: {'; '.join(complaints)}")


def _strict(shape: Any, value: Any, path: str) -> Iterable[str]:
    """Yield what the service would mind and botocore does not look at: sets of values, longest sizes, patterns."""
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                yield from _strict(shape.members[name], inner, f"{path}.{name}")
        case "list":
            for inner in value:
                yield from _strict(shape.member, inner, f"{path}[]")
        case "map":
            for name, inner in value.items():
                yield from _strict(shape.key, name, f"{path}.{name}")
                yield from _strict(shape.value, inner, f"{path}.{name}")
        case "string":
            yield from _strict_text(shape, value, path)
    longest = shape.metadata.get("max")
    size = len(value) if hasattr(value, "__len__") else value
    if longest is not None and size > longest:
        yield f"{path} is over {longest}"


def _strict_text(shape: Any, value: str, path: str) -> Iterable[str]:
    pattern = shape.metadata.get("pattern")
    if shape.enum and value not in shape.enum:
        yield f"{path} is none of {shape.enum}"
    if pattern and not _fits(pattern, value):
        yield f"{path} does not fit {pattern}"


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None if pattern[:1] == "^" else re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # written for another engine of expressions
