"""What can be seen to be wrong with a trigger of another system before it is asked to start anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline

GLUE = "type: glue, jobName: sales"
AIRFLOW = "type: airflow, dagID: sales"
ROLE = "arn:aws:iam::123456789012:role/interlock"


def told(root: Path, trigger: str) -> list[str]:
    write_pipeline(root, "triggered", f"trigger: {{{trigger}}}\n")
    return [str(problem) for problem in problems_of(root)]


def let_in(root: Path, name: str) -> None:
    path = root / "interlock.yaml"
    path.write_text(path.read_text().replace("allow: [API_TOKEN]", f"allow: [API_TOKEN, {name}]"))


@pytest.mark.parametrize(
    ("trigger", "key", "expected"),
    [
        (f"{AIRFLOW}, url: airflow.example.com", "url", "an address such as https://host/path"),
        (f"{AIRFLOW}, url: 'ftp://airflow.example.com'", "url", "an address such as https://host/path"),
        ("type: http, url: 'https://'", "url", "an address such as https://host/path"),
        ("type: http, url: 'https://a.example.org', statusUrl: /jobs", "statusUrl", "an address such as"),
        ("type: http, url: 'https://a.example.org', cancelUrl: /jobs", "cancelUrl", "an address such as"),
        (f"{GLUE}, endpoint: 'localhost:4566'", "endpoint", "an address such as https://host/path"),
        (f"{GLUE}, region: EU Central", "region", "a region such as eu-central-1"),
        (f"{GLUE}, assumeRole: my-role", "assumeRole", "the ARN of a role"),
    ],
)
def test_what_cannot_be_reached_is_told_with_its_place(tmp_path: Path, trigger: str, key: str, expected: str) -> None:
    (problem,) = told(small_project(tmp_path), trigger)
    assert f"trigger: {key} is the text" in problem
    assert f"expected {expected}" in problem


@pytest.mark.parametrize(
    "trigger",
    [
        f"{AIRFLOW}, url: 'https://{{{{pipeline}}}}.example.com/'",
        f"{AIRFLOW}, url: '${{env:PLACE}}'",
        "type: http, url: 'http://[::1]:8080/x', statusUrl: '${env:PLACE}/jobs/{id}'",
        f"{GLUE}, region: '${{env:PLACE}}', endpoint: '${{env:PLACE}}', assumeRole: 'arn:aws:iam::${{env:PLACE}}:role/x'",
        f"{GLUE}, region: us-gov-west-1, endpoint: 'http://127.0.0.1:4566', assumeRole: '{ROLE}'",
        f"{GLUE}, region: '', endpoint: '', assumeRole: ''",
    ],
)
def test_what_may_be_reached_is_let_through(tmp_path: Path, trigger: str) -> None:
    root = small_project(tmp_path)
    let_in(root, "PLACE")
    write_pipeline(root, "triggered", f"trigger: {{{trigger}}}\n")
    assert "triggered" in loaded(root).pipelines


def test_a_placeholder_where_no_text_can_stand_is_told_as_such(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    let_in(root, "N")
    (problem,) = told(root, f"{GLUE}, numberOfWorkers: '${{env:N}}'")
    assert "expected a whole number (placeholders stand in texts only)" in problem


def test_a_secret_that_is_written_out_is_told_besides_what_is_wrong_with_the_rest(tmp_path: Path) -> None:
    place = "workspaceUrl: 'adb-1.azuredatabricks.net'"
    found = told(small_project(tmp_path), f"type: databricks, {place}, jobId: 1, token: dapi123")
    assert any("workspaceUrl" in problem for problem in found)
    assert any("a secret is written out under token" in problem for problem in found)
    assert not any("dapi123" in problem for problem in found)
