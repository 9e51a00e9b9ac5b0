"""A project at work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.config.compiling import PROJECT, SALES, loaded, portable_project
from tests.unit.operations.deploying_rig import STOCK, Made, Table
from tests.unit.operations.office import Office, an_office

from interlock.config.bundle import Bundle, bundle_of


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with an_office(tmp_path / "project", "sales") as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    def bundle(project: str = PROJECT, without: str = "", **pipelines: str) -> Bundle:
        root: Path = portable_project(tmp_path_factory.mktemp("project"), project=project, **pipelines)
        if without:
            (root / f"pipelines/{without}.yaml").unlink()
        return bundle_of(loaded(root))

    legacy = SALES.replace("upstreamPipeline: orders", "upstreamPipeline: legacy")
    return Made(
        first=bundle(),
        changed=bundle(f"{PROJECT}alerting: {{renotify: 1h}}\n", sales=legacy, stock=STOCK),
        smaller=bundle(without="sales"),
    )


@pytest.fixture
def table() -> Table:
    return Table()
