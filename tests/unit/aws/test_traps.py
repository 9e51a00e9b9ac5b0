"""Hazards of functions and state machines that are deployed while runs are under way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interlock.aws.state import Next, State
from interlock.codec import wire

MODULE = Path(__file__).resolve().parents[3] / "deploy/terraform"
CALLERS = ("state_machine.tf", "mappings.tf", "rules.tf")


def test_a_state_of_an_earlier_release_is_understood() -> None:
    """AWS-45: what a release adds to the state has a default, so that a run's name alone is enough."""
    found = wire.from_builtins({"run": "sales:daily:2026-03-07:1"}, State)
    assert (found.run, found.next) == ("sales:daily:2026-03-07:1", Next.STEP)


def test_a_state_of_a_later_release_is_understood_after_a_roll_back() -> None:
    """AWS-45."""
    found = wire.from_builtins({"run": "sales:daily:2026-03-07:1", "spent": 7, "ofTomorrow": {"a": 1}}, State)
    assert found.spent == 7


@pytest.mark.parametrize("name", CALLERS)
def test_whoever_calls_a_function_calls_the_version_that_is_live(name: str) -> None:
    """AWS-45: the alias moves when a version is whole; nobody calls what is just being uploaded."""
    text = (MODULE / name).read_text(encoding="utf-8")
    called = re.findall(
        r"^ +(?:\w+_arn|arn|function_name) += +(\S+(?:lambda_alias|lambda_function)\S+)", text, re.MULTILINE
    )
    targets = [each for each in called if "aws_lambda_function.this[each.key].function_name" not in each]
    assert targets
    assert [each for each in targets if not each.startswith("aws_lambda_alias.live[")] == []
