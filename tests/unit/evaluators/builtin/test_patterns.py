"""Patterns mean what Python's do, and cannot be made to hang."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.evaluators.builtin.patterns import (
    DEEPEST,
    LONGEST_PATTERN,
    LONGEST_TEXT,
    MOST_PARTS,
    MOST_STATES,
    BadPattern,
    Pattern,
)

_ATOMS = st.sampled_from(["a", "b", "1", ".", r"\.", r"\d", r"\w", r"\S", "[ab]", "[^a]", "[a-c1]", r"[\d-]", " "])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda ways: f"({'|'.join(ways)})"),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])),
    ),
    max_leaves=8,
)


def _read(text: str) -> tuple[Pattern | None, str]:
    try:
        return Pattern(text), ""
    except BadPattern as exc:
        return None, str(exc)


@settings(max_examples=400, deadline=None)
@given(text=_PATTERNS.filter(lambda text: len(text) <= LONGEST_PATTERN), tried=st.text("ab1. -]\n", max_size=8))
def test_a_pattern_means_what_it_means_to_python(text: str, tried: str) -> None:
    pattern, refusal = _read(text)
    if pattern is None:
        assert "states" in refusal
    else:
        assert pattern.matches(tried) == (re.fullmatch(text, tried, re.ASCII) is not None)


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("", [""], ["a"]),
        (r"^[A-Z]{2}\d{4}$", ["AB1234"], ["AB123", "ab1234", "AB1234\n", "xAB1234"]),
        ("complete|done", ["complete", "done"], ["completed", "", "undone"]),
        (r"s3://[^/]+/.+\.parquet", ["s3://b/x/y.parquet"], ["s3://b/.parquet", "s3://b/x.csv"]),
        (r"\d+", ["0", "12"], ["\u0661", "", "1 "]),
        (r"a\tb\\c", ["a\tb\\c"], ["a b\\c"]),
        ("[a-]+", ["a-a"], ["b"]),
        (r"[\]x]", ["]", "x"], ["\\"]),
        ("(a|)b", ["ab", "b"], ["a"]),
        ("(a*)*", ["", "aaa"], ["b"]),
        ("a{2,3}", ["aa", "aaa"], ["a", "aaaa"]),
        ("a{0}", [""], ["a"]),
        ("é+", ["éé"], ["e"]),
    ],
)
def test_what_matches_and_what_does_not(text: str, yes: list[str], no: list[str]) -> None:
    pattern = Pattern(text)
    assert [one for one in yes if not pattern.matches(one)] == []
    assert [one for one in no if pattern.matches(one)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a**", "a repetition follows"),
        ("a+?", "a repetition follows"),
        ("a{1}{2}", "a repetition follows"),
        ("*a", "nothing in front"),
        ("{2}", "nothing in front"),
        ("a{", "not followed by"),
        ("a{x}", "not followed by"),
        ("a{12", "not followed by"),
        ("a{3,2}", "backwards"),
        ("(a", "without its '\\)'"),
        ("a)", "without its '\\('"),
        ("[a", "without its '\\]'"),
        ("[]", "empty class"),
        ("[z-a]", "a range in a class"),
        (r"[a-\d]", "a range in a class"),
        (r"[\D]", "cannot be in a class"),
        ("[a\\", "ends in a single"),
        ("a\\", "ends in a single"),
        (r"\1", "not known here"),
        (r"\bword", "not known here"),
        (r"(a)\1", "not known here"),
        ("(?=a)", "groups are"),
        ("(?P<x>a)", "groups are"),
        ("(?i)a", "groups are"),
        ("a^b", "within a pattern"),
        ("a$b", "within a pattern"),
        ("$a", "at the beginning"),
        ("x" * (LONGEST_PATTERN + 1), "at most 200 characters"),
        ("(a{99}){99}", f"more than {MOST_STATES} states"),
        ("((a{9}){9}){9}", f"more than {MOST_STATES} states"),
        ("a{9999}", f"more than {MOST_STATES} states"),
        ("((((){9999}){9999}){9999}){9999}", f"more than {MOST_PARTS} parts"),
        ("(((){0,9999}){9999}){9999}", "more than"),
        ("(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), "nested more than"),
    ],
)
def test_what_is_no_pattern_says_why(text: str, words: str) -> None:
    with pytest.raises(BadPattern, match=words):
        Pattern(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*b", "(.*.*)*x", "(a*)*b", "((a?){40}a{40})*b", "(.*a){20}b"])
def test_a_pattern_that_keeps_python_busy_for_years_is_answered(text: str) -> None:
    """BUG-07."""
    assert not Pattern(text).matches("a" * (LONGEST_TEXT - 1) + "!")


def test_a_text_that_is_too_long_is_not_tried() -> None:
    with pytest.raises(ValueError, match="1001 characters"):
        Pattern("a*").matches("a" * (LONGEST_TEXT + 1))


@settings(max_examples=300, deadline=None)
@given(st.text("ab\\[](){}*+?|^$.-,09dw", max_size=12), st.text("ab", max_size=4))
def test_any_text_is_a_pattern_or_says_why_not(text: str, tried: str) -> None:
    pattern, refusal = _read(text)
    assert bool(refusal) is (pattern is None)
    if pattern is not None:
        assert pattern.matches(tried) in (True, False)
