"""A project out of the store that it was deployed into."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.config.compiling import SALES, loaded, portable_project

from interlock.api.registering import Pipeline, Pipelines, RegisterPipeline, RemovePipeline
from interlock.codec.documents import document
from interlock.config.bundle import Bundle, bundle_of
from interlock.config.project import Project
from interlock.core.ids import PipelineName
from interlock.errors import Conflict, NotDeployed, NotFound, Refused, UnreadableRecord
from interlock.operations.deploying import Site, sync
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.ports.deployments import Head
from interlock.runtime.deployed import DeployedCatalog, deployed_project, functions_at_work
from interlock.runtime.wiring import Interlock
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Kernel, Page, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.passing import PassingKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_hand

ORDERS, SALES_NAME = PipelineName("orders"), PipelineName("sales")


class Counted(PassingKernel):
    """Counts what is read."""

    def __init__(self, real: Kernel) -> None:
        super().__init__(real)
        self.reads: list[str] = []

    def get(self, pk: str, sk: str) -> Record | None:
        self.reads.append(f"get {pk} {sk}")
        return self.real.get(pk, sk)

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        self.reads.append(f"rows {pk} {prefix}")
        return self.real.rows(pk, prefix, page)

    def listing(self, kind: str, page: Page) -> list[Record]:
        self.reads.append(f"listing {kind}")
        return self.real.listing(kind, page)


@pytest.fixture
def kernel() -> Counted:
    return Counted(MemoryKernel())


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return bundle_of(loaded(portable_project(tmp_path / "project")))


def deploy(kernel: Kernel, bundle: Bundle, *, prune: bool = False) -> None:
    sync(bundle, Site(DeploymentRows(kernel), a_hand(Repository(kernel)), "cli:anna"), prune=prune)


def catalog_of(kernel: Kernel) -> DeployedCatalog:
    return DeployedCatalog(deployed_project(kernel), DeploymentRows(kernel))


@contextmanager
def at_work(kernel: Kernel) -> Iterator[Interlock]:
    catalog = catalog_of(kernel)
    with Interlock(catalog.project, kernel=kernel, catalog=catalog, env={}) as work:
        yield work


# ---------------------------------------------------------------- reading


def test_where_nothing_was_deployed_that_is_said_with_what_to_do(kernel: Counted) -> None:
    with pytest.raises(NotDeployed, match="interlock deploy sync"):
        deployed_project(kernel)


def test_the_settings_of_another_version_are_not_guessed_at(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    rows = DeploymentRows(kernel)
    head = rows.head()
    assert head is not None
    assert rows.put_head(replace(head, settings=document({"mode": "other"}), generation=2, interlock="9.9"))
    with pytest.raises(UnreadableRecord, match=r"of another Interlock \(9\.9\)"):
        deployed_project(kernel)


def test_a_project_is_one_read_and_a_pipeline_another(kernel: Counted, bundle: Bundle) -> None:
    """However many pipelines there are."""
    deploy(kernel, bundle)
    kernel.reads.clear()
    catalog = catalog_of(kernel)
    assert catalog.spec(ORDERS) == bundle.pipelines["orders"].spec
    assert catalog.downstream_of(ORDERS) == (SALES_NAME,)
    assert kernel.reads == [
        "get deployment HEAD",
        "get pipeline/orders DEPLOYED",
        "rows pipeline/orders DOWNSTREAM#",
    ]


def test_what_is_deployed_later_counts_for_the_next_question(kernel: Counted, bundle: Bundle, tmp_path: Path) -> None:
    deploy(kernel, bundle)
    catalog = catalog_of(kernel)
    assert catalog.spec(PipelineName("stock")) is None
    more = portable_project(tmp_path / "more", stock=SALES.replace("name: sales", "name: stock"))
    deploy(kernel, bundle_of(loaded(more)))
    assert catalog.spec(PipelineName("stock")) is not None
    assert catalog.downstream_of(ORDERS) == ("sales", "stock")


def test_the_pipelines_are_a_mapping_as_those_of_files_are(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    pipelines = deployed_project(kernel).pipelines
    assert (list(pipelines), len(pipelines), "orders" in pipelines, "other" in pipelines) == (
        ["orders", "sales"],
        2,
        True,
        False,
    )
    assert {name: one.source for name, one in pipelines.items()} == {
        "orders": "pipelines/orders.yaml",
        "sales": "pipelines/sales.yaml",
    }
    with pytest.raises(KeyError):
        pipelines["other"]
    assert list(catalog_of(kernel).specs) == ["orders", "sales"]


def test_archetypes_are_there_for_those_who_look(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    archetypes = deployed_project(kernel).archetypes
    assert (dict(archetypes), len(archetypes)) == (bundle.archetypes, 1)
    with pytest.raises(KeyError):
        archetypes["other"]


def test_what_a_function_is_told_goes_before_the_bundle(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    assert deployed_project(kernel).settings.evaluator_base_url == "https://checks.example.org"
    project = deployed_project(
        kernel, evaluator_base_url="https://other.example.org", public_url="https://api.example.org", root=Path("/code")
    )
    assert project.settings.evaluator_base_url == "https://other.example.org"
    assert project.settings.server.public_url == "https://api.example.org"
    assert project.root == Path("/code")


def test_what_reads_a_deployment_imports_nothing_that_reads_files() -> None:
    """A function begins faster without it, and has none to read."""
    code = (
        "import sys, interlock.runtime.deployed, interlock.runtime.wiring\n"
        "print([name for name in sys.modules if name.startswith(('yaml', '_yaml', 'interlock.config.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    found = {name.rpartition(".")[2] for name in eval(done.stdout)}  # what the line above printed
    assert found <= {"bundle", "project", "stores"}


# ---------------------------------------------------------------- at work


def test_a_kernel_that_is_lent_stays_open(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    for _ in range(2):
        with at_work(kernel) as work:
            assert work.hands.catalog.spec(ORDERS) == bundle.pipelines["orders"].spec
            assert work.store.runs_of("orders", limit=1) == ()
    assert kernel.get("deployment", "HEAD") is not None


def test_pipelines_can_be_looked_at_and_not_registered(kernel: Counted, bundle: Bundle) -> None:
    deploy(kernel, bundle)
    with at_work(kernel) as work:
        desk = WorkDesk(work, "api:anna")
        assert [one.name for one in perform(Pipelines(), desk).items] == ["orders", "sales"]
        assert perform(Pipeline(pipeline_id="orders"), desk).archetype == "one-check"
        with pytest.raises(NotFound, match="did you mean orders"):
            perform(Pipeline(pipeline_id="order"), desk)
        with pytest.raises(Refused, match="interlock deploy sync"):
            perform(RegisterPipeline(document={"name": "stock"}), desk)
        with pytest.raises(Refused, match="interlock deploy sync"):
            perform(RemovePipeline(pipeline_id="orders"), desk)
    assert "orders" in deployed_project(kernel).pipelines


def test_files_do_not_take_the_place_of_a_deployment(kernel: Counted, bundle: Bundle, tmp_path: Path) -> None:
    deploy(kernel, bundle)
    files: Project = loaded(tmp_path / "project")
    with at_work(kernel) as work, pytest.raises(Conflict, match="cannot take the place of what was deployed"):
        work.registry.swap(files)


def test_a_watcher_is_told_of_functions_that_work_on_its_table() -> None:
    """AWS-46: two engines on one table are safe, and nobody means to pay for both."""
    kernel = MemoryKernel()
    assert functions_at_work(kernel) == ""
    head = Head(digest="d", at=NOON, actor="cli:anna")
    assert DeploymentRows(kernel).put_head(head)
    assert "cli:anna" in functions_at_work(kernel)
