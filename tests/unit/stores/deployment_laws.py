"""What holds of a deployment's rows, whatever store keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from interlock.codec import wire
from interlock.codec.documents import document
from interlock.core.archetypes import Archetype, TraitDefinition
from interlock.core.chronicle import EventKind
from interlock.core.ids import PipelineName, TraitName
from interlock.ports.deployments import Deployed, Head, Listed
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Kernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, a_spec
from interlock.testing.conformance.kernel_values import at_once

ORDERS, SALES, STOCK = map(PipelineName, ("orders", "sales", "stock"))


def a_deployed(name: str = "orders", **fields: Any) -> Deployed:
    spec = a_spec(name=name)
    made = Deployed(
        name=PipelineName(name),
        digest=wire.digest(spec),
        spec=spec,
        source=f"pipelines/{name}.yaml",
        bundle="b" * 64,
        at=NOON,
        actor="cli:anna",
    )
    return replace(made, **fields)


class DeploymentLaws:
    """The suite. Subclasses bring a fixture `kernel`; `most` is how many pipelines a deployment of many has."""

    most = 1203

    @pytest.fixture
    def rows(self, kernel: Kernel) -> DeploymentRows:
        return DeploymentRows(kernel)

    def test_where_nothing_was_deployed_nothing_is(self, rows: DeploymentRows) -> None:
        assert (rows.head(), rows.pipeline(ORDERS), list(rows.pipelines())) == (None, None, [])
        assert (rows.downstream_of(ORDERS), list(rows.waits()), rows.archetypes()) == ((), [], ())

    def test_a_pipeline_is_read_back_as_it_was_put(self, rows: DeploymentRows) -> None:
        put = a_deployed(upstreams=(SALES,))
        assert rows.put_pipeline(put, "by cli:anna: deployed, new")
        assert rows.pipeline(ORDERS) == put
        assert list(rows.pipelines()) == [
            Listed(name=ORDERS, digest=put.digest, settled=False, retired=False),
        ]

    def test_of_two_who_put_the_same_version_one_wins_and_the_other_changes_nothing(self, rows: DeploymentRows) -> None:
        assert rows.put_pipeline(a_deployed())
        answers = at_once(6, lambda number: rows.put_pipeline(a_deployed(version=2, actor=f"cli:{number}")))
        assert sorted(answers) == [False] * 5 + [True]
        now = rows.pipeline(ORDERS)
        assert now is not None
        assert now.actor == f"cli:{answers.index(True)}"

    def test_what_was_deployed_and_by_whom_is_in_the_timeline(self, kernel: Kernel, rows: DeploymentRows) -> None:
        first = a_deployed()
        assert rows.put_pipeline(first, "by cli:anna: deployed, new")
        assert rows.put_pipeline(replace(first, settled=True, version=2))
        gone = replace(first, retired=True, at=NOON + MINUTE, version=3)
        assert rows.put_pipeline(gone, "by cli:bert: no longer deployed")
        lines = [(line.record.kind, line.record.message) for line in Repository(kernel).timeline("orders", limit=9)]
        assert lines == [
            (EventKind.PIPELINE_REGISTERED, "by cli:anna: deployed, new"),
            (EventKind.PIPELINE_WITHDRAWN, "by cli:bert: no longer deployed"),
        ]

    def test_a_pipeline_is_removed_only_as_it_was_read(self, rows: DeploymentRows) -> None:
        old = a_deployed(retired=True)
        assert rows.put_pipeline(old)
        assert rows.put_pipeline(a_deployed(version=2))
        assert not rows.remove_pipeline(old)
        assert rows.pipeline(ORDERS) == a_deployed(version=2)
        assert rows.remove_pipeline(a_deployed(version=2))
        assert (rows.pipeline(ORDERS), list(rows.pipelines())) == (None, [])

    def test_a_name_that_was_removed_can_be_deployed_anew(self, rows: DeploymentRows) -> None:
        for number in range(3):
            one = a_deployed(at=NOON + number * MINUTE)
            assert rows.put_pipeline(one, "new")
            assert rows.remove_pipeline(one), number

    def test_all_are_listed_by_name_however_many_there_are(self, rows: DeploymentRows) -> None:
        """T-65, AWS-20: page by page, and each pipeline in a partition of its own."""
        names = [f"p-{number:04d}" for number in range(self.most)]
        for name in reversed(names):
            assert rows.put_pipeline(a_deployed(name))
        assert [one.name for one in rows.pipelines()] == names

    def test_who_waits_for_a_pipeline_is_told_by_its_own_partition(self, rows: DeploymentRows) -> None:
        """AWS-20."""
        rows.link(SALES, STOCK)
        rows.link(SALES, ORDERS)
        rows.link(STOCK, ORDERS)
        assert rows.downstream_of(SALES) == (ORDERS, STOCK)
        assert rows.downstream_of(ORDERS) == ()
        assert sorted(rows.waits()) == [(SALES, ORDERS), (SALES, STOCK), (STOCK, ORDERS)]

    def test_one_that_really_waits_is_not_unlinked(self, rows: DeploymentRows) -> None:
        assert rows.put_pipeline(a_deployed(upstreams=(SALES,)))
        rows.link(SALES, ORDERS)
        assert not rows.unlink(SALES, ORDERS)
        assert rows.downstream_of(SALES) == (ORDERS,)

    @pytest.mark.parametrize("now", [None, a_deployed(), a_deployed(upstreams=(SALES,), retired=True)])
    def test_one_that_waits_no_longer_is_unlinked(self, rows: DeploymentRows, now: Deployed | None) -> None:
        rows.link(SALES, ORDERS)
        if now is not None:
            assert rows.put_pipeline(now)
        assert rows.unlink(SALES, ORDERS)
        assert not rows.unlink(SALES, ORDERS)
        assert (rows.downstream_of(SALES), list(rows.waits())) == ((), [])

    def test_a_slow_remover_does_not_remove_what_was_linked_after_it_looked(
        self, kernel: Kernel, rows: DeploymentRows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It read the link, and a pipeline that does not wait; before it removes the link, the pipeline waits again."""
        rows.link(SALES, ORDERS)
        slow = DeploymentRows(kernel)
        real, crossed = slow.pipeline, list[int]()

        def looked(name: PipelineName) -> Deployed | None:
            found = real(name)
            if not crossed:
                crossed.append(1)
                assert rows.put_pipeline(a_deployed(upstreams=(SALES,)))
                rows.link(SALES, ORDERS)
            return found

        monkeypatch.setattr(slow, "pipeline", looked)
        assert not slow.unlink(SALES, ORDERS)
        assert rows.downstream_of(SALES) == (ORDERS,)

    def test_of_many_who_link_at_once_none_is_lost(self, rows: DeploymentRows) -> None:
        at_once(8, lambda number: rows.link(SALES, PipelineName(f"p-{number}")))
        assert rows.downstream_of(SALES) == tuple(f"p-{number}" for number in range(8))

    def test_of_two_heads_of_one_generation_one_counts(self, rows: DeploymentRows) -> None:
        head = Head(digest="a" * 64, settings=document({"mode": "live"}), pipelines=3, at=NOON, actor="cli:anna")
        assert rows.put_head(head)
        assert not rows.put_head(replace(head, actor="cli:bert"))
        assert rows.head() == head
        assert rows.put_head(replace(head, generation=2, digest="b" * 64))
        assert rows.head() == replace(head, generation=2, digest="b" * 64)

    def test_an_archetype_that_is_the_same_is_not_written_again(self, rows: DeploymentRows) -> None:
        one = Archetype(name="batch", required=(TraitDefinition(type=TraitName("freshness")),))
        assert rows.put_archetype(one)
        assert not rows.put_archetype(one)
        assert rows.archetype("batch") == one
        changed = replace(one, optional=(TraitDefinition(type=TraitName("volume")),))
        assert rows.put_archetype(changed)
        assert rows.archetypes() == (changed,)
        rows.remove_archetype("batch")
        assert rows.archetype("batch") is None
