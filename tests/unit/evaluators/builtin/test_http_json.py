"""Laws of `builtin:http-json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.servers import Server, serving
from tests.unit.evaluators.worlds import World

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer

DOC = {"data": {"items": [{"lag": 45}, {"lag": 400}]}, "ok": True, "none": None, "text": "100"}


def ask(body: bytes, status: int = 200, **config: Any) -> tuple[Answer, Server]:
    world = World(Path("/"), env={"TOKEN": "s3cret-token"}, env_allow=("TOKEN",))
    with serving(lambda seen: (status, {}, body)) as server:
        config.setdefault("url", "{server}/status")
        config["url"] = config["url"].replace("{server}", server.url)
        return world.ask("builtin:http-json", config=config), server


@pytest.mark.parametrize("path", ["data.items[0].lag", "data.items.0.lag", "data.items[-2].lag"])
def test_a_value_is_found_by_its_path(path: str) -> None:
    answer, _ = ask(json.dumps(DOC).encode(), path=path, max=300)
    assert answer.status is TraitStatus.PASS, answer.reason
    assert answer.value is not None
    assert mapping(answer.value) == {"value": 45}


def test_a_whole_answer_may_be_the_value() -> None:
    assert ask(b"7", equals=7)[0].status is TraitStatus.PASS


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"path": "data.items[1].lag", "max": 300}, TraitStatus.FAIL),
        ({"path": "data.items[2].lag", "max": 300}, TraitStatus.FAIL),
        ({"path": "data.gone.lag", "min": 0}, TraitStatus.FAIL),
        ({"path": "ok.deeper", "min": 0}, TraitStatus.FAIL),
        ({"path": "text.0", "min": 0}, TraitStatus.FAIL),
        ({"path": "none", "min": 0}, TraitStatus.FAIL),
        ({"path": "text", "equals": 100}, TraitStatus.FAIL),
        ({"path": "ok", "equals": True}, TraitStatus.PASS),
        ({"path": "data", "min": 0}, TraitStatus.ERROR),
    ],
)
def test_nothing_and_the_wrong_kind_are_not_green(config: dict[str, Any], status: TraitStatus) -> None:
    """LAT-31."""
    answer, _ = ask(json.dumps(DOC).encode(), **config)
    assert answer.status is status, answer.reason
    assert answer.origin is Origin.EVALUATOR


@pytest.mark.parametrize(
    ("status", "body", "category"),
    [
        (404, b"", FailureCategory.PERMANENT),
        (429, b"", FailureCategory.TRANSIENT),
        (503, b"", FailureCategory.TRANSIENT),
        (200, b"<html>", FailureCategory.PERMANENT),
        (200, b"[" * 100_000, FailureCategory.PERMANENT),
        (200, b'"\xff"', FailureCategory.PERMANENT),
    ],
)
def test_a_service_without_an_answer_is_could_not_tell(status: int, body: bytes, category: FailureCategory) -> None:
    """BUG-31, BUG-10."""
    answer, _ = ask(body, status, equals=1)
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.RUNNER, category)


def test_a_service_that_is_not_there_is_worth_another_try() -> None:
    answer = World(Path("/")).ask("builtin:http-json", config={"url": "http://127.0.0.1:1/x", "equals": 1})
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.TRANSIENT)


def test_address_and_headers_may_hold_the_slot_and_allowed_secrets() -> None:
    answer, server = ask(
        b"1", equals=1, url="{server}/{{date}}?key=${env:TOKEN}", headers={"Authorization": "Bearer ${env:TOKEN}"}
    )
    assert answer.status is TraitStatus.PASS
    assert server.seen[0].path == "/2026-03-07?key=s3cret-token"
    assert server.seen[0].headers["authorization"] == "Bearer s3cret-token"


def test_a_service_that_repeats_the_secret_does_not_reach_the_reason() -> None:
    """T-73."""
    answer, _ = ask(b"bad token s3cret-token", 401, equals=1)
    assert "bad token ${TOKEN}" in answer.reason


def test_a_service_that_repeats_a_secret_of_its_own_address_does_not_reach_the_reason() -> None:
    answer, _ = ask(b"<html>/lag?token=written-out", 200, equals=1)
    assert "written-out" not in answer.reason
    assert "(redacted)" in answer.reason


@pytest.mark.parametrize(
    ("config", "fragment"),
    [
        ({"url": "ftp://h/x", "equals": 1}, "url"),
        ({"url": "http://h/x"}, "no rule is given"),
        ({"url": "http://h/${env:HOME}", "equals": 1}, "HOME"),
    ],
)
def test_a_config_that_cannot_be_used_is_permanent(config: dict[str, Any], fragment: str) -> None:
    answer = World(Path("/")).ask("builtin:http-json", config=config)
    assert answer.category is FailureCategory.PERMANENT
    assert fragment in answer.reason
