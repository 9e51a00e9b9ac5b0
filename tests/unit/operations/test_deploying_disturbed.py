"""A deployment that is cut short is finished by the next; two at once come out whole."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import pytest
from tests.unit.operations.deploying_rig import NAMES, Disturbed, Made, Table, undisturbed

from interlock.config.bundle import Bundle
from interlock.core.ids import PipelineName
from interlock.errors import Contention, StoreUnavailable
from interlock.operations.deploying import difference, sync
from interlock.runtime.deployed import deployed_project
from interlock.stores.deployments import DeploymentRows

# ---------------------------------------------------------------- cut short


class Killed(Exception):
    """The process was killed."""


def _die() -> None:
    raise Killed


@pytest.mark.parametrize("after", ["changed", "smaller"])
@pytest.mark.parametrize("error", [Killed(), StoreUnavailable("the connection was lost")])
def test_what_a_half_done_sync_left_is_finished_by_the_next(made: Made, after: str, error: Exception) -> None:
    """Wherever it is cut short, before each of its commits, which is behind the one before."""
    wanted: Bundle = getattr(made, after)
    expected = undisturbed(made.first, wanted, prune=True)

    def fail() -> None:
        raise error

    for number in count(1):
        table = Table()
        table.sync(made.first)
        kernel = Disturbed(table.kernel, number, fail)
        with suppress(Killed, StoreUnavailable):
            table.sync(wanted, prune=True, kernel=kernel)
        if kernel.left > 0:
            break
        table.sync(wanted, prune=True)
        assert table.stands == expected, number
    assert number > 6


def test_what_a_half_done_prune_left_is_finished_by_the_next_without_one(made: Made) -> None:
    table = Table()
    table.sync(made.first)
    number = 0
    while table.rows.pipeline(PipelineName("sales")) is None or not _retiring(table):
        number += 1
        table = Table()
        table.sync(made.first)
        with pytest.raises(Killed):
            table.sync(made.smaller, prune=True, kernel=Disturbed(table.kernel, number, _die))
    assert list(deployed_project(table.kernel).pipelines) == ["orders"]
    done = table.sync(made.smaller)
    assert done.removed == ("sales",)
    assert table.stands == undisturbed(made.first, made.smaller, prune=True)


def _retiring(table: Table) -> bool:
    there = table.rows.pipeline(PipelineName("sales"))
    return there is not None and there.retired


def test_the_head_goes_last(made: Made, table: Table) -> None:
    """Until everything is there, the deployment goes by its old name."""
    number = 0
    while True:
        number += 1
        table = Table()
        table.sync(made.first)
        try:
            table.sync(made.changed, kernel=Disturbed(table.kernel, number, _die))
        except Killed:
            head = table.rows.head()
            assert head is not None
            assert head.digest == made.first.digest
        else:
            break
    assert number > 5


def test_one_pipeline_that_cannot_be_planned_keeps_no_other_from_it(
    made: Made, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = table.site()

    def stuck(name: PipelineName) -> Any:
        if name == "orders":
            raise Contention("others kept changing it first")
        return ()

    monkeypatch.setattr(site.hands.agendas, "agendas_of", stuck)
    done = sync(made.first, site)
    assert [name for name, _ in done.troubles] == ["orders"]
    found = difference(made.first, table.rows)
    assert (found.unfinished, found.unchanged) == (("orders",), ("sales",))
    table.sync(made.first)
    assert table.stands == undisturbed(made.first)


# ---------------------------------------------------------------- two at once


@pytest.mark.parametrize(("one", "other"), [("changed", "first"), ("first", "changed"), ("smaller", "changed")])
def test_of_two_syncs_at_once_one_counts_in_all_its_parts(made: Made, one: str, other: str) -> None:
    """Whenever the other one comes between: rows, edges, agendas and head are of one bundle afterwards."""
    mine, theirs = getattr(made, one), getattr(made, other)
    ends = {
        bundle.digest: undisturbed(made.first, mine, theirs, bundle, prune=True)
        for bundle in (made.first, mine, theirs)
    }
    crossed = 0
    for number in range(1, 200):
        table = Table()
        table.sync(made.first)
        kernel = Disturbed(table.kernel, number, partial(table.sync, theirs, prune=True))
        table.sync(mine, prune=True, kernel=kernel)
        if kernel.left > 0:
            break
        crossed += 1
        head = table.rows.head()
        assert head is not None
        assert table.stands == ends[head.digest], number
    assert crossed >= 5 or one == "first"


@pytest.mark.parametrize(
    ("one", "other"),
    [("changed", "first"), ("first", "changed"), ("changed", "smaller"), ("smaller", "changed")],
)
def test_what_follows_from_a_pipeline_is_of_the_one_that_counts(made: Made, one: str, other: str) -> None:
    """Somebody else comes between and dies before his head: each pipeline is one of the two, with all that follows."""
    mine, theirs = getattr(made, one), getattr(made, other)

    def cross(table: Table) -> None:
        site = table.site(actor="cli:bert")
        rows = DeploymentRows(table.kernel)
        rows.put_head = _killed  # type: ignore[method-assign]  # where he dies
        with suppress(Killed):
            sync(theirs, site._replace(rows=rows), prune=True)

    for number in count(1):
        table = Table()
        table.sync(made.changed if one == "first" else made.first)
        kernel = Disturbed(table.kernel, number, partial(cross, table))
        table.sync(mine, prune=True, kernel=kernel)
        if kernel.left > 0:
            break
        for name in NAMES:
            _hangs_together(table, name)
    assert number > 5


def _killed(head: object) -> bool:
    raise Killed


def _hangs_together(table: Table, name: PipelineName) -> None:
    row, agendas = table.rows.pipeline(name), table.site().hands.agendas.agendas_of(name)
    counts = row is not None and not row.retired
    planned = [one.spec_digest for one in agendas if not one.retired]
    waits = {up for up, down in table.rows.waits() if down == name}
    assert planned == ([row.digest] if row is not None and counts else [])
    assert waits == (set(row.upstreams) if row is not None and counts else set())
