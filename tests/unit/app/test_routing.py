from __future__ import annotations

import pytest
from tests.unit.app.alert_bench import about, about_nobody

from interlock.app.channels import Alerting, Channel, Wants
from interlock.app.routing import group_key, matches, refusal, targets_of
from interlock.core.alerts import AlertLevel, AlertType
from interlock.testing.builders import MINUTE
from interlock.testing.fakes import RecordingSink

SINK = RecordingSink()


@pytest.mark.parametrize(
    ("wants", "words"),
    [
        (Wants(), ""),
        (Wants(min_level=AlertLevel.ERROR), ""),
        (Wants(pipelines=("stock", "exam*")), ""),
        (Wants(pipelines=("stock", "sales-*")), "for the pipelines stock, sales-*"),
        (Wants(tiers=(1, 2)), ""),
        (Wants(tiers=(2, 3)), "for tier 2, 3"),
        (Wants(owners=("data",)), ""),
        (Wants(owners=("stock",)), "for what stock owns"),
        (Wants(types=(AlertType.RUN_FAILED,)), ""),
        (Wants(types=(AlertType.JOB_LOST,)), "for job_lost"),
    ],
)
def test_a_channel_takes_what_matches_every_list_and_says_why_it_does_not(wants: Wants, words: str) -> None:
    """T-104."""
    said = refusal(wants, about())
    assert bool(said) is bool(words)
    assert words in said


@pytest.mark.parametrize("level", list(AlertLevel))
@pytest.mark.parametrize("least", list(AlertLevel))
def test_a_channel_takes_alerts_from_its_level_upwards(level: AlertLevel, least: AlertLevel) -> None:
    loudness = [AlertLevel.INFO, AlertLevel.WARNING, AlertLevel.ERROR]
    taken = not refusal(Wants(min_level=least), about(level=level))
    assert taken is (loudness.index(level) >= loudness.index(least))


def test_an_alert_about_interlock_itself_goes_where_no_pipeline_is_asked_for() -> None:
    assert refusal(Wants(), about_nobody()) == ""
    assert refusal(Wants(pipelines=("*",)), about_nobody()) == ""
    assert refusal(Wants(pipelines=("sales-*",)), about_nobody()) != ""


def test_targets_carry_their_group_and_their_wait() -> None:
    channels = (
        Channel("a", SINK),
        Channel("b", SINK, Wants(tiers=(9,))),
        Channel("c", SINK, Wants(), ("owner",), MINUTE),
    )
    targets = targets_of(about(), Alerting(channels=channels))
    assert [(each.name, each.group, each.wait) for each in targets] == [
        ("a", "", channels[0].group_wait),
        ("c", "('data',)", MINUTE),
    ]


def test_groups_are_told_apart_whatever_their_names_hold() -> None:
    channel = Channel("a", SINK, group_by=("owner", "alertType"))
    sly = about(owner="data', 'run_failed"), about(owner="data")
    assert len({group_key(channel, each) for each in sly}) == 2
    by_all = Channel("a", SINK, group_by=("pipeline", "schedule", "alertType", "tier", "owner"))
    assert group_key(by_all, about_nobody()) == "('', '', 'watcher_stalled', '0', '')"


@pytest.mark.parametrize("pattern", ["*a" * 40, "?" * 300, "[", "[!a]", "a{1}"])
def test_no_pattern_is_slow_or_means_more_than_it_says(pattern: str) -> None:
    assert not matches(pattern, "b" * 255)
