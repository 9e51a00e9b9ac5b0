"""The API as an OpenAPI 3.1 document, made of the contract. `python -m interlock.server.openapi --write PATH` writes it."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import fields

from interlock.api.contract import Request, Role, answer_of, in_path
from interlock.core.documents import Document
from interlock.core.periods import Period
from interlock.server.kinds import Kind, kinds
from interlock.server.openapi_parts import EXAMPLES, INTRODUCTION, OWN_PATHS, PROBLEM, RESPONSES, SECURITY
from interlock.version import __version__

Schema: TypeAlias = dict[str, Any]

_BEGIN: Final = "<!-- routes -->"
_END: Final = "<!-- /routes -->"
_REF: Final = "#/components/schemas/{name}"
_BODILESS: Final = ("GET", "DELETE")
_ALWAYS: Final = ("400", "401", "403", "404", "414", "422", "429", "431", "500", "503")
_WITH_BODY: Final = ("408", "413", "415")
_CHANGING: Final = ("409", "412", "501", "502")
_LINKS: Final = {
    "Link": {"description": 'Where the list goes on, with rel="next".', "schema": {"type": "string"}},
    "X-Next-Cursor": {"description": "What `cursor` takes to go on.", "schema": {"type": "string"}},
}


def document(served: Sequence[Kind]) -> Schema:
    """Return the document of some kinds of requests, and of what the server has beside them."""
    answers = dict.fromkeys(answer for kind in served if (answer := answer_of(kind)) is not None)
    _, shown = msgspec.json.schema_components(answers, schema_hook=_hook, ref_template=_REF)
    # Apart from the answers: a request may have the name of a shape that is answered.
    _, asked = msgspec.json.schema_components(served, schema_hook=_hook, ref_template=_REF)
    names = {kind.__name__ for kind in served}
    schemas: dict[str, Schema] = {**{name: each for name, each in asked.items() if name not in names}, **shown}
    paths: dict[str, Schema] = {}
    for kind in served:
        paths.setdefault(kind.endpoint.path, {})[kind.endpoint.method.lower()] = _operation(
            kind, asked[kind.__name__], schemas
        )
    for path, operations in OWN_PATHS.items():
        paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Interlock", "version": __version__, "description": INTRODUCTION, "license": _LICENCE},
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in SECURITY],
        "tags": _tags(served),
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {"Problem": PROBLEM, **{name: schemas[name] for name in sorted(schemas)}},
            "responses": RESPONSES,
            "securitySchemes": SECURITY,
        },
    }


_LICENCE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def written(served: Sequence[Kind]) -> str:
    """Return the document as text, as it is checked in."""
    return msgspec.json.format(msgspec.json.encode(document(served)), indent=2).decode() + "\n"


def _operation(kind: Kind, asked: Schema, schemas: Mapping[str, Schema]) -> Schema:
    endpoint = kind.endpoint
    summary, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    parameters, body = _divided(kind, asked)
    statuses = [*_ALWAYS, *(_WITH_BODY if endpoint.method not in _BODILESS else ())]
    statuses += _CHANGING if endpoint.method != "GET" else ()
    made: Schema = {
        "operationId": kind.__name__[0].lower() + kind.__name__[1:],
        "tags": [_tag(kind)],
        "summary": _sentence(summary),
        "description": "\n\n".join(filter(None, (_flowing(rest), f"Takes a key with the role `{endpoint.role}`."))),
        "security": [{name: [str(role)]} for name in SECURITY for role in (endpoint.role,)],
        "parameters": parameters,
        "responses": {
            str(endpoint.success): _success(kind, schemas),
            **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)},
        },
    }
    if body is not None:
        made["requestBody"] = body
    return made


def _divided(kind: Kind, asked: Schema) -> tuple[list[Schema], Schema | None]:
    """Divide the fields of a request into what travels in the path or the query, and what in the body."""
    properties: dict[str, Schema] = dict(asked.get("properties", {}))
    required = list(asked.get("required", []))
    names = {field.encode_name for field in fields(kind)}
    assert names == set(properties), kind  # noqa: S101  (a field without a schema would be missing from the document)
    parameters = [_parameter("path", name, properties.pop(name), needed=True) for name in in_path(kind)]
    if kind.endpoint.method in _BODILESS:
        parameters += [_parameter("query", name, each, needed=name in required) for name, each in properties.items()]
        return parameters, None
    parameters += [_parameter("query", name, properties[name], needed=False) for name in kind.endpoint.addressed]
    if not properties:
        return parameters, None
    if kind.endpoint.document:
        whole: Schema = {"schema": properties[kind.endpoint.document]}
        return parameters, {"required": True, "content": {"application/json": whole}}
    needed = [name for name in required if name in properties]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        schema["required"] = needed
    example = {name: EXAMPLES[name] for name in properties if name in EXAMPLES and name in needed}
    content: Schema = {"schema": schema}
    if set(example) == set(needed):
        content["example"] = example
    return parameters, {"required": bool(needed), "content": {"application/json": content}}


def _parameter(where: str, name: str, schema: Schema, *, needed: bool) -> Schema:
    schema = _not_null(schema)
    if where == "path" and schema.get("type") == "string" and "pattern" not in schema:
        schema = {**schema, "pattern": r"^[^\u0000-\u001f\u007f/\\]+$"}
    made: Schema = {"name": name, "in": where, "required": needed, "schema": schema}
    if "description" in schema:
        made["description"] = schema.pop("description")
    if name in EXAMPLES:
        made["example"] = EXAMPLES[name]
    return made


def _not_null(schema: Schema) -> Schema:
    """Leave null out: in a path or a query it cannot be said."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    plain = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    if len(choices) == 1:
        plain.pop("anyOf")
        return {**choices[0], **plain}
    return {**plain, "anyOf": choices} if choices else plain


