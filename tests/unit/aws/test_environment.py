"""What functions read from their environment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.aws.environment import Environment
from interlock.aws.functions import FUNCTIONS, REQUIRED, Function, named
from interlock.aws.patience import LONGEST
from interlock.errors import ConfigError

GIVEN = {"TABLE_NAME": "interlock", "STATE_MACHINE_ARN": "arn:sm", "FAILURE_QUEUE_URL": "https://q"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_starts_with_what_it_names_and_nothing_else(function: Function) -> None:
    """AWS-01: nobody demands what it is not given."""
    mine = {name: GIVEN.get(name, "") for name in function.environment}
    assert Environment.of(function, mine).table == "interlock"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_without_what_it_needs_says_so_by_name(function: Function) -> None:
    """AWS-01, AWS-31: and says it again at the next call."""
    for name in set(function.environment) & set(REQUIRED):
        without = {key: value for key, value in GIVEN.items() if key != name}
        for given in (without, {**without, name: ""}, {**without, name: " "}):
            with pytest.raises(ConfigError, match=f"{function.name}.*{name}"):
                Environment.of(function, given)


def test_what_a_function_does_not_name_it_does_not_read() -> None:
    found = Environment.of(named("evaluator"), {**GIVEN, "API_ROLES": "{}", "PUBLIC_URL": "https://x"})
    assert (found.state_machine, found.failure_queue, found.api_roles, found.public_url) == ("", "", "", "")


def test_the_longest_wait_is_whole_seconds() -> None:
    step = named("orchestrator")
    assert Environment.of(step, GIVEN).longest_wait == LONGEST
    assert Environment.of(step, {**GIVEN, "LONGEST_WAIT": "0"}).longest_wait == timedelta()
    assert Environment.of(step, {**GIVEN, "LONGEST_WAIT": "900"}).longest_wait == timedelta(minutes=15)
    for wrong in ("5m", "-1", "1.5", "9999999", "9" * 5_000, "٣", " 5"):
        with pytest.raises(ConfigError, match="LONGEST_WAIT"):
            Environment.of(step, {**GIVEN, "LONGEST_WAIT": wrong})
