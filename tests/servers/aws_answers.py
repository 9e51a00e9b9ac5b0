"""Writes answers and errors of AWS services by botocore's models. An answer that does not fit its model is a bug here."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from tests.servers.aws_errors import AwsError
from tests.servers.aws_http import Reply
from tests.servers.aws_wire import Params, model_of


class NotInModel(Exception):
    """A service of the stub answered what its model does not have."""


def answer(service: str, operation: str, result: Params, request_id: str) -> Reply:
    """Return the answer of an operation."""
    model = model_of(service)
    shape = model.operation_model(operation).output_shape
    fitting(shape, result, operation)
    match model.metadata["protocol"]:
        case "json":
            return _json(service, 200, _plain(shape, result) if shape else {}, request_id)
        case "query":
            return _query(model, operation, _xml(shape, result), request_id)
        case _:
            return _rest(model, operation, result, request_id)


def refusal(service: str, error: AwsError, request_id: str) -> Reply:
    """Return an error answer."""
    model = model_of(service)
    shape = next((each for each in model.error_shapes if each.name == error.code), None)
    modelled = (shape.metadata.get("error") or {}) if shape is not None else {}
    status = error.status or modelled.get("httpStatusCode") or 400
    code = modelled.get("code", error.code)
    match model.metadata["protocol"]:
        case "json":
            key = "Message" if shape is not None and "Message" in shape.members else "message"
            return _json(service, status, {"__type": code, key: error.message}, request_id)
        case "query":
            side = "Sender" if status < 500 else "Receiver"
            body = (
                f'<ErrorResponse xmlns="{model.metadata["xmlNamespace"]}"><Error><Type>{side}</Type><Code>{code}</Code>'
                f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            )
            return Reply(status, _headers("text/xml", request_id), body.encode())
        case "rest-xml":
            body = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
                f"<Message>{escape(error.message)}</Message><RequestId>{request_id}</RequestId></Error>"
            )
            return Reply(status, _headers("application/xml", request_id), body.encode())
        case _:
            headers = {
                **_headers("application/json", request_id),
                "x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/",
            }
            return Reply(status, headers, json.dumps({"message": error.message}).encode())


def _headers(kind: str, request_id: str) -> dict[str, str]:
    return {"Content-Type": kind, "x-amzn-RequestId": request_id, "x-amz-request-id": request_id}


def _json(service: str, status: int, body: Mapping[str, Any], request_id: str) -> Reply:
    kind = f"application/x-amz-json-{model_of(service).metadata['jsonVersion']}"
    return Reply(status, _headers(kind, request_id), json.dumps(body).encode())


def _query(model: Any, operation: str, inner: str, request_id: str) -> Reply:
    wrapper = model.operation_model(operation).output_shape.serialization.get("resultWrapper", f"{operation}Result")
    body = (
        f'<{operation}Response xmlns="{model.metadata["xmlNamespace"]}"><{wrapper}>{inner}</{wrapper}>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Reply(200, _headers("text/xml", request_id), body.encode())


def _rest(model: Any, operation: str, result: Params, request_id: str) -> Reply:
    it = model.operation_model(operation)
    status, headers, body = it.http.get("responseCode", 200), _headers("application/json", request_id), b""
    if it.output_shape is None:
        return Reply(status, headers, body)
    payload = it.output_shape.serialization.get("payload")
    inside = {}
    for name, value in result.items():
        member = it.output_shape.members[name]
        wire = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case _ if name == payload:
                body = value if isinstance(value, bytes) else json.dumps(_plain(member, value)).encode()
            case "statusCode":
                status = value
            case "header":
                headers[wire] = _text(value, day="%a, %d %b %Y %H:%M:%S GMT")
            case "headers":
                headers |= {wire + key: text for key, text in value.items()}
            case _:
                inside[wire] = _plain(member, value)
    if payload is None and model.metadata["protocol"] == "rest-json":
        body = json.dumps(inside).encode()
    return Reply(status, headers, body)


_SCALARS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "timestamp": datetime,
    "blob": bytes,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def fitting(shape: Any, value: Any, path: str) -> None:
    """Raise `NotInModel` if a value has members or types that its shape has not."""
    match None if shape is None else shape.type_name:
        case None:
            inner, fits = [], not value
        case "structure":
            fits = isinstance(value, dict) and set(value) <= set(shape.members)
            inner = [(shape.members[name], each, name) for name, each in value.items()] if fits else []
        case "list":
            fits = isinstance(value, list)
            inner = [(shape.member, each, "[]") for each in value] if fits else []
        case "map":
            fits = isinstance(value, dict)
            inner = [(shape.value, each, name) for name, each in value.items()] if fits else []
        case kind:
            inner, fits = [], isinstance(value, _SCALARS[kind])
    if not fits:
        raise NotInModel(f"{path} is not {value!r}")
    for member, each, name in inner:
        fitting(member, each, f"{path}.{name}")


def _plain(shape: Any, value: Any) -> Any:
    """Return a value as JSON has it."""
    match shape.type_name:
        case "structure":
            members = shape.members
            return {members[k].serialization.get("name", k): _plain(members[k], v) for k, v in value.items()}
        case "list":
            return [_plain(shape.member, inner) for inner in value]
        case "map":
            return {key: _plain(shape.value, inner) for key, inner in value.items()}
        case "timestamp":
            return value.timestamp()
        case "blob":
            return base64.b64encode(value).decode()
        case _:
            return value


def _xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(f"<{name}>{_xml(shape.members[name], inner)}</{name}>" for name, inner in value.items())
    return escape(_text(value, day="%Y-%m-%dT%H:%M:%SZ"))


def _text(value: Any, *, day: str) -> str:
    if isinstance(value, datetime):
        return value.strftime(day)
    return str(value).lower() if isinstance(value, bool) else str(value)
