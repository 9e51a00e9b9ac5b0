"""Deploying into DynamoDB, and reading there what was deployed, as functions do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.cli import interlock
from tests.contract.dynamodb_stores import OneTable
from tests.servers.dynamodb import MiniStackServer
from tests.unit.config.compiling import ORDERS, SALES, loaded, portable_project
from tests.unit.stores.deployment_laws import DeploymentLaws

from interlock.codec import wire
from interlock.core.ids import PipelineName
from interlock.runtime.deployed import DeployedCatalog, deployed_project
from interlock.runtime.wiring import Interlock
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Kernel

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def table(ministack_server: MiniStackServer) -> Iterator[OneTable]:
    with closing(OneTable(ministack_server)) as table:
        yield table


@pytest.fixture
def kernel(table: OneTable) -> Iterator[Kernel]:
    with closing(table.opened()) as kernel:
        yield kernel


class TestDeploymentRowsInDynamo(DeploymentLaws):
    """Over DynamoDB."""

    most = 120


def test_what_is_deployed_from_a_terminal_is_what_functions_read(
    ministack_server: MiniStackServer, table: OneTable, kernel: Kernel, tmp_path: Path
) -> None:
    """Equal specs and digests, with nothing of the files left."""
    root = portable_project(tmp_path / "project")
    where = ("--table", table.options.table_name, "--endpoint", ministack_server.url, "--region", table.options.region)
    first = interlock("deploy", "sync", *where, "--json", cwd=root)
    assert (first.code, first.document["difference"]["new"]) == (0, ["orders", "sales"]), first.err
    again = interlock("deploy", "sync", *where, "--json", cwd=root)
    assert (again.code, again.document["difference"]["same"], again.document["generation"]) == (0, True, 1), again.err
    files = loaded(root)
    catalog = DeployedCatalog(deployed_project(kernel), DeploymentRows(kernel))
    with Interlock(catalog.project, kernel=kernel, catalog=catalog, env={}) as work:
        for name, one in files.pipelines.items():
            spec = work.hands.catalog.spec(PipelineName(name))
            assert spec == one.spec
            (agenda,) = work.hands.agendas.agendas_of(PipelineName(name))
            assert agenda.spec_digest == wire.digest(one.spec)
        assert work.hands.catalog.downstream_of(PipelineName("orders")) == ("sales",)
    (root / "pipelines/sales.yaml").unlink()
    (root / "pipelines/orders.yaml").write_text(ORDERS + "tier: 3\n")
    (root / "pipelines/stock.yaml").write_text(SALES.replace("name: sales", "name: stock"))
    status = interlock("deploy", "status", *where, "--diff", ".", "--json", cwd=root)
    assert (status.code, status.document["difference"]["gone"]) == (1, ["sales"]), status.err
    pruned = interlock("deploy", "sync", *where, "--prune", "--json", cwd=root)
    assert (pruned.code, pruned.document["removed"]) == (0, ["sales"]), pruned.err
    assert DeploymentRows(kernel).downstream_of(PipelineName("orders")) == ("stock",)


def test_a_table_that_is_not_there_is_left_to_terraform(ministack_server: MiniStackServer, tmp_path: Path) -> None:
    root = portable_project(tmp_path / "project")
    where = ("--table", "nowhere", "--endpoint", ministack_server.url, "--region", ministack_server.region)
    for argv in (("deploy", "sync", *where), ("deploy", "status", *where), ("deploy", "sync", *where, "--dry-run")):
        said = interlock(*argv, cwd=root)
        assert (said.code, "Terraform makes it" in said.err) == (3, True), said.err
