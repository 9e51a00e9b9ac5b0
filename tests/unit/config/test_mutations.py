"""Whatever a file holds, the answer is a project or a list of problems, each inside a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.config.projects import DATA, FRESH, good_project

from interlock.config.load import load_project
from interlock.config.report import FORMS, render
from interlock.config.yaml12 import plain
from interlock.errors import ConfigError

FILES = sorted(str(path.relative_to(DATA / "good")) for path in (DATA / "good").rglob("*.yaml"))
WORDS = [
    "type",
    "name",
    "config",
    "evaluator",
    "ttl",
    "readinessRule",
    "alerts",
    "x",
    "command",
    "calendar",
    "threshold",
]
SCALARS = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, 1e300, "", "x", "06:00", "builtin:sql", "${x}", "\0", "\ud7ff", "a" * 300]
) | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good_project(tmp_path_factory.mktemp("mutations"))


def check(root: Path, name: str, raw: bytes) -> None:
    path = root / name
    sound = path.read_bytes()
    path.write_bytes(raw)
    try:
        load_project(root, settings=FRESH)
    except ConfigError as exc:
        look_at(root, exc)
    finally:
        path.write_bytes(sound)


def look_at(root: Path, error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        lines = (root / problem.file).read_bytes().decode(errors="replace").split("\n")
        assert 0 <= problem.line <= len(lines)
        assert (problem.line == 0) == (problem.column == 0)
    for form in FORMS:
        render(error.problems, form)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_value_never_raises_anything_but_a_config_error(root: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    value = plain((root / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(value)))
        value = changed(value, place, data.draw(VALUES))
    check(root, name, json.dumps(value, indent=1).encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_text_never_raises_anything_but_a_config_error(root: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    raw = (root / name).read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 20)))
    new = data.draw(
        st.binary(max_size=6) | st.sampled_from([b"\n", b": ", b"- ", b"&a ", b"*a", b"!!x ", b"'", b"\t", b"<<: "])
    )
    check(root, name, raw[:start] + new + raw[end:])
