"""A project with a router, for tests that ask through the front door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from interlock.clients.http import HttpClient, HttpSender
from interlock.core.ids import PipelineName, Slot, TraitName
from interlock.errors import StoreUnavailable
from interlock.evaluators.context import CheckContext, UpstreamRun
from interlock.evaluators.router import RoutingEvaluator
from interlock.ports.evaluators import Answer
from interlock.ports.pushes import PushedResult
from interlock.stores.memory import MemoryKernel
from interlock.stores.sensors import SensorRows
from interlock.testing.evaluators import a_question

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


class World:
    """A clock at noon, runs by slot, pushed results, and a counter of HTTP clients made."""

    def __init__(
        self,
        root: Path,
        *,
        runs: Mapping[str, UpstreamRun] | None = None,
        env: Mapping[str, str] | None = None,
        env_allow: tuple[str, ...] = (),
        base_url: str = "",
    ) -> None:
        self.runs = dict(runs or {})
        self.nevers: dict[str, str] = {}
        self.pushes: tuple[PushedResult, ...] = ()
        self.clients = 0
        self.broken_store = False
        self.kernel = MemoryKernel()
        self.sensors = SensorRows(self.kernel)
        self.router = RoutingEvaluator(
            CheckContext(
                clock=self,
                root=root,
                runs=self,
                http=self.client,
                sensors=self.sensors,
                env=env or {},
                env_allow=env_allow,
            ),
            self,
            dirs=[Path("evaluators")],
            base_url=base_url,
        )

    def now(self) -> datetime:
        return NOON

    def latest(self, slot: Slot) -> UpstreamRun | None:
        if self.broken_store:
            raise StoreUnavailable("connection refused")
        return self.runs.get(str(slot))

    def never(self, slot: Slot) -> str:
        return self.nevers.get(str(slot), "")

    def client(self) -> HttpSender:
        self.clients += 1
        return HttpClient(allow=["127.0.0.1"])

    def get_push(self, pipeline: PipelineName, trait: TraitName) -> tuple[PushedResult, ...]:
        return self.pushes

    def put_push(self, pipeline: PipelineName, pushed: PushedResult) -> None:
        self.pushes += (pushed,)

    def ask(self, *evaluator: str, timeout: float = 20.0, **about: Any) -> Answer:
        return self.router.evaluate(a_question(*evaluator, **about), timeout=timedelta(seconds=timeout))
