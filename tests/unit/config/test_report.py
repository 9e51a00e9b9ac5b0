from __future__ import annotations

import json

import pytest

from interlock.config.report import FORMS, render
from interlock.errors import Problem

PROBLEMS = (
    Problem("pipelines/a,b:c.yaml", 3, 5, "unknown key 'x%y'", "did you mean 'z'?", "unknown-key"),
    Problem("pipelines/two words.yaml", 0, 0, "is empty\nreally", "", "file"),
)


def test_text_is_one_line_for_each_problem_and_a_sum() -> None:
    assert render(PROBLEMS, "text") == (
        "pipelines/a,b:c.yaml:3:5: unknown key 'x%y' (did you mean 'z'?)\n"
        "pipelines/two words.yaml: is empty\\nreally\n"
        "2 problems in 2 files\n"
    )


def test_github_annotations_cannot_be_broken_by_what_a_file_holds() -> None:
    assert render(PROBLEMS, "github") == (
        "::error file=pipelines/a%2Cb%3Ac.yaml,line=3,col=5,title=unknown-key::unknown key 'x%25y' (did you mean 'z'?)\n"
        "::error file=pipelines/two words.yaml,title=file::is empty%0Areally\n"
    )


def test_json_carries_every_field() -> None:
    said = json.loads(render(PROBLEMS, "json"))
    assert said["ok"] is False
    assert said["problems"] == [problem._asdict() for problem in PROBLEMS]


def test_sarif_names_its_rules_and_places() -> None:
    said = json.loads(render(PROBLEMS, "sarif"))
    assert said["version"] == "2.1.0"
    (run,) = said["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [(r["ruleId"], rules[r["ruleIndex"]]) for r in run["results"]] == [
        ("unknown-key", "unknown-key"),
        ("file", "file"),
    ]
    first, second = (result["locations"][0]["physicalLocation"] for result in run["results"])
    assert first["region"] == {"startLine": 3, "startColumn": 5}
    assert second == {"artifactLocation": {"uri": "pipelines/two%20words.yaml"}}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_wrong_is_a_report_too(form: str) -> None:
    if form == "json":
        assert json.loads(render((), form)) == {"ok": True, "problems": []}
    if form == "sarif":
        assert json.loads(render((), form))["runs"][0]["results"] == []
    if form in ("text", "github"):
        assert render((), form) == ""


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="text, github, json, sarif"):
        render(PROBLEMS, "xml")
