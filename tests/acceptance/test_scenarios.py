"""The eleven end-to-end stories: a watcher, real evaluators, a real HTTP server, and nothing but the command line to look.

On each of the four stores: the lines that name it are the only ones that differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.acceptance.cli import noon_zone
from tests.acceptance.living import Living, Stub, until
from tests.acceptance.providers import PROVIDERS, store_lines

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.timeout(150)]


@pytest.fixture(params=PROVIDERS)
def living(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Living]:
    lines = store_lines(request.param, request)
    with Stub() as stub:
        yield Living(tmp_path, stub, lines)


def test_1_a_pipeline_starts_when_all_its_sensors_agree_and_completes_by_callback(living: Living) -> None:
    living.pipeline()
    assert living.code("evaluate", "orders") == 1
    living.sense(freshness="good")
    assert living.code("evaluate", "orders") == 1
    with living.watched():
        living.until_status("PENDING")
        assert living.stub.asked == []
        living.all_good()
        assert living.code("evaluate", "orders") == 0
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED")
    assert len(living.stub.asked) == 1


def test_2_a_slot_that_is_run_again_waits_for_its_sensors_like_the_first_time(living: Living) -> None:
    """T-16, T-121."""
    living.all_good()
    living.pipeline()
    with living.watched():
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED")
        living.sense(rows="bad")
        assert living.code("evaluate", "orders") == 1
        assert living.code("rerun", "orders", "--reason", "corrected", "--no-wait") == 1
        living.until_status("PENDING", number=2)
        living.sense(rows="good")
        living.complete(living.until_status("RUNNING", number=2))
        living.until_status("COMPLETED", number=2)
    assert len(living.stub.asked) == 2


def test_3_a_completed_slot_is_not_run_again(living: Living) -> None:
    """T-07."""
    living.all_good()
    living.pipeline()
    with living.watched():
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED")
    assert living.code("watch", "--until-idle") == 0
    assert (len(living.runs()), len(living.stub.asked)) == (1, 1)


def test_4_nothing_runs_on_an_excluded_day(living: Living) -> None:
    living.all_good()
    living.pipeline(rest=f"exclusions:\n  days: [{_today():%A}]")
    assert living.code("watch", "--until-idle") == 0
    assert (living.runs(), living.stub.asked) == ([], [])
    assert "PIPELINE_EXCLUDED" in living.events()


def _today() -> datetime:
    zone = noon_zone()
    hours = 0 if zone == "UTC" else -int(zone.removeprefix("Etc/GMT"))
    return datetime.now(UTC).astimezone(timezone(timedelta(hours=hours)))


def test_5_an_unknown_pipeline_is_not_found(living: Living) -> None:
    """T-93."""
    living.pipeline()
    assert living.code("evaluate", "nobody") == 8


def test_6_a_pipeline_with_good_sensors_is_started_unaided(living: Living) -> None:
    """T-88."""
    living.all_good()
    living.pipeline()
    with living.watched():
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED")
    assert len(living.stub.asked) == 1


def test_7_gold_starts_only_after_silver_has_completed(living: Living) -> None:
    """T-30."""
    living.all_good()
    living.pipeline("silver")
    _gold(living)
    with living.watched():
        silver = living.until_status("RUNNING", "silver")
        assert living.runs("gold") == [] or living.runs("gold")[0]["status"] == "PENDING"
        assert len(living.stub.asked) == 1
        living.complete(silver)
        gold = living.until_status("RUNNING", "gold")
        assert living.runs("silver")[0]["status"] == "COMPLETED"
        living.complete(gold)
        living.until_status("COMPLETED", "gold")


def _gold(living: Living) -> None:
    (living.root / "archetypes" / "after-upstream.yaml").write_text(
        "name: after-upstream\nrequiredTraits:\n  - type: upstream\n"
    )
    (living.root / "pipelines" / "gold.yaml").write_text(
        "name: gold\narchetype: after-upstream\n"
        "traits:\n  upstream:\n    evaluator: builtin:upstream-check\n    config: {upstreamPipeline: silver}\n"
        f"trigger: {{type: http, url: {living.stub.url}/start}}\nwatch: {{interval: 1h}}\n"
    )


def test_8_a_refused_start_is_tried_again_after_its_backoff(living: Living) -> None:
    living.all_good()
    living.stub.open = False
    living.pipeline(rest="retry: {maxAttempts: 20, backoffSeconds: 1, backoffMultiplier: 1.0}")
    with living.watched():
        until(lambda: living.runs() and living.runs()[0]["attempt"] >= 1 and living.runs()[0]["attempts"])
        living.stub.open = True
        run = living.until_status("RUNNING")
        living.complete(run)
        done = living.until_status("COMPLETED")
    assert done["attempt"] >= 2
    assert len(living.stub.asked) == 1


def test_8b_a_start_that_may_have_happened_is_not_tried_again_and_people_are_told(living: Living) -> None:
    """T-10."""
    living.all_good()
    living.stub.open, living.stub.shut = False, 500
    living.pipeline(rest="retry: {maxAttempts: 20, backoffSeconds: 1, backoffMultiplier: 1.0}")
    with living.watched():
        alerts = living.root / "alerts.jsonl"
        until(lambda: alerts.exists() and '"alertType":"start_unknown"' in alerts.read_text())
        (run,) = living.runs()
        assert (run["status"], run["attempt"], living.stub.refused) == ("TRIGGERING", 1, 1)
        assert run["doubt"]
        living.complete(run)
        living.until_status("COMPLETED")


def test_9_drift_after_completion_is_noticed_told_and_run_again(living: Living) -> None:
    """T-17, T-113."""
    living.all_good()
    living.pipeline(monitoring="  monitoring: {duration: 60s}")
    with living.watched():
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED_MONITORING")
        living.sense(rows="bad")
        living.until_status("COMPLETED")
        living.until_status("PENDING", number=2)
    assert "MONITORING_DRIFT_DETECTED" in living.events()
    assert '"alertType":"trait_drift"' in (living.root / "alerts.jsonl").read_text()


def test_10_a_completed_slot_can_be_run_again_on_request(living: Living) -> None:
    """T-15, T-16."""
    living.all_good()
    living.pipeline()
    with living.watched():
        living.complete(living.until_status("RUNNING"))
        living.until_status("COMPLETED")
        assert living.code("rerun", "orders", "--reason", "the source was corrected", "--no-wait") == 0
        living.complete(living.until_status("RUNNING", number=2))
        living.until_status("COMPLETED", number=2)
    assert [run["cause"] for run in living.runs()] == ["rerun", "schedule"]


def test_11_a_missed_evaluation_deadline_is_told_once(living: Living) -> None:
    """T-42."""
    # A deadline from before anybody was there is nobody's: it lies a few seconds ahead, counted from the slot's opening.
    since_midnight = _today() - _today().replace(hour=0, minute=0, second=0, microsecond=0)
    living.pipeline(rest=f"sla: {{evaluationDeadline: {int(since_midnight.total_seconds()) + 6}s}}")
    with living.watched():
        until(lambda: "SLA_BREACHED" in living.events() and living.root.joinpath("alerts.jsonl").exists())
        until(lambda: living.events().count("READINESS_CHECKED") >= 3)
    told = (living.root / "alerts.jsonl").read_text().splitlines()
    assert [line for line in told if '"alertType":"evaluation_sla_breach"' in line] == told
    assert len(told) == 1
