"""Which steps there are, in what order, and how far somebody else has gone; the rest is tested with a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.clients import migrations
from interlock.clients.migrations import Standing, steps
from interlock.errors import StoreError, StoreTooNew


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("0002_post_b", "0001_pre_a", "0002_pre_z", "0010_pre_a", "0002_pre_b", "0001_post_a"):
        (tmp_path / f"{name}.sql").write_text(f"-- {name} ü\n", "utf-8")
    return tmp_path


def test_steps_go_by_generation_then_pre_before_post_then_by_name(folder: Path) -> None:
    expected = ["0001_pre_a", "0001_post_a", "0002_pre_b", "0002_pre_z", "0002_post_b", "0010_pre_a"]
    assert [step.name for step in steps(folder)] == expected


def test_a_digest_is_that_of_the_text(folder: Path) -> None:
    before = {step.name: step.digest for step in steps(folder)}
    assert len(set(before.values())) == len(before)
    (folder / "0001_pre_a.sql").write_text("-- another\n")
    after = {step.name: step.digest for step in steps(folder)}
    assert [name for name in before if before[name] != after[name]] == ["0001_pre_a"]


@pytest.mark.parametrize("name", ["1_pre_a.sql", "0001_a.sql", "0001_mid_a.sql", "0001_pre_A.sql", "0001_pre_.sql"])
def test_a_file_that_is_named_otherwise_is_a_mistake(tmp_path: Path, name: str) -> None:
    """It would never be applied, and nobody would know."""
    (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="NNNN_pre_name"):
        steps(tmp_path)


def test_what_is_left_is_told_by_kind(folder: Path) -> None:
    known = steps(folder)
    digests = {step.name: step.digest for step in known}
    assert migrations._standing({}, known, "s") == Standing(
        empty=True,
        pre=("0001_pre_a", "0002_pre_b", "0002_pre_z", "0010_pre_a"),
        post=("0001_post_a", "0002_post_b"),
    )
    some = {name: digests[name] for name in ("0001_pre_a", "0002_pre_b", "0001_post_a")}
    assert migrations._standing(some, known, "s") == Standing(
        empty=False, pre=("0002_pre_z", "0010_pre_a"), post=("0002_post_b",)
    )
    assert migrations._standing(digests, known, "s") == Standing(empty=False, pre=(), post=())


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("0011_pre_x", True),
        ("0011_post_x", False),
        ("0012_pre_x", False),
        ("0010_post_x", False),
        ("0002_pre_x", False),
    ],
)
def test_of_unknown_steps_only_what_the_next_version_prepares_is_harmless(
    folder: Path, name: str, harmless: bool
) -> None:
    known = steps(folder)
    applied = {step.name: step.digest for step in known} | {name: "?"}
    if harmless:
        assert not migrations._standing(applied, known, "s").pre
        return
    with pytest.raises(StoreTooNew, match=name):
        migrations._standing(applied, known, "s")


def test_a_step_with_another_content_is_told_before_anything_is_done(folder: Path) -> None:
    known = steps(folder)
    with pytest.raises(StoreError, match="0001_pre_a was applied with another content"):
        migrations._standing({"0001_pre_a": "?"}, known, "s")
