"""A deployment in a store in memory, and an office at which functions find it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import time_machine
from msgspec.structs import replace
from tests.unit.aws.queues import Kept
from tests.unit.aws.test_reviving import Names
from tests.unit.config.compiling import loaded, portable_project
from tests.unit.operations.office import NOW

from interlock.aws.parking import Parking
from interlock.aws.patience import LONGEST
from interlock.config.bundle import Bundle, bundle_of
from interlock.operations.deploying import Site, sync
from interlock.runtime.deployed import DeployedCatalog, deployed_project
from interlock.runtime.wiring import Interlock
from interlock.stores.deployments import DeploymentRows
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import a_hand
from interlock.testing.clock import FakeClock

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:interlock-scheduler:live"


class Door:
    """The way to AWS, of which only what was asked is remembered."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, options: Any, *, timeout: timedelta, **given: Any) -> dict[str, Any]:
        self.calls.append({"call": f"{service}.{operation}", "region": options.region, **given})
        return {}


def compiled(root: Path, **settings: Any) -> Bundle:
    """Compile the project that can be deployed, with other settings."""
    bundle = bundle_of(loaded(portable_project(root)))
    return replace(bundle, settings=replace(bundle.settings, **settings))


def deploy(kernel: MemoryKernel, bundle: Bundle, at: datetime = NOW) -> None:
    """Deploy into a store."""
    sync(bundle, Site(DeploymentRows(kernel), a_hand(Repository(kernel), clock=FakeClock(at)), "cli:anna"))


@contextmanager
def an_office(root: Path, **settings: Any) -> Iterator[Any]:
    """Open an office; the clock stands still until its `clock` is moved."""
    kernel = MemoryKernel()
    rows = DeploymentRows(kernel)
    with time_machine.travel(NOW, tick=False) as clock:
        deploy(kernel, compiled(root, **settings))
        project = deployed_project(kernel)
        with Interlock(project, env={}, kernel=kernel, catalog=DeployedCatalog(project, rows)) as work:
            yield SimpleNamespace(
                clock=clock,
                door=Door(),
                environment=SimpleNamespace(table="interlock-test", longest_wait=LONGEST),
                failures=Kept(),
                kernel=kernel,
                machines=Names(),
                parking=Parking(kernel),
                rows=rows,
                work=work,
            )


def metrics(lines: str) -> list[dict[str, Any]]:
    """Read what CloudWatch would: each line by itself, of the format that it makes metrics of."""
    found = [json.loads(line) for line in lines.splitlines()]
    for line in found:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Interlock"
            names: Sequence[str] = [each["Name"] for each in directive["Metrics"]]
            assert names
            assert all(isinstance(line[name], int) for name in names)
            assert all(isinstance(line[name], str) for dimensions in directive["Dimensions"] for name in dimensions)
    return found
