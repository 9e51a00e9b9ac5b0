"""History on each real store: what is over goes wholly and only once it is archived, and what is marked is archived whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.providers import store_lines
from tests.lessons.living import HOUR
from tests.servers.postgres import PostgresServer
from tests.simulation.test_retention import Story
from tests.unit.archive.history import Marked, outside, waiting

from interlock.archive.archiver import Report
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.pipelines import ScheduleSpec
from interlock.errors import StoreUnavailable
from interlock.runtime.stores import open_kernel
from interlock.stores.kernel import Damaged, Kernel
from interlock.stores.repository import timeline_of
from interlock.stores.walking import all_rows, walkable
from interlock.testing.builders import MINUTE, NOON, a_spec

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]

HALF_HOURLY = a_spec(schedules=(ScheduleSpec(every=30 * MINUTE),))


@pytest.fixture
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kernel]:
    (tmp_path / "interlock.yaml").write_text(store_lines(request.param, request))
    with closing(open_kernel(load_project(tmp_path, settings=Settings(no_cache=True)))) as kernel:
        yield kernel


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["redis", "postgres"], indirect=True)
def test_whatever_happens_in_the_middle_slots_are_whole_or_gone_on_any_store(kernel: Kernel) -> None:
    """T-09, T-52, T-60."""
    story = Story(2, kernel, marked=True).play(2)
    assert len(story.openings.opened) >= 6


@pytest.mark.parametrize("kernel", ["redis", "postgres", "dynamodb"], indirect=True)
def test_every_fact_of_any_store_is_archived_once_whatever_answer_is_lost(
    kernel: Kernel, postgres_server: PostgresServer
) -> None:
    """T-51, T-52, T-53."""
    living = Marked(HALF_HOURLY, real=kernel)
    living.plan().until(NOON + HOUR)
    with outside(postgres_server) as there:
        for call in (4, 9, 14):
            living.faulty.fail_at(call, after=True)
            with pytest.raises(StoreUnavailable):
                there.archiver(living.marking).turn()
            living.faulty.heal()
        living.on(timedelta(minutes=30))
        assert there.archiver(living.marking).turn().whole
        assert there.archiver(living.marking).turn() == Report()
        stored: Counter[tuple[str, str]] = Counter()
        for row in all_rows(walkable(kernel)):
            assert not isinstance(row, Damaged)
            if (row.kind or "").startswith("timeline/"):
                stored.update((str(each.record.kind), each.cursor) for each in timeline_of("example", row))
        assert Counter(tuple(row) for row in there.ask("SELECT kind, stream_id FROM {}.events")) == stored
        assert there.count("journal") == sum(run.version for run in living.runs()) > 10
        assert waiting(kernel) == 0
