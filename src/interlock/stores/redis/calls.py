"""Asking the servers: reads once more on a broken connection, writes never twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from redis import exceptions as said

from interlock.errors import StoreUnavailable
from interlock.stores.redis.errors import NOTHING, UNKNOWN, answered, code_of, translated
from interlock.stores.redis.lines import Line, Lines
from interlock.stores.redis.routes import Routes
from interlock.stores.redis.scripts import Script

Answer = TypeVar("Answer")
Act: TypeAlias = Callable[[Line], Answer]

_HOPS: Final = 16
_BEAT: Final = 0.02


class Call(NamedTuple):
    """A command for the keeper of a shard."""

    shard: int
    words: Sequence[object]


class Calls:
    """What is asked of the servers of a store."""

    def __init__(self, routes: Routes, patience: float) -> None:
        self._routes = routes
        self._patience = patience

    def read(self, shard: int, *words: object) -> Any:
        """Ask for something that may be asked twice.

        Raises:
            StoreError: see `errors`.
        """
        return self._once_more_alone(Call(shard, words), "read")

    def read_by(self, script: Script, shard: int, words: Sequence[object]) -> Any:
        """Run a script that only reads."""
        return self._once_more(shard, lambda line: line.run(script, words))

    def read_all(self, calls: Sequence[Call], doing: str = "read") -> list[Any]:
        """Ask each server once for all that it keeps; the answers come in the order of the calls."""
        parts: defaultdict[Lines, list[int]] = defaultdict(list)
        for number, call in enumerate(calls):
            parts[self._routes.to(call.shard)].append(number)
        answers: list[Any] = [None] * len(calls)
        for numbers in parts.values():
            commands = [calls[number].words for number in numbers]
            first = calls[numbers[0]].shard
            found = self._once_more(first, partial(Line.ask_all, commands=commands), doing)
            for number, answer in zip(numbers, found, strict=True):
                # What was refused alone, as by a member that has the slot no longer, is asked for alone.
                refused = isinstance(answer, Exception)
                answers[number] = self._once_more_alone(calls[number], doing) if refused else answer
        return answers

    def write(self, shard: int, act: Act[Answer], doing: str) -> Answer:
        """Do something that must not be done twice: once it is sent and not answered, nobody knows.

        Raises:
            StoreUnavailable: it may or may not have happened, unless the message says that nothing was written.
            StoreError: trying again cannot help; nothing was written.
        """
        try:
            return self._follow(shard, act)
        except said.RedisError as exc:
            raise self._failed(shard, exc, doing, NOTHING if answered(exc) else UNKNOWN) from exc

    def _once_more_alone(self, call: Call, doing: str) -> Any:
        return self._once_more(call.shard, lambda line: line.ask(*call.words), doing)

    def _once_more(self, shard: int, act: Act[Answer], doing: str = "read") -> Answer:
        try:
            try:
                return self._follow(shard, act)
            except said.ConnectionError as exc:
                if answered(exc):
                    raise
                return self._follow(shard, act)
        except said.RedisError as exc:
            raise self._failed(shard, exc, doing) from exc

    def _follow(self, shard: int, act: Act[Answer]) -> Answer:
        """Act where the servers send us. What they send on has not happened."""
        lines: Lines = self._routes.to(shard)
        asking = False
        deadline = monotonic() + self._patience
        for hop in range(_HOPS):
            try:
                return self._act(lines, act, asking=asking)
            except StoreUnavailable:
                # Nobody was reached, so nothing was sent: in a cluster another may keep the shard now.
                self._routes.lost(lines)
                lines, before, asking = self._routes.to(shard), lines, False
                if lines is before or hop == _HOPS - 1:
                    raise
            except said.AskError as exc:
                further = self._routes.redirected(shard, exc, lines)
                if further is None:
                    raise
                lines, asking = further, not isinstance(exc, said.MovedError)
                if hop > 1:
                    self._wait(hop, deadline, exc)
            except said.TryAgainError as exc:
                self._wait(hop, deadline, exc)
        raise AssertionError("the last hop returns or raises")

    def _wait(self, hop: int, deadline: float, exc: said.ResponseError) -> None:
        """Let the members of a cluster agree on who has a slot; in the meantime each sends us to the other."""
        if monotonic() > deadline or hop == _HOPS - 1:
            raise said.TryAgainError(str(exc)) from exc
        Event().wait(_BEAT * 2 ** min(hop, 5))

    def _act(self, lines: Lines, act: Act[Answer], *, asking: bool) -> Answer:
        with lines.line() as line:
            if asking:
                line.ask("ASKING")
            return act(line)

    def _failed(self, shard: int, exc: said.RedisError, doing: str, outcome: str = "") -> Exception:
        lines = self._routes.to(shard)
        # A replica was the primary before a failover: whoever connects anew may be led to the one that is now.
        if not answered(exc) or code_of(exc) in ("READONLY", "CLUSTERDOWN", "MASTERDOWN"):
            self._routes.lost(lines)
        return translated(exc, lines.label, doing, outcome)
