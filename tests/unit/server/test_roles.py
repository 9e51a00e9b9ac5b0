"""Who may do what: every route of the contract against every role, whatever routes there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import get
from tests.unit.server.rig import Reply, Rig, a_key, with_keys

from interlock.api.contract import IMPLIED, Role
from interlock.config.project import ServerSpec
from interlock.server.kinds import Kind, kinds

OWN = ("/version", "/openapi.json", "/docs", "/docs/style.css", "/debug/vars", "/metrics")
KEYS = [a_key(f"token-of-{role}", role.value, name=role.value) for role in Role]
NARROW = a_key("token-of-narrow", "admin", name="narrow", pipelines=["orders", "sales-*"])
PLACES = {"date": "2026-03-07", "runId": "nowhere:daily:2026-03-07:1", "rerunId": "nowhere:daily:2026-03-07:1"}


@get("/api/health", opt={"open": True})
async def health() -> str:
    return "well"


@get("/api/secret", opt={"role": Role.ADMIN})
async def secret() -> str:
    return "told"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("project"), with_keys(*KEYS, NARROW), extra=[health, secret]) as found:
        yield found


def asked(rig: Rig, kind: Kind, key: str, pipeline: str = "nowhere") -> Reply:
    places = {**PLACES, "pipelineId": pipeline}
    path = re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], "nothing"), kind.endpoint.path)
    body: object = {} if kind.endpoint.method in ("POST", "PUT", "PATCH") else None
    return rig.ask(kind.endpoint.method, path, body, key=key)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_route_lets_in_exactly_the_roles_that_imply_its_own(rig: Rig, kind: Kind, role: Role) -> None:
    """T-77, T-71."""
    reply = asked(rig, kind, f"token-of-{role}")
    if kind.endpoint.role in IMPLIED[role]:
        assert reply.status not in (401, 403), reply.body
    else:
        assert reply.status == 403
        assert reply.document["code"] == "not_allowed"
        assert f"the role {kind.endpoint.role}" in reply.document["detail"]


@pytest.mark.parametrize("key", ["", "wrong"])
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_no_route_lets_in_who_has_no_key(rig: Rig, kind: Kind, key: str) -> None:
    """T-71."""
    reply = asked(rig, kind, key)
    assert reply.status == 401
    assert reply.document["error"] == reply.document["detail"]
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", [*OWN, "/nowhere", "/", "/api", "/debug", "/api/secret"])
def test_everything_else_takes_a_key_too_even_what_is_not_there(rig: Rig, path: str) -> None:
    """T-75, T-83."""
    assert rig.ask("GET", path).status == 401
    assert rig.ask("POST", path, {}).status == 401
    assert rig.ask("OPTIONS", path).status in (204, 401)


@pytest.mark.parametrize(
    "path",
    [
        "/api/pipelines/health",
        "/api/pipelines/orders/traits/health",
        "/api/health/",
        "/api/health/health",
        "/x/api/health",
        "/api/HEALTH",
    ],
)
def test_the_open_paths_are_exactly_themselves(rig: Rig, path: str) -> None:
    """T-75."""
    assert rig.ask("GET", path).status == 401
    assert rig.ask("GET", "/api/health").body == b"well"


def test_an_open_path_is_open_for_looking_only(rig: Rig) -> None:
    """T-75."""
    assert rig.ask("POST", "/api/health", {}).status == 401
    assert rig.ask("DELETE", "/api/health").status == 401
    assert rig.ask("HEAD", "/api/health").status == 200


@pytest.mark.parametrize(("role", "status"), [("read", 403), ("push", 403), ("operate", 403), ("admin", 200)])
def test_a_handler_of_ones_own_names_its_role_and_it_counts(rig: Rig, role: str, status: int) -> None:
    assert rig.ask("GET", "/api/secret", key=f"token-of-{role}").status == status


@pytest.mark.parametrize(
    "opt", [{}, {"role": "read"}, {"open": True, "role": Role.READ}, {"open": False}, {"opne": True}]
)
def test_a_handler_that_does_not_say_who_may_use_it_is_refused(tmp_path: Path, opt: dict[str, object]) -> None:
    handler = get("/api/more", opt=opt)(_nothing)
    with pytest.raises(TypeError, match="/api/more"), Rig(tmp_path, extra=[handler]):
        pass


def test_no_handler_can_be_open_beside_the_health_paths(tmp_path: Path) -> None:
    """T-75."""
    handler = get("/api/health/more", opt={"open": True})(_nothing)
    with pytest.raises(TypeError, match="cannot be open"), Rig(tmp_path, extra=[handler]):
        pass


async def _nothing() -> None:
    """Answer nothing."""


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_key_of_some_pipelines_reaches_these_alone(rig: Rig, kind: Kind) -> None:
    """T-77."""
    assert asked(rig, kind, "token-of-narrow", "others").status == 403
    if "{pipelineId}" in kind.endpoint.path:
        assert asked(rig, kind, "token-of-narrow", "orders").status != 403
        assert asked(rig, kind, "token-of-narrow", "sales-eu").status != 403
        assert asked(rig, kind, "token-of-narrow", "sales").status == 403


def test_a_key_of_some_pipelines_hears_nothing_of_the_others(rig: Rig) -> None:
    reply = rig.ask("GET", "/api/pipelines/sales-eu/status", key="token-of-narrow")
    assert reply.status == 404
    assert b"orders" not in reply.body
    for path in ("/debug/vars", "/metrics", "/api/secret"):
        assert rig.ask("GET", path, key="token-of-narrow").status == 403
    for path in ("/version", "/openapi.json", "/docs"):
        assert rig.ask("GET", path, key="token-of-narrow").status == 200


def test_without_any_key_everybody_on_this_machine_is_the_local_user(tmp_path: Path) -> None:
    with Rig(tmp_path, ServerSpec()) as open_rig:
        assert open_rig.ask("GET", "/api/pipelines").status == 200
        assert open_rig.ask("POST", "/api/pipelines/orders/evaluate", {}).status == 200
