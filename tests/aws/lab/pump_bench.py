"""A pump over records made by hand, for the laws about pumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.aws.lab.pump import StreamMapping, StreamPump
from tests.aws.lab.streams import SHARD, ListSource, number_of

from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock


def an_item(name: str, **attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"PK": {"S": "SLOT#a"}, "SK": {"S": name}, **attributes}


def names_in(event: Mapping[str, Any]) -> list[str]:
    return [record["dynamodb"]["Keys"]["SK"]["S"] for record in event["Records"]]


class Bench:
    """A pump over records made by hand, a function that fails at what it is told to, and a list as failure queue."""

    def __init__(self, **mapping: Any) -> None:
        self.clock = FakeClock(NOON)
        self.source = ListSource()
        self.heard: list[list[str]] = []
        self.poison: set[str] = set()
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: None
        self.failures: list[dict[str, Any]] = []
        self.pump = StreamPump(
            self.source,
            self.function,
            StreamMapping(**mapping),
            clock=self.clock.now,
            on_failure=self.failures.append,
        )

    def function(self, event: dict[str, Any]) -> Any:
        self.heard.append(names_in(event))
        if self.poison & set(self.heard[-1]):
            raise ValueError(f"cannot take {self.poison}")
        return self.answer(event)

    def wrote(self, *names: str, **attributes: Mapping[str, str]) -> None:
        for name in names:
            self.source.wrote(None, an_item(name, **attributes), at=self.clock.now())

    def fail_at(self, *names: str) -> None:
        """Let the function answer that these have failed."""

        def answer(event: dict[str, Any]) -> Any:
            failed = [number_of(record) for record in event["Records"] if names_in({"Records": [record]})[0] in names]
            return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

        self.answer = answer

    @property
    def checkpoint(self) -> int:
        return int(self.pump.checkpoints.get(SHARD, "0"))