def _success(kind: Kind, schemas: Mapping[str, Schema]) -> Schema:
    answer = answer_of(kind)
    if answer is None:
        return {"description": "Done; there is nothing to show."}
    shape = schemas[answer.__name__]
    said = _sentence(str(shape.get("description", "The answer.")).partition("\n")[0])
    schema = {"$ref": _REF.format(name=answer.__name__)}
    if not kind.endpoint.bare:
        return {"description": said, "content": {"application/json": {"schema": schema}}}
    items = shape["properties"]["items"]
    return {"description": said, "headers": _LINKS, "content": {"application/json": {"schema": items}}}


def _hook(kind: type) -> Schema:
    if kind is Document:
        return {"type": "object"}
    if kind is Period:
        return {"type": "string"}
    raise NotImplementedError(kind.__name__)  # what msgspec asks of a hook that does not know a type


def _tag(kind: type[Request[Any]]) -> str:
    return kind.__module__.rpartition(".")[2]


def _tags(served: Sequence[Kind]) -> list[Schema]:
    found = {_tag(kind): inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "") for kind in served}
    return [{"name": name, "description": _flowing(text)} for name, text in found.items()] + [
        {"name": "server", "description": "The server itself: " + ", ".join(f"`{role}`" for role in Role) + " keys."}
    ]


def _sentence(text: str) -> str:
    return text.strip().removesuffix(".")


def _flowing(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(re.sub(r"\s*\n\s*", " ", part.strip()) for part in text.strip().split("\n\n"))


def with_routes(page: str, served: Sequence[Kind]) -> str:
    """Return a page of the documentation with the table of routes between its two marks."""
    before, _, rest = page.partition(f"{_BEGIN}\n")
    _, mark, after = rest.partition(_END)
    lines = ["", "| Method | Path | Role | Success | Does |", "|---|---|---|---|---|"]
    for kind in served:
        method, path, role, success, *_ = kind.endpoint
        summary = _sentence(inspect.cleandoc(kind.__doc__ or "").partition("\n")[0])
        lines.append(f"| {method} | `{path}` | {role} | {success} | {summary[:1].lower()}{summary[1:]} |")
    return "\n".join([f"{before}{_BEGIN}", *lines, "", f"{mark}{after}"])


def main() -> None:
    """Write the document where it is checked in, and its routes into the page that people read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True)
    parser.add_argument("--page", type=Path)
    chosen = parser.parse_args()
    chosen.write.write_text(written(kinds()))
    if chosen.page is not None:
        chosen.page.write_text(with_routes(chosen.page.read_text(), kinds()))


if __name__ == "__main__":
    main()
