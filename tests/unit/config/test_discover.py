from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.projects import PIPELINE, loaded, small_project, write_pipeline

from interlock.config.discover import find_project, yaml_files
from interlock.config.settings import Settings
from interlock.errors import ConfigError


def test_the_nearest_project_file_upwards_counts(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").touch()
    inner = tmp_path / "a" / "inner"
    deep = inner / "b"
    deep.mkdir(parents=True)
    assert find_project(deep) == tmp_path
    (inner / "interlock.yml").touch()
    assert find_project(deep) == inner


def test_two_project_files_in_one_directory_are_an_error(tmp_path: Path) -> None:
    for name in ("interlock.yaml", "interlock.yml"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="only one can be the project file"):
        find_project(tmp_path)


def test_no_project_file_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_project(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "interlock init" in str(caught.value)


@pytest.mark.parametrize("name", ["", "interlock.yaml"])
def test_an_override_names_the_directory_or_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "interlock.yaml").touch()
    (tmp_path / "interlock.yaml").touch()
    assert find_project(tmp_path, tmp_path / "here" / name) == tmp_path / "here"
    with pytest.raises(ConfigError):
        find_project(tmp_path, tmp_path / "nowhere")


def test_a_loop_of_directories_ends_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    for name in ("a/one.yaml", "two.yml", ".hidden.yaml", "three.txt", "a/.#one.yaml"):
        (tmp_path / name).touch()
    assert [path.removeprefix(f"{tmp_path}/") for path, _ in yaml_files(str(tmp_path))] == ["a/one.yaml", "two.yml"]


def test_pipelines_in_subdirectories_are_not_forgotten(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    team = root / "pipelines" / "team"
    team.mkdir()
    (team / "deep.yaml").write_text(PIPELINE.format(name="deep-one"))
    assert loaded(root).pipelines["deep-one"].source == "pipelines/team/deep.yaml"


def test_a_file_in_two_overlapping_directories_is_one_pipeline(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "only-one")
    path = root / "interlock.yaml"
    path.write_text(path.read_text().replace("  - ./pipelines\n", "  - ./pipelines\n  - pipelines/../pipelines\n"))
    assert list(loaded(root).pipelines) == ["only-one"]


def test_paths_are_relative_to_the_project_and_not_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "only-one")
    monkeypatch.chdir(tmp_path)
    project = loaded(Path("project"))
    assert list(project.pipelines) == ["only-one"]
    assert project.settings.sqlite_path == root / ".interlock" / "interlock.db"


def test_default_directories_need_not_exist(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").write_text("provider: sqlite\n")
    project = loaded(tmp_path)
    assert project.settings.pipeline_dirs == ()
    assert dict(project.pipelines) == {}


def test_settings_come_from_the_environment_and_an_empty_variable_is_not_set() -> None:
    assert Settings.of({}) == Settings.of({"INTERLOCK_PROJECT": "", "INTERLOCK_NO_CACHE": "0"}) == Settings()
    environ = {"INTERLOCK_PROJECT": "/p", "EVALUATOR_BASE_URL": "http://x", "INTERLOCK_NO_CACHE": "1"}
    assert Settings.of(environ) == Settings(project=Path("/p"), evaluator_base_url="http://x", no_cache=True)
