from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.config import yaml12
from interlock.config.shape import Unusable
from interlock.config.yaml12 import MAX_DEPTH, Doubt, Tree, plain, scalar

CORE_SCHEMA = [
    *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
    *[(text, True) for text in ("true", "True", "TRUE")],
    *[(text, False) for text in ("false", "False", "FALSE")],
    *[(text, text) for text in ("yes", "no", "on", "off", "On", "OFF", "y", "n", "nUll", "tRue")],
    *[(text, text) for text in ("06:00", "6:00", "12:00", "18:00", "23:59", "1:30:00", "190:20:30")],
    *[(text, text) for text in ("2025-12-25", "2025-12-25T10:00:00Z", "2001-1-1")],
    *[
        (text, text)
        for text in ("1_000", "0b101", "0O7", "0X1F", "0o8", "-0x1f", "+0o7", "1,000", "0x", "1e", ".", "-", "+")
    ],
    *[(text, text) for text in ("٣", "१२", "1e5x", "++1", "1.2.3", "=", "<<")],
    ("0", 0),
    ("010", 10),
    ("-19", -19),
    ("+12", 12),
    ("0o17", 15),
    ("0x1F", 31),
    ("1.", 1.0),
    (".5", 0.5),
    ("-0.5", -0.5),
    ("12e03", 12000.0),
    ("-2E+05", -200000.0),
    ("1e3", 1000.0),
]


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_an_unquoted_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    """T-109."""
    meaning = scalar(text)
    assert meaning == value
    assert type(meaning) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "9" * 5000, "1e999", "1" * 41])
def test_a_number_that_json_cannot_carry_is_refused(text: str) -> None:
    assert isinstance(scalar(text), Unusable)
    tree = Tree(f"a: {text}\n".encode())
    assert [(found.line, found.column) for found in tree.findings] == [(1, 4)]


@pytest.mark.parametrize("text", ["06:00", "on", "2025-12-25", "null", "12", "0x1F", "true", "~"])
def test_a_quoted_scalar_is_text(text: str) -> None:
    assert plain(f"a: '{text}'\nb: \"{text}\"\n".encode()) == {"a": text, "b": text}


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text("ab:#-?*&!%@` \"'[]{},0x1.e~", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1~:", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(YAML_VALUES)
def test_what_json_means_yaml_means_too_on_both_ways(value: object) -> None:
    raw = json.dumps({"top": value}).encode()
    tree = Tree(raw)
    assert tree.findings == []
    assert tree.data == {"top": value}
    with contextlib.suppress(Doubt):  # something in it looks like an anchor
        assert plain(raw) == {"top": value}


@given(st.text("ab:-[]{},&*!<>|'\"#\n\t 01.~?%", max_size=60))
def test_the_plain_way_gives_up_or_agrees_with_the_careful_one(text: str) -> None:
    raw = text.encode()
    tree = Tree(raw)
    for found in tree.findings:
        assert 1 <= found.line <= tree.lines
    try:
        said = plain(raw)
    except Doubt:
        return
    assert tree.findings == [] or said is None
    if said is not None:
        assert tree.data == said


def test_the_pure_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a PyYAML that was built without libyaml."""
    raw = b"a: 06:00\nb: [1, ~, off]\nc: {d: 0o17}\n"
    fast = plain(raw)
    monkeypatch.setattr(yaml12, "_Parser", yaml12._PureParser)
    assert plain(raw) == fast == {"a": "06:00", "b": [1, None, "off"], "c": {"d": 15}}
    assert Tree(b"a: 1\na: 2\n").findings[0].line == 2
    assert Tree(b"a: [").findings[0].line == 1


def test_an_alias_stands_for_its_anchor() -> None:
    tree = Tree(b"a: &x {b: 1}\nc: *x\n")
    assert tree.findings == []
    assert tree.data == {"a": {"b": 1}, "c": {"b": 1}}


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def ladder(rungs: int) -> bytes:
    step = 60
    lines = ["a0: &a0 " + "[" * step + "]" * step]
    lines += [f"a{n}: &a{n} " + "[" * step + f"*a{n - 1}" + "]" * step for n in range(1, rungs)]
    return "\n".join(lines).encode()


HOSTILE = {
    "alias bomb": (bomb(30), "aliases that expand"),
    "endless alias": (b"a: &a [*a]", "contains itself"),
    "deep by aliases": (ladder(40), "levels deep"),
    "deep flow list": (b"[" * 500_000, "levels deep"),
    "deep flow mapping": (b"{a: " * 200_000, "levels deep"),
    "deep block list": (b"- " * 500_000 + b"a", "levels deep"),
    "deep questions": (b"? " * 500_000 + b"a", "levels deep"),
    "deep block mapping": ("".join(" " * n + "a:\n" for n in range(1000)).encode(), "levels deep"),
    "python object": (b"!!python/object/apply:os.system ['true']", "the tag"),
    "local tag": (b"a: !include other.yaml", "the tag"),
    "tagged key": (b"!!str a: 1", "plain text"),
    "list as a key": (b"[a, b]: 1", "plain text"),
    "merge key": (b"a: &a {b: 1}\nc: {<<: *a}", "merge keys"),
    "two documents": (b"--- a\n--- b\n", "more than one document"),
    "utf-16": ("a: 1".encode("utf-16"), "byte order mark"),
    "lone surrogate": (b"a: \xed\xa0\x80", "not UTF-8"),
    "nul": (b"a: \0", "not allowed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_gets_one_clear_answer_quickly(name: str) -> None:
    raw, words = HOSTILE[name]
    began = time.monotonic()
    tree = Tree(raw)
    assert time.monotonic() - began < 5
    assert len(tree.findings) == 1
    assert words in tree.findings[0].message
    with pytest.raises(Doubt):
        plain(raw)


def test_the_deepest_text_that_is_allowed_is_read() -> None:
    raw = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert Tree(raw).findings == []
    plain(raw)


def test_a_key_that_is_given_twice_is_an_error_that_names_both_lines() -> None:
    found = Tree(b"a: 1\nb:\n  c: 1\n  c: 2\n").findings
    assert [(f.line, f.column) for f in found] == [(4, 3)]
    assert "line 3" in found[0].message


def test_two_keys_of_one_text_are_one_key() -> None:
    assert len(Tree(b"1: a\n'1': b\n").findings) == 1


def test_a_place_is_that_of_the_nearest_thing_there_is() -> None:
    tree = Tree(b"a:\n  - b: 1\n    c: 2\n")
    assert tree.locate(("a", 0, "c")) == (3, 8)
    assert tree.locate(("a", 0, "c"), key=True) == (3, 5)
    assert tree.locate(("a", 0, "missing", "deep")) == (2, 5)
    assert tree.locate(("a", 9)) == (2, 3)
    assert tree.locate(()) == (1, 1)
