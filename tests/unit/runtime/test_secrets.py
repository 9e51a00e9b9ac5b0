from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakeaws import FakeAws, trouble

from interlock.config.project import SecretSpec
from interlock.errors import SecretError
from interlock.runtime.secrets import LARGEST, REMEMBERED, Secrets
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook-AbCdEf"


def holding(**secret: Any) -> FakeAws:
    """Return an AWS that answers with this secret."""
    return FakeAws(get_secret_value=secret)


def _secrets(spec: SecretSpec, env: Mapping[str, str] | None = None, aws: FakeAws | None = None) -> Secrets:
    return Secrets({"hook": spec}, env or {}, aws or FakeAws(), FakeClock(NOON))


def test_a_secret_of_the_environment_is_read_there() -> None:
    assert _secrets(SecretSpec(env="HOOK"), {"HOOK": "s3"})["hook"] == "s3"


def test_a_variable_that_is_not_set_is_told_by_its_name() -> None:
    with pytest.raises(SecretError, match="the environment variable HOOK is not set") as caught:
        _secrets(SecretSpec(env="HOOK"))["hook"]
    assert not caught.value.retryable


@pytest.mark.parametrize(("content", "value"), [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3\n\n", "s3\n"), (" s3 ", " s3 ")])
def test_a_secret_of_a_file_is_its_content_less_one_newline(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "hook"
    path.write_bytes(content.encode())
    assert _secrets(SecretSpec(file=path))["hook"] == value


def test_a_file_is_read_each_time_so_that_a_new_secret_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    path.write_text("old")
    secrets = _secrets(SecretSpec(file=path))
    assert secrets["hook"] == "old"
    path.write_text("new")
    assert secrets["hook"] == "new"
    assert set(secrets.known()) == {"old", "new"}


def test_a_file_that_is_missing_may_be_there_the_next_time(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="No such file") as caught:
        _secrets(SecretSpec(file=tmp_path / "hook"))["hook"]
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe", "is not text"), (b"x" * (LARGEST + 1), "is longer than"), (b"\n", "is empty")]
)
def test_a_file_that_holds_no_secret_is_refused_without_its_content(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "hook"
    path.write_bytes(content)
    with pytest.raises(SecretError, match=words) as caught:
        _secrets(SecretSpec(file=path))["hook"]
    assert "xxx" not in str(caught.value)


@pytest.mark.timeout(5)
def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    os.mkfifo(path)  # opening one waits for somebody who writes
    for one in (path, tmp_path, Path("/dev/zero")):
        with pytest.raises(SecretError, match="no plain file") as caught:
            _secrets(SecretSpec(file=one))["hook"]
        assert not caught.value.retryable


def test_a_secret_of_aws_is_asked_for_in_the_region_of_its_name() -> None:
    """T-81."""
    aws = holding(SecretString="s3")
    assert _secrets(SecretSpec(aws_secret=ARN), aws=aws)["hook"] == "s3"
    (call,) = aws.asked
    assert (call.service, call.options.region, call.parameters) == ("secretsmanager", "eu-west-1", {"SecretId": ARN})


def test_a_secret_of_aws_is_remembered_for_a_while_and_no_longer() -> None:
    aws, clock = FakeAws(get_secret_value=[{"SecretString": "old"}, {"SecretString": "new"}]), FakeClock(NOON)
    secrets = Secrets({"hook": SecretSpec(aws_secret=ARN)}, {}, aws, clock)
    assert [secrets["hook"], secrets["hook"]] == ["old", "old"]
    clock.advance(REMEMBERED)
    assert secrets["hook"] == "new"
    assert len(aws.asked) == 2


def test_one_field_of_a_secret_that_is_an_object_is_taken() -> None:
    aws = holding(SecretString='{"user": "ann", "token": "s3"}')
    assert _secrets(SecretSpec(aws_secret=ARN, field="token"), aws=aws)["hook"] == "s3"


@pytest.mark.parametrize(
    ("answer", "field", "words"),
    [
        ({"SecretBinary": b"s3"}, "", "is binary"),
        ({"SecretString": "s3"}, "token", "is no JSON object"),
        ({"SecretString": '{"user": "s3"}'}, "token", "has no text under 'token'"),
        ({"SecretString": '["s3"]'}, "token", "has no text under 'token'"),
        ({"SecretString": ""}, "", "is empty"),
    ],
)
def test_what_is_no_such_secret_is_refused_without_showing_it(
    answer: Mapping[str, Any], field: str, words: str
) -> None:
    """T-76."""
    with pytest.raises(SecretError, match=words) as caught:
        _secrets(SecretSpec(aws_secret=ARN, field=field), aws=holding(**answer))["hook"]
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    ("category", "retryable"),
    [("TRANSIENT", True), ("TIMEOUT", True), ("PERMANENT", False)],
)
def test_whether_another_try_can_help_is_as_aws_says(category: str, retryable: bool) -> None:
    aws = FakeAws(get_secret_value=trouble("Throttled", category=category))
    with pytest.raises(SecretError, match="Throttled") as caught:
        _secrets(SecretSpec(aws_secret=ARN), aws=aws)["hook"]
    assert caught.value.retryable is retryable


def test_a_name_that_the_project_does_not_have_is_none() -> None:
    secrets = _secrets(SecretSpec(env="HOOK"), {"HOOK": "s3"})
    assert list(secrets) == ["hook"]
    assert len(secrets) == 1
    with pytest.raises(KeyError):
        secrets["other"]
    assert secrets.known() == ()
