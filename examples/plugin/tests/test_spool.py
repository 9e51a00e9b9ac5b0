"""Jobs are handed over as files, to a worker that lives in the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from interlock.errors import TriggerError
from interlock.ports.triggers import JobState
from interlock.testing.conformance.contexts import a_trigger_context
from interlock.testing.conformance.triggers import TIMEOUT, Kind, TriggerContract, a_job
from interlock_example_plugin.spool import SpoolConfig, SpoolTrigger


class Worker:
    """The other system: it does what the payload says, and writes each result in one step."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.begun: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(0.005):
            for job in self.place.glob("*.job"):
                self.begun.add(job.stem)
                self._do(job, json.loads(job.read_bytes())["payload"]["do"])

    def _do(self, job: Path, what: str) -> None:
        result = job.with_suffix(".result")
        if result.exists():
            return
        if job.with_suffix(".cancel").exists():
            _say(result, "failed", "stopped on request")
        elif what != Kind.LINGERS.name:
            _say(result, "succeeded" if what == Kind.SUCCEEDS.name else "failed", "no disk left")


def _say(result: Path, status: str, reason: str) -> None:
    waiting = result.with_suffix(".waiting")
    waiting.write_text(json.dumps({"status": status, "reason": reason}))
    waiting.rename(result)


class Bench:
    can_find = True
    can_cancel = True

    def __init__(self, root: Path, worker: Worker) -> None:
        self._root = root
        self._worker = worker

    def trigger(self, kind: Kind) -> SpoolTrigger:
        return SpoolTrigger(SpoolConfig(directory="spool", payload={"do": kind.name}), a_trigger_context(self._root))

    def starts(self) -> int:
        return len(self._worker.begun)


class TestSpool(TriggerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        (tmp_path / "spool").mkdir()
        with Worker(tmp_path / "spool") as worker:
            yield Bench(tmp_path, worker)


def a_trigger(root: Path) -> SpoolTrigger:
    return SpoolTrigger(SpoolConfig(directory="spool", payload={"day": "2026-03-07"}), a_trigger_context(root))


def test_what_is_handed_over_says_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    handle = a_trigger(tmp_path).start(a_job(), timeout=TIMEOUT)
    (job,) = (tmp_path / "spool").iterdir()
    assert job.name == f"{handle.id}.job"
    assert json.loads(job.read_text()) == {
        "pipeline": "daily-sales",
        "date": "2026-03-07",
        "run": "daily-sales:daily:2026-03-07:1",
        "attempt": 1,
        "payload": {"day": "2026-03-07"},
    }


def test_a_directory_that_is_not_there_is_a_start_that_did_not_happen(tmp_path: Path) -> None:
    with pytest.raises(TriggerError) as caught:
        a_trigger(tmp_path).start(a_job(), timeout=TIMEOUT)
    assert caught.value.started is False


@pytest.mark.parametrize("text", ["", "{", '{"status": "done"}', "[]"])
def test_a_result_that_makes_no_sense_is_no_end(tmp_path: Path, text: str) -> None:
    """Nobody is told of a success that nobody has seen."""
    (tmp_path / "spool").mkdir()
    trigger = a_trigger(tmp_path)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    (tmp_path / "spool" / f"{handle.id}.result").write_text(text)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.UNSEEN


def test_a_job_that_somebody_took_away_has_vanished(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    trigger = a_trigger(tmp_path)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    (tmp_path / "spool" / f"{handle.id}.job").unlink()
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.VANISHED
