"""A deployment's rows, over every kernel of this process."""

from __future__ import annotations

import pytest
from tests.unit.stores.deployment_laws import ORDERS, SALES, DeploymentLaws, a_deployed

from interlock.core.archetypes import Archetype
from interlock.errors import Contention
from interlock.stores.deployments import DeploymentRows
from interlock.stores.memory import MemoryKernel


class TestDeploymentRows(DeploymentLaws):
    """Over memory and SQLite."""


def test_who_loses_every_race_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = MemoryKernel()
    rows = DeploymentRows(kernel)
    rows.link(SALES, ORDERS)
    monkeypatch.setattr(kernel, "commit", lambda pk, batch: False)
    with pytest.raises(Contention, match="orders waits for sales"):
        rows.link(SALES, ORDERS)
    with pytest.raises(Contention, match="orders waits for sales"):
        rows.unlink(SALES, ORDERS)
    with pytest.raises(Contention, match="the archetype batch"):
        rows.put_archetype(Archetype(name="batch", required=()))
    assert not rows.put_pipeline(a_deployed())
