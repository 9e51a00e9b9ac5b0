"""`interlock schedule preview`, at noon of 2026-03-07 in UTC."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.cli.terminal import Terminal

SCHEDULES = """\
owner: data-platform
schedules:
  - name: morning
    after: "06:00"
    deadline: "09:00"
    closeAt: "12:00"
    timezone: America/New_York
  - name: quarters
    every: 15m
    deadline: +10m
exclusions: {days: [Sunday]}
sla: {atRiskLeadTime: 5m, expectedDuration: 30m}
"""


@pytest.fixture
def busy(terminal: Terminal) -> Terminal:
    """A terminal in a project whose pipeline has two schedules."""
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(SCHEDULES)
    return terminal


def _slots(terminal: Terminal, *options: str) -> list[tuple[str, str]]:
    items = terminal("schedule", "preview", "orders", "--json", *options).document["items"]
    return [(item["scheduleId"], slot["date"]) for item in items for slot in item["slots"]]


def test_the_next_slots_are_shown_in_local_time_and_in_utc(busy: Terminal) -> None:
    said = busy("schedule", "preview", "orders", "--next", "1")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "orders morning  America/New_York"
    assert lines[1].split() == ["SLOT", "OPENS", "AT", "RISK", "EVALUATE", "BY", "COMPLETE", "BY", "CLOSES"]
    assert lines[2].startswith(
        "2026-03-08  local  2026-03-08 06:00-04:00  08:30-04:00  09:00-04:00  09:00-04:00  12:00-04:00  nothing starts: "
    )
    assert lines[3].split() == ["UTC", "2026-03-08", "10:00Z", "12:30Z", "13:00Z", "13:00Z", "16:00Z"]
    assert lines[5] == "orders quarters  UTC"
    assert lines[7].startswith("2026-03-07T12:00  local  2026-03-07 12:00+00:00  12:05+00:00  12:10+00:00")


def test_a_slot_that_opens_right_now_is_among_the_next(busy: Terminal) -> None:
    assert _slots(busy, "--next", "2")[2:] == [("quarters", "2026-03-07T12:00"), ("quarters", "2026-03-07T12:15")]


def test_json_says_all_instants_and_why_nothing_starts(busy: Terminal) -> None:
    document = busy("schedule", "preview", "orders", "--next", "1", "--json").document
    assert (document["kind"], document["items"][0]["timezone"]) == ("SchedulePreviewList", "America/New_York")
    slot: dict[str, Any] = document["items"][0]["slots"][0]
    assert slot["opensAt"] == {"local": "2026-03-08T06:00-04:00", "utc": "2026-03-08T10:00:00Z"}
    assert slot["evaluationAtRiskAt"]["utc"] == "2026-03-08T12:55:00Z"
    assert slot["completionAtRiskAt"]["utc"] == "2026-03-08T12:30:00Z"
    assert slot["closesBecause"] == "the schedule's closeAt"
    assert slot["excluded"] == "2026-03-08 is a Sunday, which is excluded"


def test_days_shows_all_slots_of_a_stretch(busy: Terminal) -> None:
    found = _slots(busy, "--days", "2")
    assert [date for name, date in found if name == "morning"] == ["2026-03-08", "2026-03-09"]
    assert sum(name == "quarters" for name, _ in found) == 2 * 96 + 1
    assert len(_slots(busy, "--days", "2", "--next", "3")) == 5


def test_from_begins_with_a_day_in_each_schedules_zone(busy: Terminal) -> None:
    """T-32."""
    assert _slots(busy, "--from", "2026-12-24", "--next", "1") == [
        ("morning", "2026-12-24"),
        ("quarters", "2026-12-24T00:00"),
    ]


def test_around_dst_shows_both_sides_of_the_next_two_changes(busy: Terminal) -> None:
    """T-49."""
    said = busy("schedule", "preview", "orders", "--around-dst", "--next", "1", "--json")
    first, second = said.document["items"]
    assert [first["change"]["before"], first["change"]["after"]] == ["2026-03-08T02:00-05:00", "2026-03-08T03:00-04:00"]
    assert [second["change"]["before"], second["change"]["after"]] == [
        "2026-11-01T02:00-04:00",
        "2026-11-01T01:00-05:00",
    ]
    assert [slot["date"] for slot in first["slots"]] == ["2026-03-07", "2026-03-08"]
    assert [slot["opensAt"]["local"] for slot in second["slots"]] == [
        "2026-10-31T06:00-04:00",
        "2026-11-01T06:00-05:00",
    ]
    assert "orders quarters: the clocks of UTC are not changed" in said.err


def test_around_dst_says_in_words_what_the_clocks_do(busy: Terminal) -> None:
    said = busy("schedule", "preview", "orders", "--around-dst")
    assert "clocks change at 2026-03-08T02:00-05:00: they then show 2026-03-08T03:00-04:00" in said.out
    assert said.out.count("  local  ") == 2 * 6


def test_without_a_name_every_pipeline_is_shown(terminal: Terminal) -> None:
    said = terminal("schedule", "preview", "--next", "1")
    assert said.out.startswith("orders daily  UTC\n")
    assert said.code == 0


def test_a_broken_file_is_told_and_hides_no_other(terminal: Terminal) -> None:
    """T-118."""
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\nx: 1\n")
    said = terminal("schedule", "preview", "--next", "1")
    assert said.out.startswith("orders daily")
    assert "these cannot be used: sales" in said.err


def test_a_preview_opens_no_store(terminal: Terminal) -> None:
    terminal("schedule", "preview")
    assert not terminal.store.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--around-dst", "--days", "3"), "give one of them"),
        (("--from", "0001-01-01"), "the year 1 is out of range"),
        (("--from", "tomorrow"), "does not match the format"),
        (("--next", "0"), "is not in the range"),
        (("--days", "99999"), "is not in the range"),
    ],
)
def test_options_that_make_no_sense_are_refused(terminal: Terminal, options: tuple[str, ...], words: str) -> None:
    said = terminal("schedule", "preview", *options)
    assert said.code == 2
    assert words in said.err


def test_no_more_than_a_thousand_slots_are_shown(busy: Terminal) -> None:
    said = busy("schedule", "preview", "orders", "--days", "30", "--json")
    assert len(said.document["items"][1]["slots"]) == 1000
    assert "no more than 1000 slots" in said.err


def test_a_pipeline_that_does_not_exist_is_not_found(terminal: Terminal) -> None:
    said = terminal("schedule", "preview", "order")
    assert said.code == 8
    assert "did you mean orders?" in said.err


def test_a_stretch_without_slots_says_so(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write('schedules: [{name: leap, cron: "0 6 29 2 *"}]\n')
    assert terminal("schedule", "preview", "--days", "30").out.splitlines()[1] == "no slots"
    assert "2028-02-29" in terminal("schedule", "preview").out
