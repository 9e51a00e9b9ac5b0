"""The document of the API: it is what is checked in, it is valid, it says what the server does, and the server does it."""

from __future__ import annotations

import itertools
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock import api
from interlock.api.contract import Request, Role, in_path
from interlock.api.problems import INTERNAL, KINDS
from interlock.server.docs_page import page
from interlock.server.kinds import kinds
from interlock.server.openapi import document, with_routes, written

GOLDEN = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
PAGE = GOLDEN.with_name("http-api.md")
TOKEN = "token-of-anna"
EXAMPLES = 8
KNOWN = {"pipelineId": "orders", "date": "2026-03-07", "type": "data-check", "traitType": "data-check", "key": "rows"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT: dict[str, Any] = json.loads(written(kinds()))
OPERATIONS = [
    (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods if path.startswith("/api/")
]
OF_OTHERS = ("/api/stream", "/api/health")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    spec = replace(with_keys(a_key(TOKEN, "admin", name="anna")), rate=0)
    with Rig(tmp_path_factory.mktemp("project"), spec) as found:
        found.ask("PUT", "/api/pipelines/orders/sensors/rows", {"data": {"n": 1}}, key=TOKEN)
        yield found


@pytest.fixture(scope="module")
def run_id(rig: Rig) -> str:
    return str(rig.ask("POST", "/api/pipelines/orders/run", {}, key=TOKEN).document["runId"])


def test_the_checked_in_document_is_what_the_contract_says_now() -> None:
    """Write it anew with `make golden`, and read the difference: clients depend on it."""
    assert GOLDEN.read_text() == written(kinds())


def test_the_page_for_people_lists_the_routes_there_are() -> None:
    """Write it anew with `make golden`."""
    text = PAGE.read_text()
    assert text == with_routes(text, kinds())


def test_the_page_for_people_explains_every_code_with_its_status() -> None:
    rows = set(re.findall(r"^\| (\d+) \| (`.*?) \|", PAGE.read_text(), re.MULTILINE))
    explained = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert {(kind.status, kind.code) for kind in (*KINDS, INTERNAL)} <= explained


def test_the_document_is_valid_openapi() -> None:
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


def test_every_reference_in_the_document_leads_somewhere() -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', written(kinds()))):
        found: Any = DOCUMENT
        for step in reference.split("/"):
            found = found[step]
        assert found


def test_no_module_of_the_contract_is_forgotten() -> None:
    modules = {each.name for each in pkgutil.iter_modules(api.__path__)}
    found = set()
    for name in modules:
        module = import_module(f"interlock.api.{name}")
        found |= {
            each
            for each in vars(module).values()
            if isclass(each)
            and issubclass(each, Request)
            and each.__module__ == module.__name__
            and each is not Request
        }
    assert found == set(kinds())


def test_every_operation_has_a_name_of_its_own_a_summary_a_tag_and_its_role() -> None:
    operations = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for operation in operations:
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
    for kind in kinds():
        operation = DOCUMENT["paths"][kind.endpoint.path][kind.endpoint.method.lower()]
        assert operation["security"] == [{"apiKey": [kind.endpoint.role]}, {"bearer": [kind.endpoint.role]}]


def test_every_field_of_every_request_travels_in_one_place_and_what_is_addressed_in_the_query_too() -> None:
    for kind in kinds():
        operation = DOCUMENT["paths"][kind.endpoint.path][kind.endpoint.method.lower()]
        parameters = operation.get("parameters", [])
        assert [each["name"] for each in parameters if each["in"] == "path"] == list(in_path(kind))
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        named = [*(each["name"] for each in parameters), *body.get("properties", {})]
        if kind.endpoint.document:  # the body as a whole is that field
            named = [*(each["name"] for each in parameters), kind.endpoint.document]
        assert sorted(named) == sorted((*kind.__struct_encode_fields__, *kind.endpoint.addressed))


def test_the_open_paths_need_no_key_in_the_document_either() -> None:
    free = {
        path
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        if operation.get("security") == []
    }
    assert free == {"/api/health", "/livez", "/readyz"}


def test_what_the_server_shows_is_the_same_document(rig: Rig) -> None:
    assert rig.ask("GET", "/openapi.json", key=TOKEN).document == DOCUMENT


def test_every_route_of_the_server_is_in_the_document(rig: Rig) -> None:
    served = {re.sub(r":\w+\}", "}", route.path_format) for route in rig.app.routes} - {"/docs/style.css"}
    assert {re.sub(r"\{\w+\}", "{}", path) for path in served} <= {
        re.sub(r"\{\w+\}", "{}", path) for path in DOCUMENT["paths"]
    }


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_server_answers_whatever_it_is_asked_as_the_document_says(
    rig: Rig, run_id: str, path: str, method: str, mode: GenerationMode
) -> None:
    if path in OF_OTHERS:
        assert path in DOCUMENT["paths"]  # told by handlers that this rig does not have
        return
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.app = _living_on(rig.app)
    operation = schema[path][method.upper()]
    places, number = {**KNOWN, "runId": run_id, "rerunId": run_id}, itertools.count()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Case[Any]) -> None:
        if next(number) % 4:  # most of what is invented is not there; some of what is asked should be
            case.path_parameters.update({name: places[name] for name in case.path_parameters if name in places})
        answer = case.call(headers={"x-api-key": TOKEN, "authorization": f"Bearer {TOKEN}"})
        assert answer.status_code not in (401, 403)
        case.validate_response(answer, checks=CHECKS)

    holds()


def _living_on(app: Any) -> Any:
    """Return the application without a life span: schemathesis would end it with each test."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for ended in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{ended}.complete"})

    return asked


def test_the_page_is_complete_in_itself(rig: Rig) -> None:
    reply = rig.ask("GET", "/docs", key=TOKEN)
    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in text
    assert " style=" not in text
    assert " on" not in re.sub(r">[^<]*<", "><", text)
    assert set(re.findall(r'(?:href|src)="([^"#]*)', text)) <= {"/docs/style.css", "/openapi.json", ""}
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert rig.ask("GET", "/docs/style.css", key=TOKEN).headers["content-type"].startswith("text/css")
    for kind in kinds():
        assert kind.endpoint.path in text


def test_nothing_in_the_document_can_become_markup_of_the_page() -> None:
    nasty = json.loads(json.dumps(document(kinds()[:1])).replace("Ask every trait", "<img src=x onerror=alert(1)>"))
    assert "<img" not in page(nasty)
    assert "&lt;img" in page(nasty)


def test_the_roles_that_people_read_of_are_all_there_are() -> None:
    assert all(f"`{role}`" in DOCUMENT["components"]["securitySchemes"]["apiKey"]["description"] for role in Role)
