"""The watchdog and the world outside: pings, and what it does when even the store is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.runtime.kennel import Kennel

from interlock.app.channels import Alerting, Channel, Wants
from interlock.app.sweep import Thresholds
from interlock.clients.http import HttpReply
from interlock.clients.trouble import HttpTimeout
from interlock.config.project import ProjectSettings, WatchdogSpec
from interlock.core.alerts import AlertLevel, AlertType, NoticeKind
from interlock.errors import MissingExtra, SinkError
from interlock.runtime.watchdog import PING_TIMEOUT, pinging, rounds_of
from interlock.testing.builders import MINUTE, NOON, SECOND
from interlock.testing.fakes import RecordingSink

# ------------------------------------------------------------------ pings


def test_a_whole_scan_is_told_to_the_world_outside_and_no_other() -> None:
    pings: list[datetime] = []

    def ping() -> str:
        pings.append(kennel.clock.now())
        return ""

    kennel = Kennel(ping=ping)
    kennel.run(1)
    kennel.lose_the_store()
    kennel.watchdog.turn()
    assert pings == [NOON]


def test_a_ping_that_does_not_arrive_is_told_once_and_stops_nothing() -> None:
    answers = ["nobody answers", "nobody answers", "", ""]
    kennel = Kennel(ping=lambda: answers.pop(0))
    kennel.run(4)
    assert kennel.said == [
        "the watchdog's ping did not arrive: nobody answers",
        "the watchdog's ping arrives again",
    ]


class Http:
    """Answers with a status, or with trouble."""

    def __init__(self, answer: int | Exception) -> None:
        self.answer = answer
        self.sent: list[tuple[str, str, timedelta]] = []

    def send(self, method: str, url: str, *, timeout: timedelta, **_: Any) -> HttpReply:
        self.sent.append((method, url, timeout))
        if isinstance(self.answer, Exception):
            raise self.answer
        return HttpReply(self.answer, (), b"")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (200, ""),
        (204, ""),
        (302, "it answered 302"),
        (500, "it answered 500"),
        (HttpTimeout("https://hc.example.com did not answer in time"), "did not answer in time"),
        (MissingExtra("the HTTP client", "http"), "interlock[http]"),
    ],
)
def test_any_answer_in_the_200s_is_a_good_one(answer: int | Exception, words: str) -> None:
    http = Http(answer)
    said = pinging("https://hc.example.com/secret", http)()
    assert (words in said if words else said == "") is True
    assert http.sent == [("GET", "https://hc.example.com/secret", PING_TIMEOUT)]


def test_the_rounds_are_those_that_the_project_asks_for() -> None:
    """T-46, T-87."""
    spec = WatchdogSpec(interval=MINUTE, stuck_run_threshold=7 * MINUTE, ping_url="https://hc.example.com")
    settings = ProjectSettings(
        sqlite_path=Path("x"), watchdog=spec, watcher_interval=timedelta(seconds=50), watcher_enabled=False
    )
    rounds = rounds_of(settings, Http(200))
    assert rounds.interval == MINUTE
    assert rounds.thresholds == Thresholds(stuck_after=7 * MINUTE, silence=150 * SECOND, wanted=False)
    assert rounds.ping is not None
    quick = replace(settings, watcher_interval=SECOND, watchdog=WatchdogSpec())
    assert rounds_of(quick, Http(200)).thresholds.silence == 90 * SECOND
    assert rounds_of(quick, Http(200)).ping is None


# ------------------------------------------------------------------ without the store


def test_a_store_that_is_gone_is_told_directly_once_and_again_when_it_is_back() -> None:
    """G4, BUG-184."""
    kennel = Kennel()
    kennel.watchdog.turn()
    kennel.lose_the_store()
    for _ in range(3):
        kennel.clock.advance(5 * MINUTE)
        kennel.watchdog.turn()
    kennel.kernel.heal()
    kennel.watchdog.turn()
    kennel.watchdog.turn()
    told = [(notice.kind, notice.alert.alert_type, notice.number) for notice in kennel.sink.delivered]
    assert told == [
        (NoticeKind.OPENED, AlertType.WATCHDOG_DEGRADED, 1),
        (NoticeKind.RESOLVED, AlertType.WATCHDOG_DEGRADED, 2),
    ]
    assert "nobody answers" in kennel.sink.delivered[0].alert.message
    assert len({notice.alert.alert_id for notice in kennel.sink.delivered}) == 1


def test_each_outage_is_a_fact_of_its_own() -> None:
    kennel = Kennel()
    for _ in range(2):
        kennel.lose_the_store()
        kennel.watchdog.turn()
        kennel.kernel.heal()
        kennel.clock.advance(MINUTE)
        kennel.watchdog.turn()
    assert len({notice.alert.alert_id for notice in kennel.sink.delivered}) == 2


@pytest.mark.parametrize("trouble", [SinkError("nobody answers"), ZeroDivisionError("nobody foresaw this")])
def test_a_sink_that_cannot_be_told_keeps_no_other_from_it(trouble: Exception) -> None:
    """BUG-184."""
    kennel = Kennel()
    heard, deaf = RecordingSink(), RecordingSink()
    alerting = Alerting(
        channels=(
            Channel("broken", RecordingSink(trouble)),
            Channel("deaf", deaf, Wants(types=(AlertType.TEST,))),
            Channel("works", heard, Wants(min_level=AlertLevel.ERROR)),
        )
    )
    kennel.hands = kennel.hands._replace(alerting=alerting)
    kennel.lose_the_store()
    kennel.another().turn()
    assert (len(heard.delivered), deaf.delivered) == (1, [])
    assert any("broken" in words and str(trouble) in words for words in kennel.said)


def test_a_trouble_is_said_once_while_it_stays_the_same() -> None:
    kennel = Kennel()
    kennel.lose_the_store()
    kennel.watchdog.turn()
    said = list(kennel.said)
    kennel.watchdog.turn()
    assert said
    assert kennel.said == said
    kennel.kernel.heal()
    kennel.watchdog.turn()
    assert kennel.said[-1] == "the watchdog can check everything again"


def test_the_day_on_which_clocks_change_has_as_many_scans_as_it_has_intervals() -> None:
    """T-49."""
    kennel = Kennel(interval=timedelta(hours=1))
    kennel.clock.set(datetime(2026, 3, 8, 5, tzinfo=UTC))
    assert len({report.at for report in kennel.run(23)}) == 23
