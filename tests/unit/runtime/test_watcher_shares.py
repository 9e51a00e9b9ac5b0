"""What is one watcher's of several, what it shows of itself, and how often it tries what cannot be done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.runtime.rig import Rig
from tests.unit.runtime.watched import DAILY, SPEC

from interlock.app.agendas import open_due
from interlock.core.alerts import AlertType
from interlock.core.ids import RunKey
from interlock.core.runs import RunStatus
from interlock.errors import StoreUnavailable
from interlock.ports.members import Member
from interlock.runtime import watcher as watcher_module
from interlock.runtime.leases import LENGTH, WATCHER
from interlock.runtime.watcher import _share
from interlock.stores import keys
from interlock.stores.kernel import Put
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec

ELSEWHERE = Member(
    role=WATCHER,
    name="zz-elsewhere",
    host="elsewhere",
    pid=1,
    started="1",
    joined_at=NOON,
    until=NOON + timedelta(hours=1),
    epoch=1,
)


def test_a_slot_that_was_opened_here_and_is_anothers_is_left_to_the_other() -> None:
    specs = [a_spec(name=f"p-{number:02d}", schedules=(DAILY,)) for number in range(24)]
    rig = Rig(*specs, planned=True)
    assert rig.station.hands.members.put_member(ELSEWHERE)
    rig.turns(5)
    opened = [run for spec in specs if (run := rig.store.latest_run(a_slot(pipeline=spec.name))) is not None]
    mine = {run.key for run in opened if rig.watcher._lease.mine(str(run.key.slot))}
    assert 0 < len(mine) < len(opened) < len(specs)
    assert {run.key for run in opened if run.status is RunStatus.RUNNING} == mine
    assert all(run.results == () for run in opened if run.key not in mine)


def test_all_runs_of_a_slot_are_one_watchers() -> None:
    assert _share(RunKey(a_slot(), 1)) == _share(RunKey(a_slot(), 7)) != _share(RunKey(a_slot("2026-03-08"), 1))


def test_the_lease_shows_when_the_last_whole_turn_began(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(SPEC)
    rig.watcher.turn()
    assert rig.watcher.progress == NOON
    rig.clock.advance(LENGTH)
    with monkeypatch.context() as broken:
        broken.setattr(rig.kernel, "due", _raise)
        rig.watcher.turn()
    (member,) = rig.station.hands.members.members(WATCHER)
    assert (member.progress_at, rig.watcher.progress) == (NOON, NOON)


def _raise(*_: object) -> None:
    raise StoreUnavailable("it is away")


def test_a_watcher_in_trouble_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(SPEC)
    rig.turns()
    assert rig.watcher.idle
    monkeypatch.setattr(rig.kernel, "due", _raise)
    rig.turns()
    assert not rig.watcher.idle


def test_what_cannot_be_done_just_now_is_not_tried_at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(SPEC, planned=True)
    rig.files.specs.clear()
    tries = 0

    def counted(*args: object) -> object:
        nonlocal tries
        tries += 1
        return open_due(*args)  # type: ignore[arg-type]  # whatever the watcher passes on

    monkeypatch.setattr(watcher_module, "open_due", counted)
    rig.turns(10)
    assert tries == 1
    rig.play(10 * SECOND)
    assert tries == 4  # after one second, two and four


def test_that_a_run_is_set_aside_is_said_once() -> None:
    rig = Rig(SPEC)
    key = rig.open(SPEC)
    row = rig.kernel.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
    assert row is not None
    assert rig.kernel.commit(row.pk, [Put(replace(row, version=row.version + 1, body={"odd": True}))])
    rig.play(60 * MINUTE)
    said = [line for line in rig.news if AlertType.RUN_POISONED in line]
    assert len(said) == 1
    assert "failed 3 times in a row" in said[0]
    assert "tried every ten minutes" in said[0]
