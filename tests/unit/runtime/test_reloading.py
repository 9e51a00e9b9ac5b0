"""Following the files of a project."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.cli import PIPELINE, a_project, a_script

from interlock.app.arrivals import open_run
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.expectations import ExpectationState
from interlock.core.ids import PipelineName, ScheduleName
from interlock.core.runs import Run, RunStatus
from interlock.errors import StoreUnavailable
from interlock.ports.agendas import Agenda
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.lanes import lanes_of
from interlock.runtime.reloading import ACTOR, Reloader, signature
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock
from interlock.stores.agendas import AgendaRows
from interlock.testing.builders import NOON, SECOND, a_slot
from interlock.testing.clock import FakeClock

ORDERS, DAILY = PipelineName("orders"), ScheduleName("daily")


class Scene:
    """A project on disk, and what follows its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        project, problems = load_project(root, tolerant=True)
        self.work = Interlock(project)
        self.news: list[str] = []
        self.pokes = 0
        self.station = Station(self.work.hands, lanes_of(2), poke=self._poke, news=self.news.append)
        self.reloader = Reloader(self.work, self.station, Settings(), problems)
        self.follow()

    def follow(self) -> None:
        self.reloader.hurry()
        self.reloader.follow()

    def _poke(self) -> None:
        self.pokes += 1

    def write(self, name: str, text: str) -> None:
        fresh = self.root / f"{name}.new"
        fresh.write_text(text)
        fresh.rename(self.root / name)

    def alerts(self) -> list[AlertType]:
        found = self.work.hands.dispatches.alerts(limit=10, open_only=True)
        return [record.alert.alert_type for record in found]

    def retired(self, pipeline: PipelineName = ORDERS) -> bool:
        agenda = self.work.hands.agendas.agenda(pipeline, DAILY)
        return agenda is None or agenda.retired


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(a_project(tmp_path))
    yield made
    made.work.__exit__(None, None, None)


def test_at_the_beginning_everything_is_planned(scene: Scene) -> None:
    assert not scene.retired()


def test_looking_takes_a_twentieth_of_the_time_at_most(scene: Scene) -> None:
    scene.follow()
    scene.write("pipelines/returns.yaml", PIPELINE.replace("orders", "returns"))
    scene.reloader._rest_until = scene.work.clock.now() + timedelta(hours=1)
    scene.reloader.follow()
    assert scene.work.catalog.spec(PipelineName("returns")) is None
    scene.follow()
    assert scene.work.catalog.spec(PipelineName("returns")) is not None


