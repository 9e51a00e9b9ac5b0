"""A store that somebody else brings: named in the project file, checked like ours, opened, named and moved to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.config.projects import loaded, problems_of, small_project
from tests.unit.outsiders import STORE, Installed, installing

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import ConfigError, StoreEmpty, StoreError
from interlock.runtime.stores import moved_to, named, open_kernel, open_to_read
from interlock.stores.kernel import Page
from interlock.stores.memory import MemoryKernel

SHELF = "provider: shelf\nshelf: {place: cellar, password: '${env:KEY}', tags: {a: ['${env:TAG}']}}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with installing(tmp_path, monkeypatch) as installed:
        yield installed


def a_project(at: Path, text: str) -> Path:
    root = small_project(at)
    (root / "interlock.yaml").write_text(text)
    return root


def words_of(at: Path, text: str) -> list[str]:
    return [str(problem) for problem in problems_of(a_project(at, text))]


def test_the_block_of_its_name_is_what_it_is_made_of(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, SHELF))
    kernel = open_kernel(project, env={"KEY": "geheim", "TAG": "x{{date}}"})
    kernel.close()
    from acme_shelf import Store  # type: ignore[import-not-found]  # it is installed by this test

    config, root, read_only = Store.opened[-1]
    assert (config.place, config.password, config.tags) == ("cellar", "geheim", {"a": ["x{{date}}"]})
    assert (root, read_only) == (tmp_path / "project", False)


def test_the_same_files_mean_the_same_when_they_are_read_again(tmp_path: Path, install: Installed) -> None:
    """What a plug-in is told is no part of what is remembered of the file."""
    install.store()
    root = a_project(tmp_path, SHELF)
    for _ in range(3):
        project = load_project(root, settings=Settings())
        assert [spec.name for spec in project.settings.other_stores] == ["shelf"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "provider: shelf\nshelf: {plaec: x, place: y}",
            "interlock.yaml:2:9: shelf: unknown key 'plaec' (did you mean 'place'?)",
        ),
        ("provider: shelf\nshelf:\n  place: 3", "interlock.yaml:3:10: shelf: place is the number 3, expected text"),
        ("provider: shelf\nshelf: {}", "interlock.yaml:2:8: shelf: there is no 'place' (add place: …)"),
        ("provider: shelf", "interlock.yaml:1:11: the provider shelf needs a block 'shelf': there is no 'place'"),
        ("provider: shelf\nshelf: cellar", "interlock.yaml:2:8: shelf is the text 'cellar', expected a mapping"),
        ("provider: sqlite\nshelf: {place: y, plaec: x}", "interlock.yaml:2:19: shelf: unknown key 'plaec'"),
        (
            "provider: shelv\nshelf: {place: x}",
            "interlock.yaml:1:11: there is no provider 'shelv', only sqlite, redis, postgres, dynamodb, shelf (did you mean",
        ),
        ("provider: sqlite\nshelv: {}", "interlock.yaml:2:1: unknown key 'shelv'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_nearest_name(
    tmp_path: Path, install: Installed, text: str, words: str
) -> None:
    install.store()
    found = words_of(tmp_path, text)
    assert found[0].startswith(words)


def test_a_provider_that_nobody_has_installed_is_one_problem(tmp_path: Path) -> None:
    (words,) = words_of(tmp_path, "provider: shelf\nshelf: {place: x}")
    assert words.startswith("interlock.yaml:1:11: there is no provider 'shelf', only sqlite, redis, postgres, dynamodb")
    assert "install the plug-in that brings it" in words


def test_a_store_that_does_not_load_is_told_with_its_distribution(tmp_path: Path, install: Installed) -> None:
    install.store(text="import no_such_driver\n")
    (words,) = words_of(tmp_path, SHELF)
    assert "of the distribution acme-shelf needs the module 'no_such_driver', which is not installed" in words


def test_a_store_called_like_a_key_of_the_file_is_refused(tmp_path: Path, install: Installed) -> None:
    install.store("watcher")
    (words,) = words_of(tmp_path, "provider: watcher\nwatcher: {workers: 3}")
    assert "the store 'watcher' of the distribution acme-watcher cannot be used: the project file has a key" in words


def test_a_variable_that_is_not_set_is_told_with_the_key_that_names_it(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, SHELF))
    with pytest.raises(ConfigError, match=r"shelf\.tags\.a\[0\] of the project file names the variable TAG"):
        open_kernel(project, env={"KEY": "geheim"})


def test_a_store_is_named_without_the_value_of_any_variable(tmp_path: Path, install: Installed) -> None:
    install.store()
    assert named(loaded(a_project(tmp_path, SHELF)).settings) == "the shelf cellar of ${env:KEY}"


def test_a_store_that_cannot_be_named_has_its_name(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, "provider: shelf\nshelf: {place: nowhere}"))
    assert named(project.settings) == "the store shelf"
    with pytest.raises(ConfigError, match="shelf of the project file cannot be used: there is no place nowhere"):
        open_kernel(project)


def test_what_escapes_from_a_plugin_is_told_without_its_secrets(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, "provider: shelf\nshelf: {place: broken, password: '${env:KEY}'}"))
    with pytest.raises(StoreError) as caught:
        open_kernel(project, env={"KEY": "geheim"})
    assert str(caught.value) == (
        "the store shelf of the distribution acme-shelf cannot be opened: OSError: refused with ${KEY}"
    )
    assert caught.value.__cause__ is None


def test_what_is_no_kernel_is_refused(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, "provider: shelf\nshelf: {place: hollow}"))
    with pytest.raises(ConfigError, match="acme-shelf cannot be used: what it opens has no 'get'"):
        open_kernel(project)


def test_one_that_is_not_there_yet_reads_as_empty(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, "provider: shelf\nshelf: {place: new}"))
    with pytest.raises(StoreEmpty):
        open_kernel(project, read_only=True)
    kernel = open_to_read(project)
    assert isinstance(kernel, MemoryKernel)
    assert kernel.listing("active", Page()) == []


def test_a_project_can_be_moved_to_one_that_its_file_describes(tmp_path: Path, install: Installed) -> None:
    install.store()
    install.store("bin", STORE.replace("place: str", 'place: str = "everywhere"'))
    project = loaded(a_project(tmp_path, "provider: sqlite\nshelf: {place: cellar}"))
    assert named(moved_to(project, "shelf").settings) == "the shelf cellar of "
    assert named(moved_to(project, "bin").settings) == "the shelf everywhere of "


def test_a_project_cannot_be_moved_to_where_nobody_knows(tmp_path: Path, install: Installed) -> None:
    install.store()
    project = loaded(a_project(tmp_path, "provider: sqlite"))
    with pytest.raises(ConfigError, match="does not say where shelf is: add a block 'shelf'"):
        moved_to(project, "shelf")
    with pytest.raises(ConfigError, match="no store is named 'shelv'"):
        moved_to(project, "shelv")
