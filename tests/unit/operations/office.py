"""A real project with a real store, and desks in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import time_machine
from tests.acceptance.cli import a_project

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.core.events import TraitEvaluated
from interlock.core.ids import Slot, TraitName
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.core.schedules import current_window
from interlock.core.traits import TraitResult, TraitStatus
from interlock.operations.desk import WorkDesk
from interlock.ports.clock import Clock
from interlock.runtime.clock import SystemClock
from interlock.runtime.reading import open_for_reading
from interlock.runtime.wiring import Interlock
from interlock.stores.repository import Repository

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)


class Office:
    """A project at work at a known time, with a desk for somebody who is called `api:anna`."""

    def __init__(self, root: Path, work: Interlock) -> None:
        self.root = root
        self.work = work
        self.desk = WorkDesk(work, "api:anna")

    @property
    def store(self) -> Repository:
        return self.work.store

    def spec(self, name: str = "orders") -> PipelineSpec:
        return self.work.project.pipelines[name].spec

    def slot(self, name: str = "orders") -> Slot:
        spec = self.spec(name)
        return current_window(spec.name, spec.schedules[0], self.work.clock.now()).slot

    def held_back(self, name: str = "orders") -> Run:
        """Open a run whose trait said no."""
        spec, at = self.spec(name), self.work.clock.now()
        run = open_run(self.slot(name), spec, self.store, at).run
        trait = TraitName("data-check")
        result = TraitResult(trait=trait, status=TraitStatus.FAIL, observed_at=at, answered_at=at, reason="3 of 4")
        return advance(run.key, TraitEvaluated(at=at, round=run.round, result=result), self.store).run


class ReadingDesk:
    """The desk of somebody who only looks: there is nothing at it to act with."""

    actor = "cli:nobody"

    def __init__(self, project: Project, store: Repository) -> None:
        self.project = project
        self.store = store

    @property
    def clock(self) -> Clock:
        return SystemClock()

    @property
    def work(self) -> Interlock:
        raise AssertionError("what only looks has taken up work")


@contextmanager
def an_office(root: Path, *names: str, timezone: str = "UTC", **how: Any) -> Iterator[Office]:
    """Open a project with a pipeline `orders`, and others like it, at noon."""
    a_project(root, timezone=timezone, **how)
    text = (root / "pipelines/orders.yaml").read_text()
    for name in names:
        (root / f"pipelines/{name}.yaml").write_text(text.replace("name: orders", f"name: {name}"))
    with time_machine.travel(NOW), Interlock(load_project(root)) as work:
        yield Office(root, work)


@contextmanager
def a_reader(root: Path) -> Iterator[ReadingDesk]:
    """Sit down at a project only to look at it, whatever of it is broken."""
    project = load_project(root, tolerant=True)[0]
    with open_for_reading(project) as store:
        yield ReadingDesk(project, store)
