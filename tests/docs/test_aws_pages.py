"""The pages about AWS say what the code, the state machine and the module say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.samples import ROOT, Block, samples

from interlock.aws import asl, markers, onward, patience, scheduling, state, turning
from interlock.aws.functions import FUNCTIONS, REQUIRED, Function
from interlock.aws.ingress import said_by
from interlock.aws.naming import execution_name
from interlock.aws.records import Record
from interlock.cli.main import VERBS
from interlock.config.bundle import LONGEST_CHECK, LONGEST_START
from interlock.core.runs import RunStatus
from interlock.server.doorway import SAFE
from interlock.server.kinds import kinds
from interlock.stores.dynamodb.table import SHARDS
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, Files, a_hand, a_key, a_spec

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference/aws.md"
CAPACITY = DOCS / "explanation/aws-capacity.md"
PAGES = (
    REFERENCE,
    CAPACITY,
    DOCS / "explanation/aws.md",
    DOCS / "how-to/deploy-on-aws.md",
    DOCS / "how-to/operate-on-aws.md",
    DOCS / "tutorial/on-aws.md",
)
COMMON = {"TABLE_NAME", "ALERT_TOPIC_ARN", "LIFECYCLE_TOPIC_ARN"}


def _lines(page: Path, heading: str) -> dict[str, list[str]]:
    """Return the table under a heading: the cells of each line, by what stands first."""
    part = re.split(rf"^##+ {heading}$", page.read_text(), flags=re.MULTILINE)[1]
    part = re.split(r"^##+ ", part, flags=re.MULTILINE)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.+\|$", part, re.MULTILINE)
    ]
    return {name: row[1:] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_function_is_described_as_it_is(function: Function) -> None:
    _, timeout, memory, variables, _ = _lines(REFERENCE, "Functions")[function.name]
    assert (timeout, memory) == (f"{function.timeout} s", f"{function.memory} MB")
    assert {*COMMON, *re.findall(r"`(\w+)`", variables)} == set(function.environment)


def test_no_function_is_described_that_there_is_not() -> None:
    assert set(_lines(REFERENCE, "Functions")) == {function.name for function in FUNCTIONS}


def test_every_variable_has_its_line_and_says_whether_it_is_needed() -> None:
    lines = _lines(REFERENCE, "Variables")
    assert set(lines) == {name for function in FUNCTIONS for name in function.environment}
    assert {name for name, cells in lines.items() if cells[0]} == set(REQUIRED)


def test_every_state_has_its_line_and_says_what_follows_it() -> None:
    states = asl.state_machine()["States"]
    lines = _lines(REFERENCE, "States")
    assert list(lines) == list(states)
    for name, found in states.items():
        following = {found["Next"]} if "Next" in found else set()
        following |= {catch["Next"] for catch in found.get("Catch", ())}
        if lines[name][0] == "waits":
            following -= {"Stumbled"}  # the page says so of all of them
        if name != "Route":
            assert set(re.findall(r"`(\w+)`", lines[name][1])) == following, name


def test_the_explanation_names_every_state_of_an_execution_and_every_status_of_a_run() -> None:
    text = (DOCS / "explanation/aws.md").read_text()
    assert [name for name in asl.state_machine()["States"] if f"`{name}`" not in text] == []
    said = {*re.findall(r"\b[A-Z_]{7,}\b", text), *re.findall(r"`(Completed|RunFailed)`", text)}
    assert {status.value for status in RunStatus} - {"COMPLETED", "FAILED"} <= said


def test_every_request_that_changes_something_has_its_line() -> None:
    acting = {kind.__name__ for kind in kinds() if kind.endpoint.method not in SAFE}
    assert set(_lines(REFERENCE, "Requests")) == acting


def test_every_metric_that_functions_count_has_its_line() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src/interlock/aws").glob("*.py"))
    counted = set(re.findall(r'"((?:Runs|Watchdog|Scheduler)[A-Z]\w+)"', sources))
    assert len(counted) > 5
    assert set(_lines(REFERENCE, "Metrics")) == counted


def _documents() -> Iterator[tuple[Path, object]]:
    for page in PAGES:
        for block in samples(page.read_text()):
            if isinstance(block, Block) and block.language == "json":
                yield page, json.loads(block.text)


def test_every_message_that_is_shown_is_a_request() -> None:
    shown = [found for _, found in _documents() if isinstance(found, dict) and "request" in found]
    assert [type(said_by(found).request).__name__ for found in shown] == [found["request"] for found in shown]
    assert {"PutSensor", "SendMarker", "CompleteRun", "CancelRun"} <= {found["request"] for found in shown}


def test_every_marker_that_is_shown_is_understood() -> None:
    shown = [found for _, found in _documents() if isinstance(found, dict) and "PK" in found]
    assert len(shown) == 2
    hands = a_hand(Repository(MemoryKernel()), catalog=Files(a_spec(name="daily-sales")))
    for item in shown:
        record = Record("INSERT", item["PK"]["S"], item["SK"]["S"], item, NOON.timestamp())
        found = markers.marker_of(record, hands)
        assert (found.slot.pipeline, found.slot.schedule) == ("daily-sales", "daily")
        assert found.source.startswith("s3://")


def test_the_limits_are_those_of_the_code() -> None:
    text = REFERENCE.read_text()
    assert f"{state.ROOM:,} bytes" in text
    assert f"after about {onward.RENEWED:,} a fresh one goes on; AWS allows {onward.QUOTA:,}" in text
    assert f"{asl.AT_ONCE} at once" in text
    assert f"| waits {asl.STUMBLED} seconds |" in text
    assert f"| {scheduling.PARTS}; the rest" in text
    assert (patience.AGAIN.total_seconds(), patience.LONGEST.total_seconds()) == (6 * 3600, 300)
    assert (scheduling.AGAIN.total_seconds(), scheduling.BEATS.total_seconds()) == (15 * 60, 5 * 60)
    assert (scheduling.LEFT.total_seconds(), turning.STUMBLES, markers.OLDEST.days) == (120, 10, 7)
    assert (patience.JOB_SHARE, patience.ROUND_SHARE) == (1 / 20, 1 / 10)
    assert LONGEST_CHECK.total_seconds() == LONGEST_START.total_seconds() == 14.5 * 60


def test_the_parts_of_an_executions_name_are_as_long_as_is_said() -> None:
    name = execution_name(a_key("2026-11-01T01:00", pipeline="x" * 99))
    assert re.fullmatch(r"x{36}-\d{12}-[0-9a-f]{12}", name)
    assert "36 characters of the pipeline's name, 12 digits of the period, 12 of the SHA-256" in REFERENCE.read_text()


def test_the_arithmetic_goes_by_the_shards_of_the_code() -> None:
    assert f"in {SHARDS} parts" in CAPACITY.read_text()


def _module() -> tuple[set[str], set[str]]:
    text = "\n".join(path.read_text() for path in sorted((ROOT / "deploy/terraform").glob("*.tf")))
    return tuple(set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE)) for kind in ("variable", "output"))  # type: ignore[return-value]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_given_to_the_module_it_takes_and_what_is_taken_it_gives(page: Path) -> None:
    variables, outputs = _module()
    text = page.read_text()
    given = [
        name
        for block in re.findall(r'^module "\w+" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
        for name in re.findall(r"^  (\w+) +=", block, re.MULTILINE)
    ]
    assert set(given) <= {*variables, "source"}
    assert set(re.findall(r"module\.\w+\.(\w+)", text)) <= outputs
    assert set(re.findall(r"terraform output -raw (\w+)", text)) <= outputs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_cannot_be_run_here_are_ours_all_the_same(page: Path) -> None:
    shown = re.findall(r"^interlock (\w[\w-]*)", page.read_text(), re.MULTILINE)
    assert [verb for verb in shown if verb not in VERBS] == []


def test_every_alarm_of_the_module_is_in_the_manual_of_operation() -> None:
    text = (DOCS / "how-to/operate-on-aws.md").read_text()
    alarms = (ROOT / "deploy/terraform/alarms.tf").read_text()
    kinds_of = {*re.findall(r"\"\$\{name\}-([a-z-]+)\" =", alarms), "silent", "table-throttles", "table-errors"}
    kinds_of |= set(re.findall(r"^    (Execution\w+) +=", alarms, re.MULTILINE))
    assert [kind for kind in sorted(kinds_of) if kind not in text] == []
