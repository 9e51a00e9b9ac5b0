"""A store in which much has happened, and every way to damage it: what is changed, what kind of fault it is, and in which row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache

from msgspec.structs import replace

from interlock.app.arrivals import open_rerun
from interlock.core.expectations import Expectation
from interlock.core.ids import RunKey
from interlock.core.runs import Cause
from interlock.ports.agendas import Agenda
from interlock.ports.members import Member
from interlock.runtime.checking import Checked, Checking
from interlock.stores import keys
from interlock.stores.agendas import AgendaRows
from interlock.stores.headstones import Headstone, written
from interlock.stores.integrity import FaultKind
from interlock.stores.kernel import Kernel, Record
from interlock.stores.members import MemberRows
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.walking import all_rows, walkable
from interlock.testing.builders import MINUTE, NOON, a_key, a_slot
from interlock.testing.fleet.world import Fleet
from interlock.testing.world import SPEC, played

DAY = timedelta(days=1)
PK = keys.slot_pk(a_slot())
PIPELINE = keys.pipeline_pk("example")
ENDED, WAITS = a_key(), RunKey(a_slot(), 2)


@cache
def lived() -> tuple[Record, ...]:
    """Return the rows of a store in which much has happened: one run has ended and the next one waits, beside a whole fleet."""
    kernel = filled([*rows_in(played(3).kernel), *rows_in(Fleet(3).play(300).stage.kernel)])
    store, agendas = Repository(kernel), AgendaRows(kernel)
    digest = store.put_spec(SPEC)
    schedule = a_slot().schedule
    assert agendas.put_agenda(
        Agenda(pipeline=SPEC.name, schedule=schedule, spec_digest=digest, opened_to=NOON, next_at=NOON + DAY)
    )
    assert agendas.put_expectation(
        Expectation(slot=a_slot(), spec_digest=digest, opens_at=NOON, closes_at=NOON + DAY, check_at=NOON + DAY)
    )
    assert MemberRows(kernel).put_member(
        Member(role="watcher", name="w", host="h", pid=1, started="", joined_at=NOON, until=NOON + MINUTE)
    )
    assert open_rerun(a_slot(), SPEC, store, NOON + DAY, cause=Cause.RERUN, note="again").run.key == WAITS
    assert store.outstanding(WAITS)
    return tuple(rows_in(kernel))


def rows_in(kernel: Kernel) -> list[Record]:
    return [row for row in all_rows(walkable(kernel)) if isinstance(row, Record)]


def filled(rows: Sequence[Record]) -> MemoryKernel:
    kernel = MemoryKernel()
    kernel.restore(rows)
    return kernel


def checked(kernel: Kernel, *, live: bool = False) -> Checked:
    return Checking(kernel, walkable(kernel), live=live)()


def without(sk: str, pk: str = PK) -> list[Record]:
    rows = [row for row in lived() if (row.pk, row.sk) != (pk, sk)]
    assert len(rows) == len(lived()) - 1, "the row to be lost is there"
    return rows


def changed(sk: str, change: Callable[[Record], Record], pk: str = PK) -> list[Record]:
    (row,) = (row for row in lived() if (row.pk, row.sk) == (pk, sk))
    return [*without(sk, pk), change(row)]


def beside(record: Record) -> list[Record]:
    return [*lived(), record]


def athe_row(sk: str, pk: str = PK, **fields: object) -> Record:
    return Record(**{"pk": pk, "sk": sk, "version": 1, "body": {}, **fields})  # type: ignore[arg-type]  # given by tests


def first(prefix: str, pk: str = PK) -> str:
    return next(row.sk for row in lived() if row.pk == pk and row.sk.startswith(prefix))


def alert_pk() -> str:
    return next(row.pk for row in lived() if row.pk.startswith("dispatch/alert/") and row.kind == keys.ALERTS_KIND)


JOURNAL = keys.journal_sk(ENDED, 2)
RUN = keys.run_sk(1)
DAMAGE: dict[str, tuple[Callable[[], list[Record]], FaultKind, Callable[[], tuple[str, str]]]] = {
    "a line of a journal is lost": (lambda: without(JOURNAL), FaultKind.JOURNAL, lambda: (PK, RUN)),
    "the opening line is lost": (
        lambda: without(keys.journal_sk(ENDED, 1)),
        FaultKind.JOURNAL,
        lambda: (PK, RUN),
    ),
    "a line of a journal is of another version": (
        lambda: changed(JOURNAL, lambda row: replace(row, body={**row.body, "version": 9})),
        FaultKind.JOURNAL,
        lambda: (PK, JOURNAL),
    ),
    "a line of a journal is not in the timeline": (
        lambda: changed(JOURNAL, lambda row: replace(row, kind=None)),
        FaultKind.INDEX,
        lambda: (PK, JOURNAL),
    ),
    "a fact was changed by hand": (
        lambda: changed(keys.journal_sk(ENDED, 3), lambda row: replace(row, body=_later(row.body))),
        FaultKind.REFOLD,
        lambda: (PK, RUN),
    ),
    "a run was changed by hand": (
        lambda: changed(RUN, lambda row: replace(row, body={**row.body, "failures": 7})),
        FaultKind.REFOLD,
        lambda: (PK, RUN),
    ),
    "a run is at another version than it says": (
        lambda: changed(RUN, lambda row: replace(row, version=row.version + 1)),
        FaultKind.VERSION,
        lambda: (PK, RUN),
    ),
    "a run is lost": (lambda: without(keys.run_sk(2)), FaultKind.ORPHAN, lambda: (PK, keys.active_sk(2))),
    "the run before another is lost": (lambda: without(RUN), FaultKind.ORPHAN, lambda: (PK, keys.run_sk(2))),
    "a run holds another": (
        lambda: changed(keys.run_sk(2), lambda row: replace(row, sk=keys.run_sk(3))),
        FaultKind.ORPHAN,
        lambda: (PK, keys.run_sk(3)),
    ),
    "a run is never due": (
        lambda: changed(keys.run_sk(2), lambda row: replace(row, wake_at=None)),
        FaultKind.INDEX,
        lambda: (PK, keys.run_sk(2)),
    ),
    "an ended run is due": (
        lambda: changed(RUN, lambda row: replace(row, wake_at=NOON)),
        FaultKind.INDEX,
        lambda: (PK, RUN),
    ),
    "a run is in the list of another pipeline": (
        lambda: changed(RUN, lambda row: replace(row, kind="runs/other")),
        FaultKind.INDEX,
        lambda: (PK, RUN),
    ),
    "a waiting run is not among the active": (
        lambda: without(keys.active_sk(2)),
        FaultKind.POINTER,
        lambda: (PK, keys.active_sk(2)),
    ),
    "a waiting run is among the ended": (
        lambda: beside(athe_row(keys.ended_sk(2), kind=keys.ENDED_KIND)),
        FaultKind.POINTER,
        lambda: (PK, keys.ended_sk(2)),
    ),
    "an ended run is not among the ended": (
        lambda: without(keys.ended_sk(1)),
        FaultKind.POINTER,
        lambda: (PK, keys.ended_sk(1)),
    ),
    "an ended run is among the active": (
        lambda: beside(athe_row(keys.active_sk(1), kind=keys.ACTIVE_KIND)),
        FaultKind.POINTER,
        lambda: (PK, keys.active_sk(1)),
    ),
    "an ended run ended at another time": (
        lambda: changed(keys.ended_sk(1), lambda row: replace(row, rank=keys.moment(NOON))),
        FaultKind.POINTER,
        lambda: (PK, keys.ended_sk(1)),
    ),
    "a rerun is not listed": (
        lambda: without(keys.again_sk(2, "of")),
        FaultKind.POINTER,
        lambda: (PK, keys.again_sk(2, "of")),
    ),
    "a rerun that was none is listed": (
        lambda: beside(athe_row(keys.again_sk(1, "of"), kind="reruns/of/example")),
        FaultKind.POINTER,
        lambda: (PK, keys.again_sk(1, "of")),
    ),
    "a wish is of no run": (
        lambda: beside(replace(the_row(first("OUT#")), sk=first("OUT#").replace("OUT#000002", "OUT#000007"))),
        FaultKind.ORPHAN,
        lambda: (PK, first("OUT#").replace("OUT#000002", "OUT#000007")),
    ),
    "a wish is of a version to come": (
        lambda: changed(first("OUT#"), lambda row: replace(row, body={**row.body, "id": f"{WAITS}/99/0"})),
        FaultKind.WISH,
        lambda: (PK, first("OUT#")),
    ),
    "a wish is never due": (
        lambda: changed(first("OUT#"), lambda row: replace(row, wake_at=None)),
        FaultKind.WISH,
        lambda: (PK, first("OUT#")),
    ),
    "a claim is of an attempt that never was": (
        lambda: changed(first("CLAIM#"), _of_attempt_99),
        FaultKind.CLAIM,
        lambda: (PK, keys.claim_sk(ENDED, 99)),
    ),
    "a claim is at another turn": (
        lambda: changed(first("CLAIM#"), lambda row: replace(row, version=row.version + 3)),
        FaultKind.VERSION,
        lambda: (PK, first("CLAIM#")),
    ),
    "a spec is lost": (
        lambda: [row for row in lived() if row.pk != _spec_pk()],
        FaultKind.SPEC,
        lambda: (PK, RUN),
    ),
    "a spec is another": (
        lambda: changed(keys.SPEC_SK, lambda row: replace(row, body={**row.body, "archetype": "x"}), _spec_pk()),
        FaultKind.SPEC,
        lambda: (_spec_pk(), keys.SPEC_SK),
    ),
    "a body is something else": (
        lambda: changed(keys.run_sk(2), lambda row: replace(row, body={"not": "a run"})),
        FaultKind.UNREADABLE,
        lambda: (PK, keys.run_sk(2)),
    ),
    "a member is something else": (
        lambda: changed(keys.member_sk("w"), lambda row: replace(row, body={}), keys.members_pk("watcher")),
        FaultKind.UNREADABLE,
        lambda: (keys.members_pk("watcher"), keys.member_sk("w")),
    ),
    "a line of the timeline is something else": (
        lambda: beside(athe_row("NOTE#x", PIPELINE, body={"records": 1})),
        FaultKind.UNREADABLE,
        lambda: (PIPELINE, "NOTE#x"),
    ),
    "a plan lacks a schedule": (
        lambda: changed(keys.PLANNED_SK, lambda row: replace(row, body={"schedules": []}), PIPELINE),
        FaultKind.POINTER,
        lambda: (PIPELINE, keys.PLANNED_SK),
    ),
    "an agenda is never due": (
        lambda: changed(keys.agenda_sk("daily"), lambda row: replace(row, wake_at=None), PIPELINE),
        FaultKind.INDEX,
        lambda: (PIPELINE, keys.agenda_sk("daily")),
    ),
    "an expectation is in one history only": (
        lambda: without(keys.expected_pointer_sk("expectations/all")),
        FaultKind.POINTER,
        lambda: (PK, keys.expected_pointer_sk("expectations/all")),
    ),
    "a history points to no expectation": (
        lambda: without(keys.EXPECTED_SK),
        FaultKind.ORPHAN,
        lambda: (PK, keys.expected_pointer_sk("expectations/all")),
    ),
    "an alert is not listed": (
        lambda: without(first("IN#", alert_pk()), alert_pk()),
        FaultKind.POINTER,
        lambda: (alert_pk(), first("IN#", alert_pk())),
    ),
    "an alert is listed as what it is not": (
        lambda: beside(athe_row("IN#x#alerts/open", alert_pk(), kind="alerts/waiting/x/y")),
        FaultKind.POINTER,
        lambda: (alert_pk(), "IN#x#alerts/open"),
    ),
    "an alert is lost": (
        lambda: without(keys.DISPATCH_SK, alert_pk()),
        FaultKind.ORPHAN,
        lambda: (alert_pk(), first("IN#", alert_pk())),
    ),
    "an alert is due when it should not be": (
        lambda: changed(keys.DISPATCH_SK, lambda row: replace(row, wake_at=NOON - 99 * DAY), alert_pk()),
        FaultKind.INDEX,
        lambda: (alert_pk(), keys.DISPATCH_SK),
    ),
    "a run is there whose history was removed": (
        lambda: beside(written(a_slot(), Headstone(last=2), clearing=False)),
        FaultKind.ORPHAN,
        lambda: (PK, keys.run_sk(2)),
    ),
}


def _later(body: object) -> dict[str, object]:
    assert isinstance(body, dict)
    return {**body, "fact": {**body["fact"], "at": "2031-01-01T00:00:00Z"}}


def _of_attempt_99(row: Record) -> Record:
    return replace(row, sk=keys.claim_sk(ENDED, 99), body={**row.body, "attempt": 99})


def the_row(sk: str) -> Record:
    return next(row for row in lived() if (row.pk, row.sk) == (PK, sk))


def _spec_pk() -> str:
    return keys.spec_pk(str(the_row(RUN).body["spec_digest"]))
