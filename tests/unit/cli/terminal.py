"""The command line in this process, and stores with a known past."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interlock.cli.main import run_cli
from interlock.config.load import load_project
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import assess
from interlock.core.schedules import current_window
from interlock.core.traits import Origin, TraitResult, TraitStatus
from interlock.ports.stores import Evaluation
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel

STORE = Path(".interlock/interlock.db")


class Said(NamedTuple):
    """What a command said, and how it left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Terminal:
    """Types commands in one directory."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def __call__(self, *argv: str) -> Said:
        self._capsys.readouterr()
        code = run_cli(argv)
        return Said(code, *self._capsys.readouterr())

    @property
    def store(self) -> Path:
        return self.root / STORE

    def spec(self, name: str = "orders") -> PipelineSpec:
        return load_project(self.root).pipelines[name].spec

    @contextmanager
    def kept(self) -> Iterator[Repository]:
        """Open the store for writing, to give it a past."""
        with closing(SqliteKernel(self.store)) as kernel:
            yield Repository(kernel)

    def slot(self, at: datetime, name: str = "orders") -> Slot:
        spec = self.spec(name)
        return current_window(spec.name, spec.schedules[0], at).slot

    def judged(self, *results: TraitResult, at: datetime, name: str = "orders", slot: Slot | None = None) -> None:
        """Keep an evaluation."""
        spec = self.spec(name)
        with self.kept() as store:
            evaluation = Evaluation(
                slot=slot or self.slot(at, name),
                spec_digest=store.put_spec(spec),
                started_at=at,
                ended_at=at,
                results=results,
                readiness=assess(spec.traits, spec.rule, results, at),
            )
            told = [EventRecord(kind=EventKind.READINESS_CHECKED, at=at, status=evaluation.readiness.status)]
            store.record_evaluation(evaluation, told)


def now() -> datetime:
    return datetime.now(UTC)


def a_result(
    trait: str = "data-check",
    status: TraitStatus = TraitStatus.PASS,
    *,
    at: datetime,
    lasts: timedelta | None = None,
    reason: str = "",
    origin: Origin = Origin.EVALUATOR,
) -> TraitResult:
    return TraitResult(
        trait=trait,  # type: ignore[arg-type]  # a NewType of str
        status=status,
        observed_at=at,
        answered_at=at,
        expires_at=None if lasts is None else at + lasts,
        reason=reason,
        origin=origin,
    )


def columns(line: str) -> Sequence[str]:
    return [part for part in line.split("  ") if part.strip()]
