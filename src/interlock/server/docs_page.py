"""The OpenAPI document as a page: complete in itself, without a script, without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

CSP: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'none'"
)

STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .92em; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
details { border: 1px solid #8886; border-radius: 4px; margin: .4rem 0; }
details > div { padding: 0 1rem .6rem; }
summary { cursor: pointer; padding: .35rem .6rem; }
summary b { display: inline-block; min-width: 4.5em; }
summary span { opacity: .75; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #8883; }
"""

_CODE: Final = re.compile(r"`([^`]+)`")
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def page(document: Mapping[str, Any]) -> str:
    """Return the page for a document."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}</title><link rel="stylesheet" href="/docs/style.css"></head><body>',
            f"<h1>{title}</h1>{_paragraphs(info['description'])}",
            '<p>The same for programs: <a href="/openapi.json">/openapi.json</a></p>',
            *_keys(document),
            *(part for tag in document["tags"] for part in _tag(tag, document)),
            "<h2>Shapes</h2>",
            *(_shape(name, schema) for name, schema in document["components"]["schemas"].items()),
            "</body></html>",
        )
    )


def _keys(document: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Keys</h2><ul>"
    for name, scheme in document["components"]["securitySchemes"].items():
        yield f"<li><code>{escape(scheme.get('name', 'Authorization: Bearer'))}</code> ({name}): "
        yield f"{_text(scheme['description'])}</li>"
    yield "</ul>"


def _tag(tag: Mapping[str, str], document: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(tag["name"])}">{escape(tag["name"].capitalize())}</h2>{_paragraphs(tag["description"])}'
    for path, methods in document["paths"].items():
        for method in _METHODS:
            operation = methods.get(method)
            if operation is not None and tag["name"] in operation["tags"]:
                yield _operation(path, method, operation)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = [
        (each["name"], each["in"], each["required"], each["schema"], each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        schema = media["schema"]
        for name, one in schema["properties"].items():
            rows.append((name, "body", name in schema.get("required", ()), one, one.get("description", "")))
    asked = "".join(_row(*row) for row in rows)
    table = f"<table><tr><th>Field<th>In<th>Type<th></tr>{asked}</table>" if rows else ""
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b> '
        f"<code>{escape(path)}</code> <span>{_text(operation['summary'])}</span></summary><div>"
        f"{_paragraphs(operation.get('description', ''))}{table}<ul>{''.join(_answers(operation))}</ul></div></details>"
    )


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            continue
        shapes = [_kind(media["schema"]) for media in answer.get("content", {}).values() if "schema" in media]
        yield f"<li><b>{escape(status)}</b> {_text(answer['description'])} {' '.join(shapes)}</li>"
    codes = ", ".join(escape(status) for status, answer in operation["responses"].items() if "$ref" in answer)
    yield f'<li>{codes}: a <a href="#shape-Problem">Problem</a></li>'


def _row(name: str, where: str, needed: bool, schema: Mapping[str, Any], said: str) -> str:  # noqa: FBT001
    mark = " *" if needed else ""
    return f"<tr><td><code>{escape(name)}</code>{mark}<td>{where}<td>{_kind(schema)}<td>{_text(said)}</tr>"


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' *' if field in needed else ''}<td>{_kind(one)}"
        f"<td>{_text(one.get('description', ''))}</tr>"
        for field, one in schema.get("properties", {}).items()
    )
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))
    body = f"<table><tr><th>Field<th>Type<th></tr>{rows}</table>" if rows else f"<p>{values}</p>"
    summary = f"<summary><code>{escape(name)}</code></summary>"
    described = _paragraphs(schema.get("description", ""))
    return f'<details id="shape-{escape(name)}">{summary}<div>{described}{body}</div></details>'


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    kind = schema.get("type", "anything")
    return escape(" or ".join(kind) if isinstance(kind, list) else str(kind))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in text.split("\n\n") if part)


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
