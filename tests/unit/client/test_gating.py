"""When a gate asks again, gives up, or says how it ended: decided without a socket."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.api.running import CompleteRun
from interlock.app.gate_views import GateView
from interlock.client import gating
from interlock.client.exchange import Pause
from interlock.client.gating import (
    Asked,
    GateRun,
    Talk,
    Wanted,
    beating,
    category_for,
    closing,
    mode_of,
    opening,
    patience_of,
)
from interlock.errors import (
    ConfigError,
    Conflict,
    InterlockError,
    Invalid,
    NotReady,
    Refused,
    ServerUnavailable,
    Unauthorized,
)


def a_gate(*, shadow: bool = False, valid: float | None = 300.0) -> GateView:
    return GateView(
        pipeline_id="orders",
        schedule_id="daily",
        date="2026-03-07",
        shadow=shadow,
        run_id="" if shadow else "orders:daily:2026-03-07:1",
        attempt=0 if shadow else 2,
        token="",
        valid_until=datetime(2026, 3, 7, 12, tzinfo=UTC),
        valid_seconds=valid,
        heartbeat_seconds=30.0,
        message="",
        run=None,
    )


def wanted(mode: str = "wait", timeout: float = 100.0, *, again: bool = False) -> Wanted:
    return Wanted(
        "orders", None, None, timeout, mode_of(mode), heartbeat=True, again=again, reason="x" if again else ""
    )


class Play:
    """One conversation with answers that a test chooses; the clock moves by pauses, and by `slow` with each question."""

    def __init__(self, answer: Callable[[int, Any], Any], *, slow: float = 0.0) -> None:
        self.now = 0.0
        self.asked: list[Any] = []
        self.pauses: list[float] = []
        self.runs: list[GateRun] = []
        self._answer = answer
        self._slow = slow

    def clock(self) -> float:
        return self.now

    def open(self, want: Wanted) -> None:
        self.play(opening(want, self.runs.append, clock=self.clock))

    def close(self, run: GateRun, error: BaseException | None = None) -> None:
        self.play(closing(run, error, clock=self.clock))

    def play(self, talk: Talk) -> None:
        step = next(talk, None)
        while step is not None:
            try:
                step = self._next(talk, step)
            except StopIteration:
                return

    def _next(self, talk: Talk, step: Asked | Pause) -> Asked | Pause:
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            return talk.send(None)
        self.asked.append(step.request)
        self.now += self._slow
        answer = self._answer(len(self.asked), step.request)
        return talk.throw(answer) if isinstance(answer, InterlockError) else talk.send(answer)


def test_the_last_question_is_asked_when_the_time_is_over_and_not_before() -> None:
    play = Play(lambda _number, _request: NotReady("no"))
    with pytest.raises(NotReady):
        play.open(wanted(timeout=100.0))
    assert play.now == 100.0
    assert play.pauses[:-1] == sorted(play.pauses[:-1])
    assert len({request.claim for request in play.asked}) == 1


def test_a_server_that_was_heard_may_be_away_for_a_while() -> None:
    answers = [NotReady("no"), ServerUnavailable("gone"), ServerUnavailable("gone"), a_gate()]
    play = Play(lambda number, _request: answers[number - 1])
    play.open(wanted())
    assert [run.attempt for run in play.runs] == [2]


@pytest.mark.parametrize("trouble", [ServerUnavailable("nobody there"), Refused("paused"), Conflict("done")])
def test_what_waiting_cannot_mend_is_told_at_once(trouble: InterlockError) -> None:
    play = Play(lambda _number, _request: trouble)
    with pytest.raises(type(trouble)):
        play.open(wanted())
    assert play.pauses == []


def test_a_slot_is_asked_for_again_only_until_its_new_run_waits() -> None:
    answers = [NotReady("no"), a_gate()]
    play = Play(lambda number, _request: answers[number - 1])
    play.open(wanted(again=True))
    assert [(request.again, request.reason) for request in play.asked] == [(True, "x"), (False, "")]


def test_a_gate_that_waits_goes_on_asking_for_the_slot_that_it_asked_for_first() -> None:
    """G2: at midnight the current slot is another one, and its job is not the one that waits."""
    waiting = {"run": {"date": "2026-03-07", "scheduleId": "daily", "status": "PENDING"}}
    answers = [NotReady("no", details=waiting), NotReady("no"), a_gate()]
    play = Play(lambda number, _request: answers[number - 1])
    play.open(wanted())
    assert [(each.date, each.schedule) for each in play.asked] == [(None, None)] + [("2026-03-07", "daily")] * 2


def test_leave_whose_traits_took_long_is_asked_for_once_more_and_counts_from_then() -> None:
    """The leave is younger than the question: only a quick answer tells by how much."""
    lengths = [60.0, 0.1]
    play = Play(lambda _number, _request: a_gate(valid=30.0))
    plain = play._next

    def timed(talk: Talk, step: Asked | Pause) -> Asked | Pause:
        play._slow = lengths.pop(0)
        return plain(talk, step)

    play._next = timed  # type: ignore[method-assign]
    play.open(wanted())
    assert [run.attempt for run in play.runs] == [2]
    assert [each.claim for each in play.asked] == [play.asked[0].claim] * 2


@pytest.mark.parametrize("lost", [False, True])
def test_leave_that_comes_after_its_time_is_given_back_and_nothing_runs(lost: bool) -> None:
    """SC-4: a permit is void once its time is over, by the clock of whoever holds it."""

    def answer(number: int, request: Any) -> Any:
        if lost and number == 2:
            return ServerUnavailable("gone")
        return a_gate(valid=5.0) if isinstance(request, OpenGate) else None

    play = Play(answer, slow=6.0)
    with pytest.raises(ServerUnavailable, match="nothing was run"):
        play.open(wanted())
    assert play.runs == []
    assert [(type(each), getattr(each, "status", "")) for each in play.asked] == [
        (OpenGate, ""),
        (OpenGate, ""),
        (CompleteRun, "failed"),
    ]


def test_the_end_is_told_until_it_is_heard() -> None:
    play = Play(lambda number, _request: ServerUnavailable("gone") if number < 6 else None)
    play.close(GateRun(a_gate()))
    assert [each.status for each in play.asked] == ["success"] * 6
    assert play.pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_an_end_that_nobody_hears_is_given_up_logged_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="interlock.client")
    play = Play(lambda _number, _request: ServerUnavailable("gone"))
    with pytest.raises(ServerUnavailable):
        play.close(GateRun(a_gate()))
    assert gating.TOLD_WITHIN - 31 < play.now <= gating.TOLD_WITHIN
    assert "interlock complete 'orders:daily:2026-03-07:1' --status success --attempt 2" in caplog.text


def test_whoever_is_interrupted_says_it_once_and_ends() -> None:
    play = Play(lambda _number, _request: ServerUnavailable("gone"))
    with pytest.raises(ServerUnavailable):
        play.close(GateRun(a_gate()), KeyboardInterrupt())
    assert len(play.asked) == 1


def test_what_was_recorded_never_costs_the_end_itself() -> None:
    run = GateRun(a_gate())
    run.evidence(huge=10**30, odd=object(), half="\ud800", deep={"a": {1, 2}})
    run.metric("rows", 3)
    play = Play(lambda number, _request: Invalid("too large") if number == 1 else None)
    play.close(run)
    assert play.asked[0].metadata["metrics"] == {"rows": 3}
    assert [each.status for each in play.asked] == ["success", "success"]
    assert play.asked[1].metadata is None


def test_in_shadow_mode_the_end_is_told_by_a_ping() -> None:
    play = Play(lambda _number, _request: None)
    play.close(GateRun(a_gate(shadow=True)), ValueError("bad row"))
    assert isinstance(play.asked[0], Ping)
    assert (play.asked[0].what, play.asked[0].reason) == ("fail", "ValueError: bad row")


def test_a_heartbeat_goes_on_through_trouble_and_ends_when_the_run_is_not_wanted() -> None:
    answers = [None, ServerUnavailable("gone"), None, Conflict("it was cancelled")]
    run = GateRun(a_gate())
    play = Play(lambda number, _request: answers[number - 1])
    play.play(beating(run, 30.0))
    assert run.cancelled
    assert play.pauses == [30.0] * 4
    assert play.asked == [KeepGate(run_id=run.run_id, attempt=2)] * 4


def test_a_heartbeat_that_is_not_let_in_says_nothing_about_the_run() -> None:
    """A key that was withdrawn is no reason to stop a job that has leave to run."""
    answers = [Unauthorized("no such key"), None, Conflict("it was cancelled")]
    run = GateRun(a_gate())
    play = Play(lambda number, _request: answers[number - 1])
    play.play(beating(run, 30.0))
    assert (len(play.asked), run.cancelled) == (3, True)


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (TimeoutError(), "TIMEOUT"),
        (KeyError("x"), "PERMANENT"),
        (OSError("disk"), "TRANSIENT"),
        (KeyboardInterrupt(), "TRANSIENT"),
    ],
)
def test_an_exception_says_whether_another_try_can_help(error: BaseException, category: str) -> None:
    assert category_for(error) == category


def test_how_long_to_wait_is_written_in_three_ways() -> None:
    assert patience_of("2h") == patience_of(7200) == 7200
    for given in ("soon", 0, -1, float("nan"), "-5m"):
        with pytest.raises(ConfigError):
            patience_of(given)
