"""The state machine: what is checked in is what is made, and every path through it leads somewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from interlock.aws import asl
from interlock.aws.functions import FUNCTIONS, named, table_text
from interlock.aws.onward import QUOTA
from interlock.aws.state import Next
from interlock.aws.turning import KEPT, LOOKS, STARTS
from interlock.config.bundle import LONGEST_CHECK, LONGEST_START
from interlock.core.commands import Command, EvaluateTrait
from interlock.testing.asl.check import check

FILES: Final = Path("deploy/terraform")
MACHINE: Final = asl.state_machine()
ALWAYS: Final = {"$.run", "$.spent", "$.next"}
WAIT: Final = {f"$.wait.{name}" for name in ("seconds", "seen", "slot", "row", "parked", "ttl")}
SAID: Final[dict[str, set[str]]] = {
    each.value: {
        *ALWAYS,
        *({"$.evaluate", "$.room"} if each is Next.EVALUATE else ()),
        *(WAIT if each.value.startswith(("wait_", "watch_")) else ()),
        *({"$.reason"} if each in (Next.FAILED, Next.UNKNOWN, Next.CANCELLED, Next.COMPLETED) else ()),
        *({"$.heir"} if each is Next.RENEW else ()),
        *({"$.lost.Error", "$.lost.Cause"} if each is Next.BROKEN else ()),
    }
    for each in Next
}


def test_the_file_is_what_is_made() -> None:
    """`python -m interlock.aws.asl --write deploy/terraform/pipeline.asl.json` makes it."""
    assert (FILES / "pipeline.asl.json").read_text(encoding="utf-8") == asl.text()


def test_the_table_of_functions_is_what_is_made() -> None:
    """AWS-01: what functions read is what Terraform gives them."""
    assert (FILES / "functions.json").read_text(encoding="utf-8") == table_text()


def test_every_path_that_a_state_reads_is_there_whatever_leads_to_it() -> None:
    """AWS-08: a missing path is an error that nothing catches."""
    outputs = {f"${{{name}_arn}}": SAID for name in ("orchestrator", "trigger", "run_checker")}
    outputs["${evaluator_arn}"] = {"": {"$.run", "$.wish"}}
    assert check(MACHINE, outputs=outputs, given={"$.run"}) == []


def test_the_checker_sees_a_path_that_is_not_there() -> None:
    broken = json.loads(asl.text())
    broken["States"]["RunFailed"]["CausePath"] = "$.nowhere"
    outputs = {f"${{{name}_arn}}": SAID for name in ("orchestrator", "trigger", "run_checker")}
    outputs["${evaluator_arn}"] = {"": {"$.run", "$.wish"}}
    assert check(broken, outputs=outputs, given={"$.run"}) != []


def test_whatever_functions_can_say_has_a_state() -> None:
    targets = {choice["StringEquals"]: choice["Next"] for choice in MACHINE["States"]["Route"]["Choices"]}
    assert set(targets) == {each.value for each in Next}
    assert set(targets.values()) <= set(MACHINE["States"])


def test_every_kind_of_wish_is_somebodys() -> None:
    kinds = [*KEPT, *STARTS, *LOOKS, EvaluateTrait]
    assert set(kinds) == set(get_args(Command))
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("name", ["Step", "StartJob", "CheckJob", "StopJob"])
def test_a_call_is_given_longer_than_its_function_may_take(name: str) -> None:
    """AWS-28: it is Lambda that ends a function, and tells why."""
    state = MACHINE["States"][name]
    function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("_arn}").replace("_", "-")
    assert state["TimeoutSeconds"] > named(function).timeout


def test_what_is_compiled_for_aws_fits_into_the_time_of_its_function() -> None:
    """AWS-28."""
    margin = timedelta(seconds=30)
    assert timedelta(seconds=named("evaluator").timeout) - margin >= LONGEST_CHECK
    for name in ("trigger", "run-checker"):
        assert timedelta(seconds=named(name).timeout) - margin >= LONGEST_START


def test_only_what_is_throttled_is_retried_without_asking() -> None:
    """AWS-44: with pauses that grow, differ, and last for minutes together."""
    tasks = [state for state in _states(MACHINE) if "Retry" in state]
    assert len(tasks) >= 5
    for task in tasks:
        (retry,) = task["Retry"]
        assert set(retry["ErrorEquals"]) == set(asl.THROTTLING)
        assert retry["JitterStrategy"] == "FULL"
        pauses = [
            min(retry["IntervalSeconds"] * retry["BackoffRate"] ** n, retry["MaxDelaySeconds"])
            for n in range(retry["MaxAttempts"])
        ]
        assert sum(pauses) >= 120


def test_no_state_but_a_failed_step_ends_an_execution_because_something_died() -> None:
    for name, state in MACHINE["States"].items():
        for catch in state.get("Catch", ()):
            assert catch["Next"] != "Broken" or name in ("Step", "Renew")


def test_technical_errors_and_failed_runs_end_as_failed() -> None:
    """AWS-32: what is red is red."""
    fails = {name for name, state in MACHINE["States"].items() if state["Type"] == "Fail"}
    assert fails == {"Broken", "RunFailed", "UnknownRun"}


def test_a_run_asks_no_more_traits_at_once_than_its_share() -> None:
    """AWS-44."""
    assert 1 <= MACHINE["States"]["EvaluateTraits"]["MaxConcurrency"] <= 10
    assert QUOTA == 25_000


def test_functions_are_named_once_and_their_handlers_are_where_they_say() -> None:
    from importlib.util import find_spec

    assert len({function.name for function in FUNCTIONS}) == len(FUNCTIONS)
    for function in FUNCTIONS:
        assert find_spec(function.module) is not None


def _states(machine: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(machine["States"].values())
    return found + [
        inner for state in found if "ItemProcessor" in state for inner in state["ItemProcessor"]["States"].values()
    ]
