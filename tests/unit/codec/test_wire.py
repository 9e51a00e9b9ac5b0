from __future__ import annotations

import os
import subprocess
import sys
from datetime import time, timedelta, timezone

import pytest
from msgspec.structs import replace
from tests.unit.core.cases import FORCED, SPECS
from tests.unit.core.histories import Play
from tests.unit.core.states import STATES, running

from interlock.codec import wire
from interlock.codec.documents import document
from interlock.core.commands import Command
from interlock.core.events import Event
from interlock.core.ids import Slot
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, ExclusionSpec, PipelineSpec, ScheduleSpec, SlaSpec
from interlock.core.runs import Run
from interlock.testing.builders import NOON, a_result, a_slot, a_spec, a_trait

FULL = a_spec(
    a_trait(
        "fresh", ttl=timedelta(seconds=90, milliseconds=5), config=document({"lag": 300, "nested": {"a": [1, None]}})
    ),
    schedules=(ScheduleSpec(timezone="Europe/Berlin", after=time(6)),),
    exclusions=ExclusionSpec(weekdays=(5, 6), dates=(NOON.date(),), calendar="holidays"),
    sla=SlaSpec(
        evaluation=Deadline(span=timedelta(minutes=20)), completion=Deadline(wall=NOON.time().replace(tzinfo=None))
    ),
)


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_every_state_is_read_back(state: str) -> None:
    """BUG-185, BUG-68."""
    run = STATES[state]().run
    assert wire.from_builtins(wire.to_builtins(run), Run) == run
    assert wire.from_json(wire.to_json(run), Run) == run


@pytest.mark.parametrize("seed", range(25))
def test_every_fact_and_every_wish_of_a_history_is_read_back(seed: int) -> None:
    """BUG-185."""
    play = Play(seed).play(30)
    for fact in play.told:
        assert wire.from_json(wire.to_json(fact), Event) == fact  # type: ignore[arg-type]  # a union is no type to mypy
    for wish in play.wishes:
        assert wire.from_builtins(wire.to_builtins(wish), Command) == wish  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("spec", [FULL, *SPECS])
def test_every_spec_is_read_back_and_keeps_its_digest(spec: PipelineSpec) -> None:
    again = wire.from_json(wire.to_json(spec), PipelineSpec)
    assert again == spec
    assert wire.digest(again) == wire.digest(spec)


def test_a_digest_names_the_content() -> None:
    """T-27."""
    assert wire.digest(FULL) == wire.digest(replace(FULL))
    assert wire.digest(FULL) != wire.digest(replace(FULL, tier=1))
    assert len(wire.digest(FULL)) == 32


def test_a_digest_is_the_same_in_every_process() -> None:
    """BUG-168."""
    code = "from tests.unit.codec.test_wire import FULL; from interlock.codec.wire import digest; print(digest(FULL))"
    path = os.pathsep.join(entry or "." for entry in sys.path)
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ, PYTHONHASHSEED=seed, PYTHONPATH=path),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "7")
    }
    assert found == {wire.digest(FULL)}


def test_periods_and_documents_are_plain_json() -> None:
    assert wire.to_json(a_slot()) == b'{"period":"2026-03-07","pipeline":"example","schedule":"daily"}'
    assert wire.to_builtins(a_result(value=document({"lag": 4})))["value"] == {"lag": 4}
    assert type(wire.from_builtins(wire.to_builtins(a_slot()), Slot).period) is Period


def test_instants_keep_their_meaning_whatever_zone_they_were_written_in() -> None:
    """BUG-65."""
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    again = wire.from_json(wire.to_json(a_result(at=berlin)), type(a_result()))
    assert again.observed_at == NOON
    assert again.observed_at.tzinfo is not None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "EXPLODED"},
        {"version": "1"},
        {"updated_at": "yesterday"},
        {"key": {"slot": {"pipeline": "example", "schedule": "daily", "period": "2026-02-30"}, "number": 1}},
        {"job_details": [1]},
        {"job_details": "x"},
        {"key": {"slot": {"pipeline": "example", "schedule": "daily", "period": 7}, "number": 1}},
        {"results": [{"trait": "aa"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_interlock_cannot_have_written_is_refused(change: dict[str, object]) -> None:
    """T-118, BUG-54, BUG-123."""
    data = wire.to_builtins(running().run) | change
    with pytest.raises(ValueError, match=r"[Ee]xpected|[Ii]nvalid|not a period|missing"):
        wire.from_builtins(data, Run)


@pytest.mark.parametrize("text", [b"", b"{", b'{"type": "unheard_of"}', b"[]", b"null"])
def test_text_that_is_no_fact_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.from_json(text, Event)  # type: ignore[arg-type]  # as above


def test_what_has_no_wire_form_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="object"):
        wire.to_builtins(object())


def test_an_override_survives_the_wire() -> None:
    run = replace(running().run, override=FORCED)
    assert wire.from_builtins(wire.to_builtins(run), Run).override == FORCED
