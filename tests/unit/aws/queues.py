"""A queue in front of a project at work, with what its failure queue keeps; the clock stands still until it is moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import time_machine
from tests.acceptance.cli import PIPELINE, a_project, starts
from tests.unit.aws.urls import Call
from tests.unit.operations.office import NOW

from interlock.aws.ingress import Queue
from interlock.config.load import load_project
from interlock.core.runs import Run
from interlock.runtime.wiring import Interlock

DAY = "2026-03-07"
ARN = "arn:aws:sqs:eu-central-1:123456789012:interlock-requests"
SENDER = "AROAEXAMPLE:loader"
EXTERNAL = PIPELINE[: PIPELINE.index("trigger:")] + "trigger: {type: external}\n"
SOONER = timedelta(seconds=2)


class Kept:
    """A failure queue."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Any]] = []
        self.broken = False

    def keep(self, reason: str, what: object) -> None:
        if self.broken:
            raise TimeoutError("sqs send_message: no answer")
        self.items.append((reason, what))

    @property
    def reasons(self) -> list[str]:
        """Why each was kept."""
        return [reason for reason, _ in self.items]


class Line:
    """The queue, its function, and the project. Messages are sent two seconds before now unless a test says when."""

    def __init__(self, root: Path, work: Interlock, clock: time_machine.Traveller) -> None:
        self.root = root
        self.work = work
        self.clock = clock
        self.kept = Kept()
        self._numbers = count(1)

    def message(self, body: object, *, sent: datetime | None = None, **attributes: str) -> dict[str, Any]:
        """Return a message as Lambda hands it over."""
        at = self.work.clock.now() - SOONER if sent is None else sent
        said = {
            "SenderId": SENDER,
            "SentTimestamp": str(int(at.timestamp() * 1000)),
            "ApproximateReceiveCount": "1",
            **attributes,
        }
        return {
            "messageId": f"m-{next(self._numbers)}",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": said,
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
        }

    def take(self, *messages: dict[str, Any], left: float = 60.0) -> list[str]:
        """Hand over a batch, and return the ids of what is to come again."""
        answer = Queue(self.work, self.kept, Call(left)).take({"Records": list(messages)})
        assert set(answer) == {"batchItemFailures"}
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def send(self, request: str, **fields: Any) -> dict[str, Any]:
        """Send one request a moment after whatever was before, have it taken, and return its message."""
        self.later(seconds=5)
        message = self.message({"request": request, **fields})
        assert self.take(message) == []
        return message

    def once_more(self, message: dict[str, Any]) -> list[str]:
        """Deliver a message again, as the queue does."""
        return self.take({**message, "attributes": {**message["attributes"], "ApproximateReceiveCount": "2"}})

    def later(self, **by: float) -> None:
        """Move the clock on."""
        self.clock.shift(timedelta(**by))

    def runs(self, name: str = "orders") -> tuple[Run, ...]:
        """The runs of a pipeline, newest first."""
        return self.work.store.runs_of(name, limit=50)

    @property
    def started(self) -> list[str]:
        """The jobs that really began."""
        return starts(self.root)


@contextmanager
def a_line(root: Path) -> Iterator[Line]:
    """Open a project with a job of its own (`orders`), jobs of others (`others`), and a gate that is pushed (`pushed`)."""
    a_project(root, timezone="UTC")
    folder = root / "pipelines"
    (folder / "others.yaml").write_text(EXTERNAL.replace("orders", "others") + "retry: {maxAttempts: 3}\n")
    pushed = EXTERNAL.replace("./evaluators/check", "push\n    ttl: 2h").replace("orders", "pushed")
    (folder / "pushed.yaml").write_text(pushed)
    with time_machine.travel(NOW) as clock, Interlock(load_project(root), env={}) as work:
        yield Line(root, work, clock)
