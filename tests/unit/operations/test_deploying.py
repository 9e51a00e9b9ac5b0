"""Deploying a bundle: what is deployed, what is shown of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.config.compiling import ORDERS, loaded, portable_project
from tests.unit.operations.deploying_rig import NAMES, Made, Table, undisturbed

from interlock.codec import wire
from interlock.config.bundle import bundle_of
from interlock.core.ids import PipelineName
from interlock.errors import Contention
from interlock.operations.deploying import Difference, difference, sync
from interlock.runtime.catalog import FileCatalog
from interlock.runtime.checking import Checking
from interlock.runtime.deployed import DeployedCatalog, deployed_project
from interlock.stores import keys
from interlock.stores.integrity import FaultKind
from interlock.stores.kernel import Change, Delete, Put
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON

# ---------------------------------------------------------------- what is deployed


def test_what_functions_read_is_what_was_compiled(made: Made, table: Table, tmp_path: Path) -> None:
    """Equal specs, digests, settings and dependencies, read as a function reads them."""
    table.sync(made.first)
    files = loaded(portable_project(tmp_path))
    project = deployed_project(table.kernel)
    catalog, before = DeployedCatalog(project, table.rows), FileCatalog(files)
    for name, one in files.pipelines.items():
        spec = catalog.spec(PipelineName(name))
        assert spec == one.spec
        assert spec is not None
        assert wire.digest(spec) == made.first.pipelines[name].digest
        assert catalog.downstream_of(PipelineName(name)) == before.downstream_of(PipelineName(name))
    assert dict(project.pipelines) == dict(files.pipelines)
    assert project.settings.sinks == files.settings.sinks


def test_the_key_of_the_functions_is_made_once_and_never_shown(made: Made, table: Table) -> None:
    """With another one, answers that are on their way would count as none."""
    table.sync(made.first)
    first = table.rows.head()
    table.sync(made.smaller)
    head = table.rows.head()
    assert first is not None
    assert head is not None
    assert (head.seal, len(head.seal)) == (first.seal, 64)
    assert head.seal not in repr(head)
    assert head.seal not in str(head)


def test_two_tables_have_two_keys(made: Made) -> None:
    heads = []
    for table in (Table(), Table()):
        table.sync(made.first)
        heads.append(table.rows.head())
    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0].seal != heads[1].seal


def test_a_deployment_without_a_key_gets_one_although_nothing_else_changes(made: Made, table: Table) -> None:
    table.sync(made.first)
    head = table.rows.head()
    assert head is not None
    assert table.rows.put_head(replace(head, seal="", generation=head.generation + 1))
    done = table.sync(made.first)
    mended = table.rows.head()
    assert mended is not None
    assert (done.difference.same, len(mended.seal), mended.generation) == (True, 64, head.generation + 2)


def test_schedules_begin_at_once(made: Made, table: Table) -> None:
    table.sync(made.first)
    agendas = table.site().hands.agendas
    for name, one in made.first.pipelines.items():
        (agenda,) = agendas.agendas_of(PipelineName(name))
        assert (agenda.spec_digest, agenda.retired) == (one.digest, False)
        assert agenda.next_at is not None


def test_what_differs_is_told_before_anything_is_written(made: Made, table: Table) -> None:
    found = difference(made.first, table.rows)
    assert (found.new, found.changed, found.settings, found.same) == (("orders", "sales"), (), True, False)
    assert table.commits() == 0
    table.sync(made.first)
    found = difference(made.changed, table.rows)
    assert found == Difference(
        bundle=made.changed.digest,
        deployed=made.first.digest,
        new=(PipelineName("stock"),),
        changed=(PipelineName("sales"),),
        unfinished=(),
        unchanged=(PipelineName("orders"),),
        gone=(),
        retiring=(),
        settings=True,
    )


def test_deployed_twice_nothing_changes(made: Made, table: Table) -> None:
    first = table.sync(made.first)
    before = table.commits()
    again = table.sync(made.first)
    assert table.commits() == before
    assert (first.generation, again.generation, again.difference.same) == (1, 1, True)


def test_a_pipeline_that_is_unchanged_is_not_written_again(made: Made, table: Table) -> None:
    """Also when the bundle around it is another one."""
    table.sync(made.first)
    before = table.rows.pipeline(NAMES[0])
    table.sync(made.changed)
    assert table.rows.pipeline(NAMES[0]) == before


def test_a_stale_edge_is_removed(made: Made, table: Table) -> None:
    """AWS-20."""
    table.sync(made.first)
    assert table.rows.downstream_of(PipelineName("orders")) == ("sales",)
    table.sync(made.changed)
    assert table.rows.downstream_of(PipelineName("orders")) == ("stock",)
    assert table.rows.downstream_of(PipelineName("legacy")) == ("sales",)


def test_an_edge_that_was_lost_or_left_is_mended_by_the_next(made: Made, table: Table) -> None:
    table.sync(made.first)
    before = table.stands
    stray = PipelineName("stray")
    table.rows.link(PipelineName("orders"), stray)
    assert table.kernel.commit(keys.pipeline_pk("orders"), [_delete_of(table, "sales")])
    assert table.rows.downstream_of(PipelineName("orders")) == (stray,)
    table.sync(made.first)
    assert table.stands == before


def _delete_of(table: Table, downstream: str) -> Change:
    return Delete(keys.downstream_sk(PipelineName(downstream)))


def test_who_deployed_what_is_on_record_and_what_a_key_holds_is_not(made: Made, table: Table) -> None:
    table.sync(made.first)
    table.sync(made.changed)
    lines = [line.record.message for line in Repository(table.kernel).timeline("sales", limit=9)]
    assert lines == ["by cli:anna: deployed, new", "by cli:anna: deployed, changed traits"]
    head = table.rows.head()
    assert head is not None
    assert (head.actor, head.generation, head.pipelines, head.at) == ("cli:anna", 2, 3, NOON + 2 * MINUTE)


# ---------------------------------------------------------------- what the bundle lacks


def test_what_the_bundle_lacks_stays_and_is_named(made: Made, table: Table) -> None:
    table.sync(made.first)
    done = table.sync(made.smaller)
    assert (done.difference.gone, done.removed) == (("sales",), ())
    assert table.rows.downstream_of(PipelineName("orders")) == ("sales",)
    assert "sales" in deployed_project(table.kernel).pipelines


def test_with_prune_it_is_retired_with_all_that_follows(made: Made, table: Table) -> None:
    table.sync(made.first)
    done = table.sync(made.smaller, prune=True)
    assert done.removed == ("sales",)
    assert table.rows.pipeline(PipelineName("sales")) is None
    assert table.rows.downstream_of(PipelineName("orders")) == ()
    assert all(one.retired for one in table.site().hands.agendas.agendas_of(PipelineName("sales")))
    assert list(deployed_project(table.kernel).pipelines) == ["orders"]


def test_a_pipeline_that_comes_back_is_planned_anew(made: Made, table: Table) -> None:
    table.sync(made.first)
    table.sync(made.smaller, prune=True)
    table.sync(made.first)
    assert table.stands == undisturbed(made.first)


@pytest.mark.parametrize("after", ["changed", "smaller"])
def test_a_stale_edge_is_removed_although_the_listing_lags(
    made: Made, table: Table, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.sync(made.first)
    site = table.site()
    monkeypatch.setattr(site.rows, "waits", lambda: iter(()))
    sync(getattr(made, after), site, prune=True)
    assert table.stands == undisturbed(made.first, getattr(made, after), prune=True)


def test_who_never_comes_to_an_end_because_of_others_is_told_so(
    made: Made, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = table.site()
    monkeypatch.setattr(site.rows, "put_head", lambda head: False)
    with pytest.raises(Contention, match="others kept deploying at the same time"):
        sync(made.first, site)


def test_a_row_that_others_keep_changing_is_told(made: Made, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    site = table.site()
    monkeypatch.setattr(site.rows, "put_pipeline", lambda new, note="": False)
    with pytest.raises(Contention, match="orders could not be deployed"):
        sync(made.first, site)


def test_no_row_holds_more_than_one_pipeline(made: Made, table: Table) -> None:
    """A list of all in one row, or in one partition, would end at a limit of the store."""
    table.sync(made.changed)
    specs = [row for row in table._all() if row.sk == keys.DEPLOYED_SK]
    assert len({row.pk for row in specs}) == len(specs) == 3
    listed = [row for row in table._all() if row.kind == keys.DEPLOYED_KIND]
    assert all("spec" not in row.body for row in listed)


def test_a_large_fleet_is_deployed_in_portions(tmp_path: Path, table: Table) -> None:
    many = {f"p-{number:03d}": ORDERS.replace("name: orders", f"name: p-{number:03d}") for number in range(300)}
    bundle = bundle_of(loaded(portable_project(tmp_path, **many)))
    done = table.sync(bundle)
    assert len(done.difference.new) == 302
    assert len(deployed_project(table.kernel).pipelines) == 302


def test_a_store_that_was_deployed_into_is_sound_and_damage_is_found(made: Made, table: Table) -> None:
    for bundle in (made.first, made.changed, made.smaller):
        table.sync(bundle, prune=True)
    assert list(Checking(table.kernel, table.kernel, live=False).faults()) == []
    for pk, sk in (("pipeline/orders", keys.DEPLOYED_SK), (keys.DEPLOYMENT_PK, keys.HEAD_SK)):
        row = table.kernel.get(pk, sk)
        assert row is not None
        assert table.kernel.commit(pk, [Put(replace(row, version=row.version + 1))])
    assert {(one.kind, one.sk) for one in Checking(table.kernel, table.kernel, live=False).faults()} == {
        (FaultKind.VERSION, keys.DEPLOYED_SK),
        (FaultKind.VERSION, keys.HEAD_SK),
    }
