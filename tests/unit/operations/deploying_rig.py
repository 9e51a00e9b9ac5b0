"""A store that is deployed into, and whoever comes in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.unit.config.compiling import SALES

from interlock.config.bundle import Bundle
from interlock.core.ids import PipelineName
from interlock.operations.deploying import Site, Synced, sync
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Change
from interlock.stores.memory import MemoryKernel
from interlock.stores.passing import PassingKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, a_hand
from interlock.testing.clock import FakeClock

STOCK = SALES.replace("name: sales", "name: stock")
"""Waits for `orders`, as `sales` does."""

NAMES = tuple(map(PipelineName, ("orders", "sales", "stock")))


class Disturbed(PassingKernel):
    """Does something before one commit of a process: the one of this number."""

    def __init__(self, real: MemoryKernel, number: int, disturb: Callable[[], object]) -> None:
        super().__init__(real)
        self.left = number
        self._disturb = disturb

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        self.left -= 1
        if self.left == 0:
            self._disturb()
        return self.real.commit(pk, batch)


class Table:
    """A store that is deployed into."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        self.rows = DeploymentRows(self.kernel)
        self.clock = FakeClock(NOON)

    def site(self, kernel: Any = None, actor: str = "cli:anna") -> Site:
        kernel = kernel or self.kernel
        return Site(DeploymentRows(kernel), a_hand(Repository(kernel), clock=self.clock), actor)

    def sync(self, bundle: Bundle, *, prune: bool = False, kernel: Any = None) -> Synced:
        self.clock.advance(MINUTE)
        return sync(bundle, self.site(kernel), prune=prune)

    def commits(self) -> int:
        return sum(row.version for row in self._all())

    def _all(self) -> list[Any]:
        return list(self.kernel.walk(None, 10_000).found)

    @property
    def stands(self) -> dict[str, Any]:
        """Everything that counts of the deployment, without when it was made and in how many steps."""
        head = self.rows.head()
        agendas = a_hand(Repository(self.kernel)).agendas
        return {
            "head": None if head is None else (head.digest, head.settings, head.pipelines),
            "pipelines": {one.name: (one.digest, one.settled, one.retired) for one in self.rows.pipelines()},
            "specs": {name: one and (one.spec, one.upstreams) for name in NAMES for one in [self.rows.pipeline(name)]},
            "waits": sorted(self.rows.waits()),
            "downstream": {name: self.rows.downstream_of(name) for name in (*NAMES, PipelineName("legacy"))},
            "agendas": {
                name: [one.spec_digest for one in agendas.agendas_of(name) if not one.retired] for name in NAMES
            },
            "archetypes": self.rows.archetypes(),
        }


class Made(NamedTuple):
    """Three states of one project: the first, a changed one, and one without `sales`."""

    first: Bundle
    changed: Bundle
    smaller: Bundle


def undisturbed(*bundles: Bundle, prune: bool = False) -> dict[str, Any]:
    table = Table()
    for bundle in bundles:
        table.sync(bundle, prune=prune)
    return table.stands
