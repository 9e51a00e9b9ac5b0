"""Intrinsic functions."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Any

import pytest

from interlock.testing.asl.failures import StateFailed, Unsupported
from interlock.testing.asl.intrinsics import compile_call, paths_in
from interlock.testing.asl.paths import Scope

DATA = {"n": 7, "s": "it's", "o": {"k": [1, None]}, "a": [1, 2], "t": "{} of {}", "j": '{"x": 1}', "a b": "spaced"}


def value_of(text: str, *, seed: int = 0) -> Any:
    return compile_call(text)(Scope(DATA, {"Task": {"Token": "tok"}}, Random(seed)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('{}-{}', $.s, $.n)", "it's-7"),
        ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
        ("States.Format($.t, 1, 2)", "1 of 2"),
        ("States.Format('{}', $.o)", '{"k":[1,null]}'),
        ("States.Format('{}', $$.Task.Token)", "tok"),
        ("States.Format('{}', $['a b'])", "spaced"),
        (r"States.Format('\{\"token\": \"{}\"\}', $$.Task.Token)", '{"token": "tok"}'),
        (r"States.Format('it\'s \\ {}', 1)", "it's \\ 1"),
        ("States.Format('no holes')", "no holes"),
        ("States.JsonToString($.o)", '{"k":[1,null]}'),
        ("States.StringToJson($.j)", {"x": 1}),
        ("States.Array()", []),
        ("States.Array($.n, 'x', States.Array(1))", [7, "x", [1]]),
        ("States.ArrayLength($.a)", 2),
        ("States.MathAdd($.n, -1)", 6),
        ("States.Hash($.s, 'SHA-256')", sha256(b"it's").hexdigest()),
        ("States.Format('{}', States.MathAdd(1,1))", "2"),
    ],
)
def test_a_function_gives_its_value(text: str, value: Any) -> None:
    assert value_of(text) == value


def test_a_quote_inside_a_value_is_not_escaped_by_format() -> None:
    broken = compile_call(r"States.Format('\{\"t\": \"{}\"\}', $.t)")(Scope({"t": 'a"b'}, {}, Random(0)))
    assert broken == '{"t": "a"b"}'


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{} {}', 1)",
        "States.Format('{}', 1, 2)",
        "States.Format('{', 1)",
        'States.Format(\'{"a": "{}"}\', 1)',
        "States.Format(1)",
        "States.StringToJson('{')",
        "States.StringToJson(1)",
        "States.ArrayLength('x')",
        "States.MathAdd(1, 1.5)",
        "States.MathAdd(true, 1)",
        "States.Hash('x', 'CRC')",
    ],
)
def test_arguments_that_do_not_fit_are_an_error_that_can_be_caught(text: str) -> None:
    with pytest.raises(StateFailed) as caught:
        value_of(text)
    assert caught.value.error == "States.IntrinsicFailure"


@pytest.mark.parametrize(
    "text",
    [
        "States.Nonsense()",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.Array(1 2)",
        "States.Array(1",
        "States.Array() and more",
        "plain",
        "States.Array(1.2.3)",
    ],
)
def test_a_call_that_is_not_known_here_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(Unsupported):
        compile_call(text)


def test_uuids_come_from_the_dice() -> None:
    assert value_of("States.UUID()", seed=1) == value_of("States.UUID()", seed=1) != value_of("States.UUID()", seed=2)


def test_the_paths_of_a_call_can_be_named_without_running_it() -> None:
    paths = paths_in("States.Format('{}{}', $.a.b, States.Array($['c d'], $$.Task.Token))")
    assert [path.text for path in paths] == ["$.a.b", "$['c d']", "$$.Task.Token"]
