"""A store opened for looking only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project

from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.errors import StoreError
from interlock.runtime.reading import open_for_reading, with_registered_here
from interlock.stores.sqlite.kernel import SqliteKernel


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return load_project(a_project(tmp_path))


def test_a_store_that_does_not_exist_reads_as_empty_and_is_not_made(project: Project) -> None:
    """T-97."""
    with open_for_reading(project) as store:
        assert store.runs_of("orders", limit=5) == ()
    assert not project.settings.sqlite_path.exists()


def test_nothing_can_be_written_through_it(project: Project) -> None:
    """T-97."""
    spec = project.pipelines["orders"].spec
    project.settings.sqlite_path.parent.mkdir(exist_ok=True)
    with closing(SqliteKernel(project.settings.sqlite_path)):
        pass
    with open_for_reading(project) as store, pytest.raises(StoreError, match="reading only"):
        store.put_spec(spec)


def test_a_link_that_leads_nowhere_is_not_taken_for_a_store_that_is_not_there_yet(project: Project) -> None:
    """T-08."""
    path = project.settings.sqlite_path
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("moved-away.db")
    with pytest.raises(StoreError), open_for_reading(project):
        pass


def test_an_empty_file_that_a_full_disk_left_reads_as_empty(project: Project) -> None:
    project.settings.sqlite_path.parent.mkdir(exist_ok=True)
    project.settings.sqlite_path.touch()
    with open_for_reading(project) as store:
        assert store.runs_of("orders", limit=5) == ()


def test_a_store_that_another_process_is_just_making_reads_as_empty(project: Project) -> None:
    path = project.settings.sqlite_path
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as maker:
        maker.execute("PRAGMA journal_mode = WAL")
        assert path.stat().st_size > 0, "the file is there before its tables are"
        with open_for_reading(project) as store:
            assert store.runs_of("orders", limit=5) == ()
        assert with_registered_here(project).pipelines.keys() == {"orders"}
