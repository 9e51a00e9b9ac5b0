"""`interlock traits push`: hand in a result for a trait that is checked elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.unit.cli.terminal import Said, Terminal


@pytest.fixture
def pushed(terminal: Terminal) -> Terminal:
    path = terminal.root / "pipelines/orders.yaml"
    path.write_text(path.read_text().replace("evaluator: ./evaluators/check", "evaluator: push"))
    return terminal


def push(terminal: Terminal, *more: str) -> Said:
    return terminal("traits", "push", "orders", "data-check", "--status", "PASS", *more)


def test_a_push_says_how_long_it_counts(pushed: Terminal) -> None:
    said = push(pushed, "--ttl", "90m")
    assert (said.code, said.err) == (0, "")
    assert "PASS  orders data-check, counts for 1h30m" in said.out


def test_a_push_as_json_is_the_result_as_it_was_taken(pushed: Terminal) -> None:
    said = push(
        pushed, "--ttl", "10m", "--value", '{"rows": 3}', "--reason", "counted", "--date", "2026-03-07", "--json"
    ).document
    assert (said["kind"], said["pipelineId"], said["traitType"], said["date"]) == (
        "PushedResult",
        "orders",
        "data-check",
        "2026-03-07",
    )
    assert (said["value"], said["reason"], said["evaluatedAt"]) == ({"rows": 3}, "counted", said["pushedAt"])
    ends, began = (datetime.fromisoformat(said[key]) for key in ("expiresAt", "pushedAt"))
    assert ends - began == timedelta(minutes=10)


def test_a_push_without_an_end_is_not_taken(pushed: Terminal) -> None:
    """T-78."""
    for more in ((), ("--ttl", "0")):
        said = push(pushed, *more)
        assert said.code == 2
        assert "a ttl is needed" in said.err


def test_a_trait_that_is_checked_here_is_no_trait_to_push(terminal: Terminal) -> None:
    said = push(terminal, "--ttl", "5m")
    assert said.code == 7
    assert "evaluator: push" in said.err


@pytest.mark.parametrize("value", ["3", "[1]", "{", "nothing", '{"a": 1e999}'])
def test_a_value_that_is_no_object_is_a_usage_error(pushed: Terminal, value: str) -> None:
    assert push(pushed, "--ttl", "5m", "--value", value).code == 2


def test_a_name_that_nobody_knows_is_not_found(pushed: Terminal) -> None:
    said = pushed("traits", "push", "orders", "data-chek", "--status", "PASS")
    assert said.code == 8
    assert "did you mean data-check" in said.err
    assert push(pushed, "--ttl", "5m", "--schedule", "dayly").code == 8
