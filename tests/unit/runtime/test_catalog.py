"""The pipelines as the files say they are, and who waits for whom."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.cli import a_project

from interlock.config.load import load_project
from interlock.core.ids import PipelineName
from interlock.runtime.catalog import FileCatalog

ORDERS = PipelineName("orders")

WAITING = """\
name: {name}
archetype: one-check
traits:
  data-check:
    evaluator: builtin:upstream-check
    config: {{upstreamPipeline: orders}}
trigger: {{type: command, command: "true"}}
"""


def a_catalog(root: Path) -> FileCatalog:
    for name in ("zebra", "ant"):
        (root / "pipelines" / f"{name}.yaml").write_text(WAITING.format(name=name))
    return FileCatalog(load_project(root))


def test_those_that_wait_for_a_pipeline_are_known_by_name(tmp_path: Path) -> None:
    catalog = a_catalog(a_project(tmp_path))
    assert catalog.downstream_of(ORDERS) == ("ant", "zebra")
    assert catalog.downstream_of(PipelineName("ant")) == ()


def test_a_pipeline_that_the_files_do_not_define_has_no_spec(tmp_path: Path) -> None:
    catalog = a_catalog(a_project(tmp_path))
    assert catalog.spec(PipelineName("nowhere")) is None
    found = catalog.spec(ORDERS)
    assert found is not None
    assert found.name == "orders"


def test_another_state_of_the_files_counts_as_a_whole(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    catalog = a_catalog(root)
    (root / "pipelines" / "ant.yaml").unlink()
    catalog.swap(load_project(root))
    assert catalog.downstream_of(ORDERS) == ("zebra",)
    assert set(catalog.specs) == {"orders", "zebra"}
