"""How runs of the Databricks stub go: scripts of steps, of which every look shows the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

_CODES: Final = {
    "SUCCESS": "SUCCESS",
    "FAILED": "RUN_EXECUTION_ERROR",
    "CANCELED": "USER_CANCELED",
    "TIMEDOUT": "CANCELED",
    "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES",
}

Step: TypeAlias = Mapping[str, Any]
"""What a look shows of a run: its `state`, and with 2.2 its `status`; `tasks` besides, when there is news of them."""


def going(life: str) -> Step:
    """Return a step of a run that goes on."""
    newer = {"WAITING_FOR_RETRY": "WAITING"}.get(life, life)
    return {"state": {"life_cycle_state": life, "state_message": ""}, "status": {"state": newer}}


def ended(
    result: str,
    *,
    life: str = "TERMINATED",
    code: str = "",
    kind: str = "",
    message: str = "",
    tasks: list[dict[str, Any]] | None = None,
) -> Step:
    """Return the last step of a run; an empty `result` is left out, as Databricks does for runs that never were."""
    state = {"life_cycle_state": life, "state_message": message, "user_cancelled_or_timedout": False}
    if result:
        state["result_state"] = result
    details = {"code": code or _CODES.get(result, "INTERNAL_ERROR"), "type": kind or "CLIENT_ERROR", "message": message}
    if result == "SUCCESS":
        details["type"] = "SUCCESS"
    step: dict[str, Any] = {"state": state, "status": {"state": "TERMINATED", "termination_details": details}}
    return {**step, "tasks": tasks} if tasks is not None else step


SUCCEEDS: Final = (going("PENDING"), going("RUNNING"), going("TERMINATING"), ended("SUCCESS"))
FAILS: Final = (going("RUNNING"), ended("FAILED", message="Task work failed with message: the disk is on fire."))
LINGERS: Final = (going("QUEUED"), going("RUNNING"))


class Run:
    """One run of a workspace. The last step of its script stays."""

    def __init__(self, run_id: int, job_id: int, name: str, kind: str, steps: tuple[Step, ...]) -> None:
        self.run_id, self.job_id, self.name, self.kind = run_id, job_id, name, kind
        self.steps = list(steps)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.steps[0]["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")

    def move(self) -> None:
        """Go on by one step."""
        if len(self.steps) > 1:
            del self.steps[0]

    def cancel(self) -> None:
        """Stop it, which takes a moment."""
        if not self.over:
            self.steps = [going("TERMINATING"), ended("CANCELED", message="Run cancelled.")]

    def shown(self, base: str, version: str) -> dict[str, Any]:
        """Return what a version of the API shows of it."""
        step = dict(self.steps[0])
        if version == "2.1":
            step.pop("status")
        step.setdefault("tasks", [{"run_id": self.run_id + 1, "task_key": "work", "attempt_number": 0, **step}])
        page = f"{base}/?o=1#job/{self.job_id}/run/{self.run_id}"
        names = {"job_id": self.job_id, "run_id": self.run_id, "number_in_job": self.run_id, "run_name": self.name}
        return {**names, "run_type": self.kind, "run_page_url": page, "start_time": 1_772_900_000_000, **step}
