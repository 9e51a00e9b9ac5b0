"""Splitting a command without a shell."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from interlock.triggers.command import words


@given(st.text(alphabet=st.sampled_from("ab1 -={}$\t\n\r\x0b\x0c\x1c\x85\u00a0\u3000'\"\\#;|&*~éß"), max_size=30))
def test_a_command_is_split_exactly_as_a_shell_would(text: str) -> None:
    try:
        expected: tuple[str, ...] | None = tuple(shlex.split(text))
    except ValueError:
        expected = None
    try:
        found: tuple[str, ...] | None = words(text)
    except ValueError:
        found = None
    assert found == expected
