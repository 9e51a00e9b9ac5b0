"""What is registered joins the files, and the watcher goes by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import ARCHETYPE, PIPELINE, a_project
from tests.unit.runtime.test_reloading import Scene

from interlock.app.arrivals import open_run
from interlock.codec.documents import document
from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.config.settings import Settings
from interlock.core.alerts import AlertType
from interlock.core.ids import PipelineName
from interlock.operations.desk import WorkDesk
from interlock.runtime.bell import Bell, place_of
from interlock.runtime.reading import with_registered_here
from interlock.runtime.registered import with_registered, without_registered
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock, state_dir
from interlock.stores import keys
from interlock.stores.kernel import Put
from interlock.stores.memory import MemoryKernel
from interlock.stores.registrations import RegistrationRows
from interlock.testing.builders import NOON, a_slot
from interlock.testing.conformance.kernel_values import at_once

SALES = PipelineName("sales")
SOUND = {"name": "sales", "archetype": "one-check", "traits": {"data-check": {"evaluator": "push", "ttl": 60}}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_project(tmp_path)


@pytest.fixture
def project(root: Path) -> Project:
    return load_project(root)


@pytest.fixture
def scene(root: Path) -> Iterator[Scene]:
    made = Scene(root)
    yield made
    made.work.__exit__(None, None, None)


def register(kernel: Any, name: str = "sales", **more: Any) -> None:
    RegistrationRows(kernel).register(PipelineName(name), document(SOUND | {"name": name} | more), NOON, "api:anna")


def withdraw(kernel: Any, name: str = "sales") -> None:
    assert RegistrationRows(kernel).withdraw(PipelineName(name), NOON, "api:anna")


# ---------------------------------------------------------------- joining


def test_where_nothing_is_registered_the_project_is_the_files(project: Project) -> None:
    assert with_registered(project, MemoryKernel()) is project


def test_what_is_registered_is_a_pipeline_of_the_project(project: Project) -> None:
    kernel = MemoryKernel()
    register(kernel)
    joined = with_registered(project, kernel)
    assert list(joined.pipelines) == ["orders", "sales"]
    assert joined.pipelines["sales"].source == "api"
    assert (joined.registered["sales"].by, joined.registered["sales"].at) == ("api:anna", NOON)
    assert joined.pipelines["orders"] == project.pipelines["orders"]


def test_joining_twice_is_joining_once_and_can_be_undone(project: Project) -> None:
    kernel = MemoryKernel()
    register(kernel)
    joined = with_registered(project, kernel)
    assert with_registered(joined, kernel) == joined
    assert without_registered(joined) == project
    withdraw(kernel)
    assert with_registered(joined, kernel).pipelines == project.pipelines


def test_a_file_of_the_same_name_wins_and_the_registration_is_not_lost(root: Path, project: Project) -> None:
    """T-77."""
    kernel = MemoryKernel()
    register(kernel)
    (root / "pipelines/sales.yaml").write_text(PIPELINE.replace("orders", "sales"))
    files = load_project(root)
    joined = with_registered(files, kernel)
    assert joined.pipelines["sales"] == files.pipelines["sales"]
    assert joined.registered["sales"].shadowed
    assert without_registered(joined) == files
    (root / "pipelines/sales.yaml").unlink()
    assert with_registered(load_project(root), kernel).pipelines["sales"].source == "api"


def test_a_broken_file_of_the_same_name_wins_too(root: Path) -> None:
    """T-77: or whoever breaks a file would be let in."""
    kernel = MemoryKernel()
    register(kernel)
    (root / "pipelines/sales.yaml").write_text("name: sales\nx: 1\n")
    joined = with_registered(load_project(root, tolerant=True)[0], kernel)
    assert "sales" not in joined.pipelines
    assert joined.broken["sales"][0].file == "pipelines/sales.yaml"


def test_a_registration_that_cannot_be_built_any_more_is_broken_and_the_others_are_not(root: Path) -> None:
    """T-118."""
    kernel = MemoryKernel()
    (root / "archetypes/second.yaml").write_text(ARCHETYPE.replace("one-check", "second"))
    register(kernel)
    register(kernel, "stocks", archetype="second")
    assert with_registered(load_project(root), kernel).broken == {}
    (root / "archetypes/second.yaml").unlink()
    joined = with_registered(load_project(root), kernel)
    assert list(joined.pipelines) == ["orders", "sales"]
    assert [str(problem) for problem in joined.broken["stocks"]] == [
        "api:stocks: archetype: no archetype is named 'second' (there are: one-check)"
    ]


def test_a_registration_that_cannot_be_read_hides_no_other_and_can_be_replaced(project: Project) -> None:
    """T-118."""
    kernel = MemoryKernel()
    register(kernel)
    register(kernel, "stocks")
    _damage(kernel, "stocks")
    joined = with_registered(project, kernel)
    assert set(joined.pipelines) == {"orders", "sales"}
    assert "cannot be read" in str(joined.broken["stocks"][0])
    register(kernel, "stocks")
    assert "stocks" in with_registered(project, kernel).pipelines
    _damage(kernel, "stocks")
    withdraw(kernel, "stocks")
    assert with_registered(project, kernel).broken == {}


def _damage(kernel: MemoryKernel, name: str) -> None:
    row = kernel.get(keys.REGISTERED_PK, keys.registered_sk(name))
    assert row is not None
    damaged = replace(row, version=row.version + 1, body={"name": 3})
    assert kernel.commit(keys.REGISTERED_PK, [Put(damaged)])


def test_the_restrictions_are_asked_again_every_time(root: Path) -> None:
    """T-72: a program that has become a link out of its directory since is refused from then on."""
    kernel = MemoryKernel()
    register(kernel, traits={"data-check": {"evaluator": "check"}})
    assert "sales" in with_registered(load_project(root), kernel).pipelines
    (root / "evaluators/check").unlink()
    (root / "evaluators/check").symlink_to("/bin/sh")
    assert "there is no program" in str(with_registered(_files(root), kernel).broken["sales"][0])


def _files(root: Path) -> Project:
    # The file pipeline names the same program, and is broken by it as little as it ever was.
    return load_project(root, tolerant=True)[0]


def test_looking_at_a_project_creates_no_store(root: Path, project: Project) -> None:
    assert with_registered_here(project) == project
    assert not (root / ".interlock/interlock.db").exists()


def test_who_only_looks_sees_what_is_registered(project: Project) -> None:
    with Interlock(project) as work:
        register(work.kernel)
    assert "sales" in with_registered_here(project).pipelines


# ---------------------------------------------------------------- at work


def test_a_process_that_begins_goes_by_what_is_registered(project: Project) -> None:
    with Interlock(project) as work:
        register(work.kernel)
    with Interlock(project) as work:
        assert work.catalog.spec(SALES) is not None


def test_a_change_is_gone_by_without_losing_what_the_files_say_now(root: Path, scene: Scene) -> None:
    register(scene.work.kernel)
    scene.write("pipelines/returns.yaml", PIPELINE.replace("orders", "returns"))
    scene.follow()
    scene.work.registry.follow()
    assert set(scene.work.catalog.specs) == {"orders", "returns", "sales"}


def test_files_and_registrations_that_change_at_once_are_both_gone_by(root: Path, project: Project) -> None:
    with Interlock(project) as work:

        def change(number: int) -> None:
            if number % 2:
                register(work.kernel, f"p-{number:02d}")
                work.registry.follow()
            else:
                work.registry.swap(project)

        at_once(8, change)
        work.registry.follow()
        assert set(work.catalog.specs) == {"orders", "p-01", "p-03", "p-05", "p-07"}


def test_a_registration_is_planned_by_a_watcher_that_runs_already(scene: Scene) -> None:
    assert not scene.reloader.behind()
    register(scene.work.kernel)
    assert scene.reloader.behind()
    scene.follow()
    assert not scene.retired(SALES)
    assert not scene.reloader.behind()


def test_it_is_planned_even_if_the_catalog_of_this_process_has_it_already(scene: Scene) -> None:
    register(scene.work.kernel)
    scene.work.registry.follow()
    scene.follow()
    assert not scene.retired(SALES)


def test_another_process_is_rung_when_something_is_registered(project: Project) -> None:
    with Bell(place_of(state_dir(project))) as bell, Interlock(project) as work:
        register(work.kernel)
        work.ring()
        assert bell.wait(timedelta(seconds=20))


def test_a_removed_registration_is_retired_and_its_history_stays(scene: Scene) -> None:
    """T-61."""
    register(scene.work.kernel)
    scene.follow()
    slot = a_slot(pipeline="sales")
    open_run(slot, scene.work.catalog.specs[SALES], scene.work.store, scene.work.clock.now())
    withdraw(scene.work.kernel)
    scene.follow()
    assert scene.retired(SALES)
    assert scene.work.catalog.spec(SALES) is None
    assert scene.work.store.latest_run(slot) is not None


def test_removing_while_a_run_is_under_way_leaves_the_run_its_spec(scene: Scene) -> None:
    """T-61: a run is pinned to what it was opened with."""
    register(scene.work.kernel)
    scene.follow()
    spec = scene.work.catalog.specs[SALES]
    run = open_run(a_slot(pipeline="sales"), spec, scene.work.store, scene.work.clock.now()).run
    withdraw(scene.work.kernel)
    scene.follow()
    assert scene.work.store.spec(run.spec_digest) == spec


def test_a_registration_that_breaks_is_told_once_and_again_when_it_is_mended(scene: Scene) -> None:
    """T-118."""
    second = scene.root / "archetypes/second.yaml"
    second.write_text(ARCHETYPE.replace("one-check", "second"))
    scene.follow()
    register(scene.work.kernel, archetype="second")
    scene.follow()
    assert scene.alerts() == []
    second.unlink()
    scene.follow()
    assert scene.alerts() == [AlertType.CONFIG_REJECTED]
    register(scene.work.kernel, "other")
    scene.follow()
    assert len([line for line in scene.news if str(AlertType.CONFIG_REJECTED) in line]) == 1
    second.write_text(ARCHETYPE.replace("one-check", "second"))
    scene.follow()
    assert scene.alerts() == []
    assert not scene.retired(SALES)


def test_a_broken_registration_keeps_its_plan_until_it_is_removed(scene: Scene) -> None:
    """G4: what was expected of it is missed aloud, not forgotten."""
    second = scene.root / "archetypes/second.yaml"
    second.write_text(ARCHETYPE.replace("one-check", "second"))
    scene.follow()
    register(scene.work.kernel, archetype="second")
    scene.follow()
    second.unlink()
    scene.follow()
    assert not scene.retired(SALES)
    withdraw(scene.work.kernel)
    scene.follow()
    assert scene.retired(SALES)
    assert scene.alerts() == []


def test_a_file_that_appears_later_takes_the_name_over(scene: Scene) -> None:
    """T-77."""
    register(scene.work.kernel)
    scene.follow()
    assert scene.work.catalog.specs[SALES].trigger is None
    scene.write("pipelines/sales.yaml", PIPELINE.replace("orders", "sales"))
    scene.follow()
    assert scene.work.catalog.specs[SALES].trigger is not None
    assert scene.work.catalog.project.registered["sales"].shadowed
    (scene.root / "pipelines/sales.yaml").unlink()
    scene.follow()
    assert scene.work.catalog.specs[SALES].trigger is None
    assert not scene.retired(SALES)


def test_while_the_files_are_rejected_registrations_are_still_gone_by(scene: Scene) -> None:
    scene.write("pipelines/orders.yaml", PIPELINE + "tears: 3\n")
    scene.follow()
    register(scene.work.kernel)
    scene.follow()
    assert scene.work.catalog.spec(SALES) is not None
    assert not scene.retired(SALES)


def test_a_watcher_goes_by_a_registration_of_another_process_though_it_never_looks_at_files(root: Path) -> None:
    """T-90: registered with a schedule, it is opened by whoever watches, without a restart."""
    text = (root / "interlock.yaml").read_text()
    (root / "interlock.yaml").write_text(f"{text}watcher: {{reload: 0}}\nwatchdog: {{enabled: false}}\n")
    project = load_project(root)
    seen = threading.Event()

    def news(line: str) -> None:
        if line.startswith("opened sales:"):
            seen.set()

    with Interlock(project) as work, Interlock(project) as other, Bell(place_of(state_dir(project))) as bell:
        watching = Watching(work, bell, Settings(), news=news)
        thread = threading.Thread(target=watching.watch, daemon=True)
        thread.start()
        try:
            register(other.kernel)
            other.ring()
            assert seen.wait(30)
        finally:
            watching.stop()
            thread.join(30)
            watching.drain()


def test_a_server_goes_by_a_registration_with_another_server(project: Project) -> None:
    with Interlock(project) as work, Interlock(project) as other:
        desk = WorkDesk(work, "api:anna")
        register(other.kernel)
        assert "sales" in desk.project.pipelines
        withdraw(other.kernel)
        assert "sales" not in desk.project.pipelines
