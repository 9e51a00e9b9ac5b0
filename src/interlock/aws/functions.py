"""The functions of a deployment: one table that the handlers, the state machine, the package and Terraform are made from.

`python -m interlock.aws.functions --write FILE` writes it as the JSON that the Terraform module reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

TABLE: Final = "TABLE_NAME"
ALERT_TOPIC: Final = "ALERT_TOPIC_ARN"
LIFECYCLE_TOPIC: Final = "LIFECYCLE_TOPIC_ARN"
STATE_MACHINE: Final = "STATE_MACHINE_ARN"
FAILURE_QUEUE: Final = "FAILURE_QUEUE_URL"
EVALUATOR_URL: Final = "EVALUATOR_BASE_URL"
PUBLIC_URL: Final = "PUBLIC_URL"
LONGEST_WAIT: Final = "LONGEST_WAIT"
API_ROLES: Final = "API_ROLES"

REQUIRED: Final = (TABLE, STATE_MACHINE, FAILURE_QUEUE)
"""What a function that names it cannot do without; the other variables may be empty or absent."""

_ALL: Final = (TABLE, ALERT_TOPIC, LIFECYCLE_TOPIC)
_CHANGED: Final = ["INSERT", "MODIFY"]


class Function(Struct, frozen=True, kw_only=True):
    """One function: what calls it, how long and with how much memory (MB), and which variables it reads.

    `timeout` is in seconds. `filters` are the patterns of records that the table's stream hands to it. `read_only`: it may
    not write the table.
    """

    name: str
    module: str
    about: str
    timeout: int
    memory: int = 512
    environment: tuple[str, ...] = _ALL
    filters: tuple[dict[str, Any], ...] = ()
    read_only: bool = False

    @property
    def handler(self) -> str:
        """How Lambda finds it."""
        return f"{self.module}.handler"


def _rows(pk: str, sk: str, **image: Any) -> dict[str, Any]:
    keys = {"PK": {"S": [{"prefix": pk}]}, "SK": {"S": [{"prefix": sk}]}}
    return {"eventName": _CHANGED, "dynamodb": {"Keys": keys, **({"NewImage": image} if image else {})}}


FUNCTIONS: Final = (
    Function(
        name="orchestrator",
        module="interlock.aws.orchestrator",
        about="tells a run what happened, and the state machine what comes next",
        timeout=120,
        environment=(*_ALL, LONGEST_WAIT),
    ),
    Function(
        name="evaluator",
        module="interlock.aws.evaluator",
        about="asks one trait; it can read the table and not write it",
        timeout=900,
        environment=(*_ALL, EVALUATOR_URL),
        read_only=True,
    ),
    Function(
        name="trigger",
        module="interlock.aws.trigger",
        about="starts the job that a permit is for",
        timeout=900,
        environment=(*_ALL, LONGEST_WAIT, PUBLIC_URL),
    ),
    Function(
        name="run-checker",
        module="interlock.aws.run_checker",
        about="looks at a running job, or asks for it to be stopped",
        timeout=900,
        environment=(*_ALL, LONGEST_WAIT, PUBLIC_URL),
    ),
    Function(
        name="stream-router",
        module="interlock.aws.stream_router",
        about="starts or wakes the execution of a run that changed, and takes markers that others wrote into the table",
        timeout=60,
        environment=(*_ALL, STATE_MACHINE, FAILURE_QUEUE),
        filters=(
            _rows("SLOT#", "RUN#"),
            _rows("PIPELINE#", "MARKER#", version={"N": [{"exists": False}]}),
        ),
    ),
    Function(
        name="alert-delivery",
        module="interlock.aws.alert_delivery",
        about="tells people and programs what is kept for them; every minute also what could not be told before",
        timeout=120,
        filters=(_rows("DISPATCH#", "DISPATCH", wakeAt={"N": [{"exists": True}]}),),
    ),
    Function(
        name="scheduler",
        module="interlock.aws.scheduler",
        about="opens slots by the calendar, and starts executions for runs that have none; every minute",
        timeout=300,
        environment=(*_ALL, STATE_MACHINE, LONGEST_WAIT),
    ),
    Function(
        name="watchdog",
        module="interlock.aws.watchdog",
        about="compares what was expected with what happened; on a schedule of its own",
        timeout=300,
        environment=(*_ALL, LONGEST_WAIT),
    ),
    Function(
        name="ingress",
        module="interlock.aws.ingress",
        about="takes requests out of a queue: markers, sensors, reruns, replays, reports of jobs",
        timeout=60,
        environment=(*_ALL, FAILURE_QUEUE),
    ),
    Function(
        name="api",
        module="interlock.aws.api",
        about="the HTTP API behind a function URL, for whom IAM lets in",
        timeout=30,
        environment=(*_ALL, API_ROLES, EVALUATOR_URL),
    ),
)


def named(name: str) -> Function:
    """Return one of the functions.

    Raises:
        KeyError: there is none of that name.
    """
    return {function.name: function for function in FUNCTIONS}[name]


def table_text() -> str:
    """Return the table as the JSON that the Terraform module reads, by name."""
    found = {
        function.name: {
            "about": function.about,
            "handler": function.handler,
            "timeout": function.timeout,
            "memory": function.memory,
            "environment": list(function.environment),
            "filters": list(function.filters),
        }
        for function in FUNCTIONS
    }
    return json.dumps(found, indent=2) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Write the table."""
    import argparse  # no function needs it

    parser = argparse.ArgumentParser(description="write the table of functions as JSON")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE")
    parser.parse_args(argv).write.write_text(table_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
