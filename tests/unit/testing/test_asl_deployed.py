"""The machine that is deployed, against what its functions write down at the least."""

from __future__ import annotations

from typing import Any, Final

import pytest

from interlock.aws.asl import state_machine
from interlock.aws.state import Asked, Lost, Next, State, Wait
from interlock.codec import wire
from interlock.core.commands import EvaluateTrait
from interlock.core.ids import TraitName
from interlock.testing.asl.check import check
from interlock.testing.asl.shapes import described
from interlock.testing.builders import NOON

RUN: Final = "sales:daily:2026-03-07:1"
WISH: Final = EvaluateTrait(round=1, trait=TraitName("fresh"), deadline=NOON)
WAIT: Final = Wait(seconds=1, seen="1", slot="s", row="r", parked="p", ttl="1")
LOST: Final = Lost(error="Lambda.Unknown")


def least(following: Next) -> State:
    """Return a state that says what comes next, and no more than that needs."""
    fields: dict[str, Any] = {"run": RUN, "next": following}
    if following is Next.EVALUATE:
        fields["evaluate"] = (WISH,)
    if following.startswith(("wait_", "watch_")):
        fields["wait"] = WAIT
    if following in (Next.COMPLETED, Next.CANCELLED, Next.FAILED, Next.UNKNOWN):
        fields["reason"] = "why"
    if following is Next.RENEW:
        fields["heir"] = "sales-2"
    if following is Next.BROKEN:
        fields["lost"] = LOST
    return State(**fields)


@pytest.mark.parametrize("following", list(Next))
def test_what_is_written_down_is_enough_for_the_state_that_comes_next(following: Next) -> None:
    """AWS-08: a path to a field that is not in the JSON ends the execution, and nothing catches that."""
    says = described([wire.to_builtins(least(following))])
    outputs = {f"${{{name}_arn}}": says for name in ("orchestrator", "trigger", "run_checker")}
    outputs["${evaluator_arn}"] = described([wire.to_builtins(Asked(run=RUN, wish=WISH))])
    problems = check(state_machine(), outputs=outputs, given={"$.run"})
    assert [problem for problem in problems if "may not be there" in problem or "no rule takes it" in problem] == []
