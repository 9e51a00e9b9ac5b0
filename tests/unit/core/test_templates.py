from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.templates import (
    CALLBACK,
    NAMES,
    check,
    expand,
    has_placeholder,
    is_reference,
    secrets_in,
    values_for,
)

RUN = RunKey(Slot(PipelineName("daily-sales"), ScheduleName("h14"), Period.parse("2026-03-07T14:00")), 2)
SLOT = values_for(RUN, 3)
VALUES = {**SLOT, CALLBACK: "https://ops.example.com/done"}


def test_every_name_has_a_value_for_every_run() -> None:
    assert SLOT == {
        "attempt": "3",
        "date": "2026-03-07",
        "hour": "14",
        "pipeline": "daily-sales",
        "run_id": "daily-sales:h14:2026-03-07T14:00:2",
        "schedule": "h14",
    }
    assert {*SLOT, CALLBACK} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelling", ["{{%s}}", "{{ %s }}", "${%s}", "${ %s }"])
def test_both_spellings_mean_the_same(name: str, spelling: str) -> None:
    """LAT-20."""
    text = f"a{spelling % name}b"
    check(text, env_allow=())
    assert expand(text, VALUES, {}) == f"a{VALUES[name]}b"


@pytest.mark.parametrize(
    "text", ["$HOME", "$1", "$@", "{x}", "{{}}", "${}", "${1}", "{{a b}}", "$", "{{", "100%", "${x:-y}"]
)
def test_what_is_no_placeholder_stays_as_it_is(text: str) -> None:
    """T-100."""
    check(text, env_allow=())
    assert expand(text, VALUES, {}) == text
    assert not has_placeholder(text)


def test_two_dollars_are_one() -> None:
    """T-100."""
    check("$${date} costs $$5", env_allow=())
    assert expand("$${date} costs $$5", VALUES, {}) == "${date} costs $5"
    assert not has_placeholder("$${date}")


def test_three_dollars_are_one_and_a_placeholder() -> None:
    assert expand("$$${date}", VALUES, {}) == "$2026-03-07"
    assert has_placeholder("$$${date}")


@given(st.text())
def test_a_value_is_never_expanded_again(value: str) -> None:
    assert expand("{{date}}${env:X}", {**VALUES, "date": value}, {"X": value}) == value + value


@pytest.mark.parametrize("value", ["{{run_id}}", "${env:SECRET}", "$$"])
def test_a_placeholder_in_a_value_stays_text(value: str) -> None:
    assert expand("{{schedule}}", {**VALUES, "schedule": value}, {"SECRET": "s"}) == value


@given(st.text(st.sampled_from(list("ab${}:_ env")), max_size=40))
def test_what_passes_the_check_can_be_expanded(text: str) -> None:
    allowed = {"a": "1", "b": "2"}
    try:
        check(text, env_allow=tuple(allowed))
    except ValueError:
        with pytest.raises(ValueError):
            expand(text, VALUES, allowed)
    else:
        expand(text, VALUES, allowed)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("${scheduleID}", "${schedule}"),
        ("${pipelineID}", "${pipeline}"),
        ("${pipeline_id}", "${pipeline}"),
        ("${RUN_ID}", "${run_id}"),
        ("{{runId}}", "{{run_id}}"),
        ("${DATE}", "${date}"),
        ("{{ dat }}", "{{ date }}"),
        ("{{period}}", "{{date}}"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_right_one(wrong: str, right: str) -> None:
    """AWS-40."""
    with pytest.raises(ValueError) as caught:
        check(wrong, env_allow=())
    assert f"did you mean {right}?" in str(caught.value)
    with pytest.raises(ValueError):
        expand(wrong, VALUES, {})


def test_a_name_near_to_none_is_refused_with_all_there_are() -> None:
    with pytest.raises(ValueError, match="there are attempt, callback_url, date, hour, pipeline, run_id, schedule"):
        check("{{zebra}}", env_allow=())


def test_what_looks_like_an_environment_variable_is_refused_with_how_to_write_one() -> None:
    """AWS-16."""
    with pytest.raises(ValueError, match=r"\$\{env:AWS_REGION\}"):
        check("${AWS_REGION}", env_allow=())


def test_only_allowed_variables_are_expanded() -> None:
    """BUG-119, T-73, AWS-16."""
    check("${env:TOKEN}", env_allow=("TOKEN",))
    assert expand("Bearer ${env:TOKEN}", VALUES, {"TOKEN": "t"}) == "Bearer t"
    with pytest.raises(ValueError, match=r"add AWS_SECRET to `env.allow`"):
        check("${env:AWS_SECRET}", env_allow=("TOKEN",))
    with pytest.raises(ValueError, match="did you mean TOKEN"):
        check("${env:TOKENS}", env_allow=("TOKEN",))


def test_an_unset_variable_is_an_error_and_not_an_empty_text() -> None:
    """BUG-119, T-100, AWS-16."""
    with pytest.raises(ValueError, match="not set"):
        expand("${env:TOKEN}", VALUES, {})


def test_the_hour_of_a_whole_day_is_empty() -> None:
    """AWS-40."""
    run = RunKey(Slot(PipelineName("daily-sales"), ScheduleName("daily"), Period.parse("2026-03-07")))
    assert expand("[{{hour}}]", values_for(run, 1), {}) == "[]"


def test_a_secret_is_put_in_by_its_name() -> None:
    check("Bearer ${secret:hook-key}", env_allow=(), secrets=("hook-key",))
    assert expand("Bearer ${ secret:hook-key }", VALUES, {}, {"hook-key": "s3"}) == "Bearer s3"
    assert has_placeholder("${secret:hook-key}")


@pytest.mark.parametrize(
    ("known", "hint"), [(("hook-key",), "did you mean hook-key?"), ((), "say under `secrets` in the project file")]
)
def test_a_secret_that_the_project_does_not_name_is_refused(known: tuple[str, ...], hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        check("${secret:hook-kei}", env_allow=(), secrets=known)
    assert hint in str(caught.value)
    with pytest.raises(ValueError):
        expand("${secret:hook-kei}", VALUES, {}, dict.fromkeys(known, "s3"))


def test_a_secret_with_a_placeholder_in_it_stays_as_it_is() -> None:
    assert expand("${secret:a}", VALUES, {"X": "x"}, {"a": "${env:X}{{date}}"}) == "${env:X}{{date}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${env:X}", True), ("Bearer ${secret:x}", True), ("$${env:X}", False), ("{{date}}", False), ("hunter2", False)],
)
def test_a_reference_is_one_to_a_secret_or_to_the_environment(text: str, expected: bool) -> None:
    assert is_reference(text) is expected


def test_the_secrets_of_a_text_are_named_known_or_not() -> None:
    assert secrets_in("${secret:a} ${env:B} {{date}} $${secret:c} ${secret:d.e}${secret:a}") == ("a", "d.e", "a")
    assert secrets_in("none") == ()


def test_a_name_that_stands_for_nothing_here_is_refused() -> None:
    with pytest.raises(ValueError, match="callback_url stands for nothing here"):
        check("{{callback_url}}", env_allow=(), without=(CALLBACK,))
    with pytest.raises(KeyError):
        expand("{{callback_url}}", SLOT, {})
