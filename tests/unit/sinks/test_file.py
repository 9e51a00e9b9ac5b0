from __future__ import annotations

import fcntl
import io
import json
import multiprocessing
import os
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from interlock.errors import SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.file import FileConfig, FileSink
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_event

SOON = timedelta(seconds=5)


def sink(root: Path, path: str = "alerts.jsonl") -> FileSink:
    return FileSink(FileConfig(path=path), SinkContext(stream=io.StringIO(), root=root))


def deliver_many(root: str, name: str) -> None:
    made = sink(Path(root))
    for number in range(50):
        made.deliver(a_notice(f"{name}-{number}", name * 2000), timeout=SOON)


def test_a_line_has_all_that_is_known(tmp_path: Path) -> None:
    sink(tmp_path).deliver(a_notice(), timeout=SOON)
    assert json.loads((tmp_path / "alerts.jsonl").read_text()) == {
        "level": "error",
        "alertType": "run_failed",
        "alertId": "a-1",
        "pipelineId": "daily-sales",
        "scheduleId": "daily",
        "date": "2026-03-07",
        "runId": "daily-sales:daily:2026-03-07:1",
        "message": "the job failed",
        "details": {"attempts": 3},
        "timestamp": "2026-03-07T12:00:00Z",
        "dedupKey": "a-1",
        "notice": "opened",
        "noticeId": "a-1#1",
        "noticedAt": "2026-03-07T12:00:00Z",
    }


def test_a_line_is_on_disk_before_the_delivery_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3."""
    durable: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _file: durable.append((tmp_path / "alerts.jsonl").read_text()))
    sink(tmp_path).deliver(a_notice(), timeout=SOON)
    assert durable == [(tmp_path / "alerts.jsonl").read_text()]
    assert durable[0].endswith("\n")


def test_each_telling_of_an_alert_is_a_line(tmp_path: Path) -> None:
    made = sink(tmp_path)
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_resolved_notice(), timeout=SOON)
    lines = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [(line["alertId"], line["notice"]) for line in lines] == [("a-1", "opened"), ("a-1", "resolved")]


def test_the_news_that_a_run_has_ended_is_a_line_too(tmp_path: Path) -> None:
    sink(tmp_path).publish(an_event(), timeout=SOON)
    (line,) = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["eventType"] == "PIPELINE_COMPLETED"


def test_news_that_cannot_be_written_are_said_to_be_lost(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="the event could not be written"):
        sink(tmp_path, "missing/events.jsonl").publish(an_event(), timeout=SOON)


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "alerts.jsonl").write_text("{}\n")
    sink(tmp_path).deliver(a_notice(), timeout=SOON)
    assert len((tmp_path / "alerts.jsonl").read_text().splitlines()) == 2


def test_a_line_cut_short_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "alerts.jsonl").write_text('{"half')
    sink(tmp_path).deliver(a_notice(), timeout=SOON)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert lines[0] == '{"half'
    assert json.loads(lines[1])["alertId"] == "a-1"


def test_two_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=deliver_many, args=(str(tmp_path), name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["alertId"] for line in lines) == sorted(
        f"{name}-{number}" for name in "ab" for number in range(50)
    )


def test_a_file_held_by_somebody_who_hangs_is_given_up_in_time(tmp_path: Path) -> None:
    made = sink(tmp_path)
    with (tmp_path / "alerts.jsonl").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SinkError, match="held"):
            made.deliver(a_notice(), timeout=timedelta(seconds=0.05))
    made.deliver(a_notice(), timeout=SOON)
    assert len((tmp_path / "alerts.jsonl").read_text().splitlines()) == 1


def test_a_file_that_was_rotated_away_is_made_anew(tmp_path: Path) -> None:
    made = sink(tmp_path)
    made.deliver(a_notice(), timeout=SOON)
    (tmp_path / "alerts.jsonl").rename(tmp_path / "alerts.1")
    made.deliver(a_notice("a-2"), timeout=SOON)
    assert "a-2" in (tmp_path / "alerts.jsonl").read_text()


@pytest.mark.parametrize("path", ["missing/alerts.jsonl", ".", "a\0b"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(SinkError, match=re.escape(str(tmp_path))):
        sink(tmp_path, path).deliver(a_notice(), timeout=SOON)


def test_a_path_is_needed() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": ""}, FileConfig)
