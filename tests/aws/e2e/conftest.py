"""One deployment for all tests: pipelines of a test's own keep it apart from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.aws.e2e.assembled import assembled
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.package import folders
from tests.aws.e2e.project import TIMED, timed
from tests.aws.lab.fixtures import Lab

Deploy = Callable[..., None]
Begin = Callable[..., None]


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    """Evaluators, a job system and a scripted Glue."""
    with Outside() as made:
        yield made


@pytest.fixture(scope="session")
def the_deployment(lab: Lab, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """What `deployment` is, for fixtures of modules. What takes its time is begun with it."""
    code = folders(tmp_path_factory.mktemp("task"))
    with Deployment(lab, assembled(lab, lab.ministack.fresh_table(), code), outside) as made:
        outside.quickly = made.tell_of
        made.deploy(tmp_path_factory.mktemp("timed"), *timed(made.timezone, outside))
        for each in TIMED:
            made.marker(each)
        yield made


@pytest.fixture
def deployment(the_deployment: Deployment) -> Iterator[Deployment]:
    """A deployment at work, in which nothing goes wrong that the test has not asked about."""
    yield the_deployment
    the_deployment.twice.clear()
    the_deployment.down.clear()
    assert the_deployment.trouble() == []


@pytest.fixture(scope="module")
def deploy(the_deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    """Deploy pipelines for a module."""

    def deployed(*pipelines: Mapping[str, Any]) -> None:
        the_deployment.deploy(tmp_path_factory.mktemp("project"), *pipelines)

    return deployed


@pytest.fixture(scope="module")
def begin(the_deployment: Deployment) -> Begin:
    """Write markers for many pipelines of a module at once: its tests go on with what comes of them."""

    def begun(*pipelines: str, **attributes: str) -> None:
        for each in pipelines:
            the_deployment.marker(each, **attributes)

    return begun
