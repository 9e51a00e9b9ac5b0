"""A scaffold is written wholly or not at all, and never over anything."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.errors import ConfigError
from interlock.scaffold.writing import TEMPLATES, scaffold_files, write_scaffold


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_returned_is_what_is_there(tmp_path: Path, template: str) -> None:
    written = write_scaffold(tmp_path / "my-project", template=template)
    assert written == sorted(written)
    assert {str(p.relative_to(tmp_path / "my-project")) for p in written} == set(_tree(tmp_path / "my-project"))
    assert (tmp_path / "my-project/interlock.yaml") in written
    assert (tmp_path / "my-project/.gitignore") in written
    assert [p.name for p in tmp_path.iterdir()] == ["my-project"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_whatever_begins_with_an_interpreter_can_be_executed_and_nothing_else(tmp_path: Path, template: str) -> None:
    written = write_scaffold(tmp_path / "p", template=template)
    assert {p for p in written if _is_executable(p)} == {p for p in written if p.read_bytes().startswith(b"#!")}
    assert any(_is_executable(p) for p in written if p.parent.name == "evaluators")


@pytest.mark.parametrize("template", TEMPLATES)
def test_caches_left_in_the_package_are_not_copied(template: str) -> None:
    assert not [file for file in scaffold_files(template) if "__pycache__" in file.path.parts]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; os.umask(0o077)\n"
        "from interlock.scaffold.writing import write_scaffold\n"
        f"write_scaffold(pathlib.Path({str(tmp_path / 'p')!r}), template='basic')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "p/interlock.yaml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "p/evaluators/check-upstream").stat().st_mode) == 0o700


def test_missing_parents_are_made(tmp_path: Path) -> None:
    write_scaffold(tmp_path / "a/b/c", template="basic")
    assert (tmp_path / "a/b/c/interlock.yaml").is_file()


def test_a_folder_with_other_things_in_it_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "src").mkdir()
    before = tmp_path.stat().st_ino
    write_scaffold(tmp_path, template="basic")
    assert tmp_path.stat().st_ino == before, "a shell that stands in the folder must still stand in it"
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "pipelines/example.yaml").is_file()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".interlock-init-")]


@pytest.mark.parametrize("taken", ["interlock.yaml", ".gitignore", "pipelines"])
def test_nothing_is_written_over_what_is_there(tmp_path: Path, taken: str) -> None:
    if taken == "pipelines":
        (tmp_path / taken).mkdir()
    else:
        (tmp_path / taken).write_text("mine")
    with pytest.raises(ConfigError, match=taken):
        write_scaffold(tmp_path, template="basic")
    assert [p.name for p in tmp_path.iterdir()] == [taken]


def test_a_dangling_link_counts_as_something_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"interlock\.yaml"):
        write_scaffold(tmp_path, template="basic")
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_init_refuses_and_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    write_scaffold(tmp_path / "p", template="basic")
    (tmp_path / "p/pipelines/example.yaml").write_text("mine")
    before = _tree(tmp_path / "p")
    with pytest.raises(ConfigError, match="nothing was written"):
        write_scaffold(tmp_path / "p", template="basic")
    assert _tree(tmp_path / "p") == before


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("mine")
    with pytest.raises(ConfigError, match="not a folder"):
        write_scaffold(tmp_path / "p", template="basic")
    assert (tmp_path / "p").read_text() == "mine"


@pytest.mark.parametrize("there", [True, False], ids=["into a folder", "a new folder"])
@pytest.mark.parametrize("after", range(0, 12, 3))
def test_a_disk_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool, after: int
) -> None:
    target = tmp_path / "p"
    if there:
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    synced = 0

    def full_disk(_handle: int) -> None:
        nonlocal synced
        if synced == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced += 1

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_scaffold(target, template="basic")
    assert _tree(tmp_path) == ({"p/mine.txt": b"mine"} if there else {})
    assert target.exists() == there
    assert not [p for p in tmp_path.rglob("*") if "interlock-init" in p.name]


def test_a_name_taken_half_way_through_the_move_undoes_the_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def somebody_else_is_faster(self: Path, to: Path) -> Path:
        moved = rename(self, to)
        if to.name == "calendars":
            (tmp_path / "interlock.yaml").write_text("theirs")
        return moved

    monkeypatch.setattr(Path, "rename", somebody_else_is_faster)
    with pytest.raises(ConfigError, match=r"interlock\.yaml"):
        write_scaffold(tmp_path, template="basic")
    assert _tree(tmp_path) == {"interlock.yaml": b"theirs"}
    assert [p.name for p in tmp_path.iterdir()] == ["interlock.yaml"]


def test_extra_files_are_written_in_the_same_breath(tmp_path: Path) -> None:
    written = write_scaffold(tmp_path / "p", template="basic", extra={".interlock/schema/project.json": b"{}"})
    assert written == sorted(written)
    assert written[0] == tmp_path / "p/.gitignore"
    assert (tmp_path / "p/.interlock/schema/project.json").read_bytes() == b"{}"


def test_an_extra_file_that_is_in_the_way_stops_everything(tmp_path: Path) -> None:
    (tmp_path / ".interlock").mkdir()
    with pytest.raises(ConfigError, match=r"\.interlock"):
        write_scaffold(tmp_path, template="basic", extra={".interlock/schema/project.json": b"{}"})
    assert [p.name for p in tmp_path.iterdir()] == [".interlock"]


def test_an_unknown_template_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="basic, demo"):
        write_scaffold(tmp_path / "p", template="fancy")
    assert list(tmp_path.iterdir()) == []
