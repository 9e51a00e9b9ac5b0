"""The table of exit codes, and the callers' own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.cli.exits import MEANINGS, Exit, exit_of, parse_exit_map
from interlock.errors import (
    ConfigError,
    Contention,
    MissingExtra,
    NotFound,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    TriggerError,
    UnreadableRecord,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), Exit.USAGE),
        (MissingExtra("x", "http"), Exit.USAGE),
        (NotFound("x"), Exit.NOT_FOUND),
        (StoreUnavailable("x"), Exit.TRY_LATER),
        (Contention("x"), Exit.TRY_LATER),
        (StoreTooNew("x"), Exit.UNDECIDED),
        (UnreadableRecord("x"), Exit.UNDECIDED),
        (StoreError("x"), Exit.UNDECIDED),
        (TriggerError("x"), Exit.JOB_FAILED),
        (PermissionError("x"), Exit.UNDECIDED),
        (RuntimeError("x"), Exit.UNDECIDED),
    ],
)
def test_every_kind_of_trouble_has_its_code(error: Exception, code: Exit) -> None:
    assert exit_of(error) is code


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Exit)


def test_a_caller_may_have_codes_of_its_own() -> None:
    assert parse_exit_map("not_ready=99,undecided=1") == {1: 99, 3: 1}
    assert parse_exit_map("") == {}


@pytest.mark.parametrize(
    "text", ["notready=9", "not_ready", "not_ready=", "not_ready=256", "not_ready=-1", "not_ready=x"]
)
def test_a_map_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"exit code"):
        parse_exit_map(text)


@given(st.sampled_from([code for code in Exit if code is not Exit.DONE]))
def test_nothing_can_be_made_to_look_like_ready(code: Exit) -> None:
    with pytest.raises(ValueError, match="READY"):
        parse_exit_map(f"{code.name.lower()}=0")
