"""Problems for people, for GitHub, for programs and for code scanning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from interlock.errors import Problem
from interlock.version import __version__

RULES: Final = {
    "blocked": "What it refers to has problems of its own.",
    "circle": "Things refer to each other in a circle.",
    "config": "The configuration cannot be used.",
    "conflict": "Two keys exclude each other.",
    "duplicate-name": "Two things have one name.",
    "evaluator": "An evaluator is missing or cannot be run.",
    "file": "A file or directory cannot be read.",
    "missing-key": "A required key is missing.",
    "name": "A name has the wrong form.",
    "plugin": "No such kind of trigger, evaluator, sink or store.",
    "range": "A number or a duration is out of range.",
    "template": "A placeholder stands for nothing.",
    "type": "A value is of the wrong kind.",
    "unknown-key": "A key is not known.",
    "unknown-name": "A name refers to nothing.",
    "value": "A value cannot be used.",
    "yaml": "The file is not valid YAML.",
}


def render(problems: Sequence[Problem], form: str) -> str:
    """Write problems down in one of `FORMS`; the text ends with a line break unless it is empty.

    Raises:
        ValueError: there is no such form.
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise ValueError(f"no report is written as {form!r}: there are {', '.join(FORMS)}")
    return writer(problems)


def _text(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    files = len(Counter(problem.file for problem in problems))
    summary = f"{_count(len(problems), 'problem')} in {_count(files, 'file')}"
    return "".join(f"{_one_line(str(problem))}\n" for problem in problems) + f"{summary}\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _one_line(text: str) -> str:
    # A value out of a file is shown with repr, but a plugin's own words may hold anything.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _github(problems: Sequence[Problem]) -> str:
    lines = []
    for problem in problems:
        place = f"file={_property(problem.file)}"
        if problem.line:
            place += f",line={problem.line},col={problem.column}"
        lines.append(f"::error {place},title={_property(problem.rule)}::{_data(_said(problem))}\n")
    return "".join(lines)


def _said(problem: Problem) -> str:
    return problem.message + (f" ({problem.hint})" if problem.hint else "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _json(problems: Sequence[Problem]) -> str:
    listed = [problem._asdict() for problem in problems]
    return _pretty({"ok": not problems, "problems": listed})


def _sarif(problems: Sequence[Problem]) -> str:
    used = sorted({problem.rule for problem in problems})
    driver = {
        "name": "interlock",
        "semanticVersion": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": RULES.get(rule, rule)}} for rule in used],
    }
    results = [_result(problem, used.index(problem.rule)) for problem in problems]
    return _pretty(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
        }
    )


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    from urllib.parse import quote

    place: dict[str, Any] = {"artifactLocation": {"uri": quote(problem.file)}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column}
    return {
        "ruleId": problem.rule,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": _said(problem)},
        "locations": [{"physicalLocation": place}],
    }


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


_WRITERS: Final[dict[str, Callable[[Sequence[Problem]], str]]] = {
    "text": _text,
    "github": _github,
    "json": _json,
    "sarif": _sarif,
}
FORMS: Final = tuple(_WRITERS)