def test_to_read_what_changed_puts_the_next_look_off_by_as_long_as_it_took(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(NOON)
    monkeypatch.setattr(scene.work, "clock", clock)
    monkeypatch.setattr(scene.reloader, "_follow_changes", lambda _now: clock.advance(3 * SECOND))
    scene.reloader.hurry()
    scene.reloader.follow()
    assert scene.reloader._rest_until == NOON + 6 * SECOND


def test_files_that_nobody_touched_are_not_read_again(scene: Scene) -> None:
    scene.reloader._load = pytest.fail
    scene.follow()
    assert scene.news == []


def test_a_new_file_is_a_new_pipeline(scene: Scene) -> None:
    scene.write("pipelines/returns.yaml", PIPELINE.replace("orders", "returns"))
    scene.follow()
    assert not scene.retired(PipelineName("returns"))
    assert scene.work.catalog.spec(PipelineName("returns")) is not None


def test_a_file_that_is_removed_retires_its_pipeline_and_its_history_stays(scene: Scene) -> None:
    slot = a_slot(pipeline="orders")
    spec = scene.work.catalog.specs[ORDERS]
    open_run(slot, spec, scene.work.store, scene.work.clock.now())
    (scene.root / "pipelines" / "orders.yaml").unlink()
    scene.follow()
    assert scene.retired()
    assert scene.work.store.latest_run(slot) is not None
    (expectation, *_) = scene.work.hands.agendas.expectations(limit=5, pipeline="orders")
    assert expectation.state is ExpectationState.WAIVED


def test_how_many_pipelines_came_changed_and_went_is_said(scene: Scene) -> None:
    scene.write("pipelines/returns.yaml", PIPELINE.replace("orders", "returns"))
    scene.follow()
    scene.write("pipelines/orders.yaml", PIPELINE + "tier: 2\n")
    scene.follow()
    (scene.root / "pipelines" / "returns.yaml").unlink()
    scene.follow()
    assert scene.news == [
        "reload 1 added, 0 changed, 0 removed: 2 pipelines",
        "reload 0 added, 1 changed, 0 removed: 2 pipelines",
        "reload 0 added, 0 changed, 1 removed: 1 pipelines",
    ]


def test_a_run_that_waits_when_its_file_is_removed_is_named_with_how_to_end_it(scene: Scene) -> None:
    slot = a_slot(pipeline="orders")
    key = open_run(slot, scene.work.catalog.specs[ORDERS], scene.work.store, scene.work.clock.now()).run.key
    (scene.root / "pipelines" / "orders.yaml").unlink()
    scene.follow()
    (line,) = [line for line in scene.news if str(key) in line]
    assert (
        line
        == f"reload orders is removed, and {key} is held: it goes on when the file is back, and interlock cancel {key} --reason WHY ends it"
    )


def test_a_usual_directory_that_vanishes_retires_nothing_and_is_told(tmp_path: Path) -> None:
    scene = Scene(a_project(tmp_path))
    (tmp_path / "pipelines").rename(tmp_path / "away")
    scene.follow()
    scene.follow()
    assert not scene.retired()
    assert scene.alerts() == [AlertType.CONFIG_REJECTED]
    assert "the directory pipelines is gone, and 1 pipelines with it" in scene.news[-2]
    (tmp_path / "away").rename(tmp_path / "pipelines")
    scene.follow()
    assert scene.alerts() == []
    scene.work.__exit__(None, None, None)


def test_a_watcher_that_starts_where_the_usual_directory_is_missing_retires_nothing_either(tmp_path: Path) -> None:
    Scene(a_project(tmp_path)).work.__exit__(None, None, None)
    (tmp_path / "pipelines").rename(tmp_path / "away")
    scene = Scene(tmp_path)
    assert not scene.retired()
    assert scene.alerts() == [AlertType.CONFIG_REJECTED]
    assert "the directory pipelines is gone, and 1 pipelines with it" in scene.news[-1]
    (tmp_path / "away").rename(tmp_path / "pipelines")
    scene.follow()
    assert not scene.retired()
    assert scene.alerts() == []
    scene.work.__exit__(None, None, None)


def test_a_directory_that_comes_back_empty_retires_what_was_planned_before_the_start(tmp_path: Path) -> None:
    Scene(a_project(tmp_path)).work.__exit__(None, None, None)
    (tmp_path / "pipelines").rename(tmp_path / "away")
    scene = Scene(tmp_path)
    (tmp_path / "pipelines").mkdir()
    scene.follow()
    assert scene.retired()
    assert scene.alerts() == []
    scene.work.__exit__(None, None, None)


def test_a_project_that_never_had_pipelines_begins_without_a_word(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / "pipelines" / "orders.yaml").unlink()
    (root / "pipelines").rmdir()
    scene = Scene(root)
    assert scene.alerts() == []
    scene.work.__exit__(None, None, None)


def test_pipelines_that_move_to_another_directory_are_followed_there(tmp_path: Path) -> None:
    scene = Scene(a_project(tmp_path))
    (tmp_path / "pipelines").rename(tmp_path / "flows")
    project = tmp_path / "interlock.yaml"
    project.write_text(project.read_text() + "pipelineDirs: [./flows]\n")
    scene.follow()
    assert not scene.retired()
    assert scene.alerts() == []
    (tmp_path / "flows" / "orders.yaml").unlink()
    scene.follow()
    assert scene.retired()
    scene.work.__exit__(None, None, None)


def test_an_empty_directory_retires_its_pipelines(tmp_path: Path) -> None:
    scene = Scene(a_project(tmp_path))
    (tmp_path / "pipelines").rename(tmp_path / "away")
    (tmp_path / "pipelines").mkdir()
    scene.follow()
    assert scene.retired()
    scene.work.__exit__(None, None, None)


def test_a_plan_that_could_not_be_kept_is_said_once_and_made_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AgendaRows.put_agenda

    def fails(_rows: AgendaRows, _agenda: Agenda) -> bool:
        raise StoreUnavailable("nobody answers")

    monkeypatch.setattr(AgendaRows, "put_agenda", fails)
    (scene.root / "pipelines" / "orders.yaml").unlink()
    for _ in range(3):
        scene.follow()
    assert len([line for line in scene.news if line.startswith("trouble orders")]) == 1
    assert not scene.retired()
    monkeypatch.setattr(AgendaRows, "put_agenda", real)
    scene.follow()
    assert scene.retired()


def test_a_mistake_in_a_file_keeps_what_worked_and_is_told_once(scene: Scene) -> None:
    before = scene.work.catalog.specs[ORDERS]
    scene.write("pipelines/orders.yaml", PIPELINE + "tears: 3\n")
    scene.follow()
    assert scene.alerts() == [], "a file that is just being written may look broken for a moment"
    scene.follow()
    assert scene.alerts() == [AlertType.CONFIG_REJECTED]
    scene.follow()
    assert scene.work.catalog.specs[ORDERS] == before
    assert not scene.retired()
    told = scene.work.hands.dispatches.alert(f"{AlertType.CONFIG_REJECTED}/interlock")
    assert told is not None
    assert "pipelines/orders.yaml:10" in told.alert.message
    assert "tears" in told.alert.message


def test_a_file_that_is_mended_ends_the_alert(scene: Scene) -> None:
    scene.write("pipelines/orders.yaml", PIPELINE + "tears: 3\n")
    scene.follow()
    scene.follow()
    scene.write("pipelines/orders.yaml", PIPELINE + "tier: 3\n")
    scene.follow()
    assert scene.alerts() == []
    assert scene.work.catalog.specs[ORDERS].tier == 3


def test_every_mistake_of_every_file_is_in_the_one_alert(scene: Scene) -> None:
    scene.write("pipelines/orders.yaml", PIPELINE + "tears: 3\n")
    scene.write("pipelines/returns.yaml", "name: returns\narchetype: nowhere\n")
    scene.follow()
    scene.follow()
    (record,) = scene.work.hands.dispatches.alerts(limit=10, open_only=True)
    assert "orders.yaml" in record.alert.message
    assert "returns.yaml" in record.alert.message


def test_a_watcher_that_begins_with_a_broken_file_works_on_the_others_and_says_so(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns") + "tears: 3\n")
    scene = Scene(root)
    with scene.work:
        assert scene.alerts() == [AlertType.CONFIG_REJECTED]
        assert not scene.retired()
        (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
        scene.follow()
        assert scene.alerts() == []
        assert not scene.retired(PipelineName("returns"))


def test_a_pipeline_whose_file_breaks_while_nobody_watches_is_not_retired(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    scene = Scene(root)
    scene.work.__exit__(None, None, None)
    (root / "pipelines" / "orders.yaml").write_text(PIPELINE + "tears: 3\n")
    again = Scene(root)
    with again.work:
        assert not again.retired()


def test_a_run_that_waits_is_judged_by_the_files_as_they_are_now(scene: Scene) -> None:
    spec = scene.work.catalog.specs[ORDERS]
    run = _judged_not_ready(scene)
    assert run.spec_digest == scene.work.store.put_spec(spec)
    scene.write("pipelines/orders.yaml", PIPELINE + "tier: 3\n")
    scene.follow()
    after = scene.work.store.run(run.key)
    assert after is not None
    assert after.spec_digest != run.spec_digest
    asked = [line.record for line in scene.work.store.timeline("orders", limit=100)]
    assert [line.message for line in asked if line.kind is EventKind.EVALUATION_ASKED] == [f"asked for by {ACTOR}"]


def test_a_run_in_the_middle_of_a_round_hears_of_the_files_after_it(scene: Scene) -> None:
    slot = a_slot(pipeline="orders")
    run = open_run(slot, scene.work.catalog.specs[ORDERS], scene.work.store, scene.work.clock.now()).run
    scene.write("pipelines/orders.yaml", PIPELINE + "tier: 3\n")
    scene.follow()
    assert _digest(scene, run) == run.spec_digest
    _drive(scene, run)
    scene.follow()
    assert _digest(scene, run) != run.spec_digest


def test_a_run_that_was_let_through_keeps_its_spec(scene: Scene) -> None:
    """T-23."""
    a_script(scene.root / "job", "sleep 0.3")
    slot = a_slot(pipeline="orders")
    run = open_run(slot, scene.work.catalog.specs[ORDERS], scene.work.store, scene.work.clock.now()).run
    driver = Driver(scene.work.hands, SystemPacer(scene.work.clock))
    assert driver.drive(run.key, wait=False).run.status is RunStatus.RUNNING
    scene.write("pipelines/orders.yaml", PIPELINE + "tier: 3\n")
    scene.follow()
    scene.follow()
    assert _digest(scene, run) == run.spec_digest
    assert driver.drive(run.key).run.status is RunStatus.COMPLETED


def _judged_not_ready(scene: Scene) -> Run:
    slot = a_slot(pipeline="orders")
    run = open_run(slot, scene.work.catalog.specs[ORDERS], scene.work.store, scene.work.clock.now()).run
    _drive(scene, run)
    return run


def _drive(scene: Scene, run: Run) -> None:
    a_script(scene.root / "evaluators" / "check", 'echo \'{"status":"FAIL"}\'')
    driven = Driver(scene.work.hands, SystemPacer(scene.work.clock)).drive(run.key)
    assert driven.run.status is RunStatus.PENDING


def _digest(scene: Scene, run: Run) -> str:
    found = scene.work.store.run(run.key)
    assert found is not None
    return found.spec_digest


def test_channels_follow_the_project_file(scene: Scene) -> None:
    text = (scene.root / "interlock.yaml").read_text()
    scene.write("interlock.yaml", text + "  - type: file\n    path: alerts.jsonl\n")
    scene.follow()
    assert len(scene.station.hands.alerting.channels) == 2


def test_a_setting_that_counts_from_the_next_start_is_named(scene: Scene) -> None:
    text = (scene.root / "interlock.yaml").read_text()
    scene.write("interlock.yaml", text + "env: {allow: [TEAM]}\n")
    scene.follow()
    assert any("env_allow" in line and "next start" in line for line in scene.news)


def test_a_directory_that_is_made_later_is_looked_at(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    project = load_project(root)
    before = signature(project)
    (root / "calendars").mkdir()
    (root / "calendars" / "off.yaml").write_text("name: off\ndates: ['2026-12-25']\n")
    assert signature(project) != before


def test_a_project_file_that_is_gone_is_told_and_not_obeyed(scene: Scene) -> None:
    (scene.root / "interlock.yaml").unlink()
    scene.follow()
    scene.follow()
    assert scene.alerts() == [AlertType.CONFIG_REJECTED]
    assert not scene.retired()
