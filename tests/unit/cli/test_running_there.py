"""The verbs that run jobs, at a server: the same words, the same documents, the same codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_script, starts
from tests.unit.cli.terminal import Said, Terminal
from tests.unit.client.serving import Served, serving

from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.api.running import CompleteRun, RunOf
from interlock.app.gate_views import GateView
from interlock.cli import gated
from interlock.cli.gated import GatedPlay
from interlock.client.client import Client
from interlock.errors import Conflict, NotReady, ServerUnavailable
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform

RUN_ID = "orders:daily:2026-03-07:1"
NO = 'echo \'{"status":"FAIL","reason":"3 of 4"}\''


@pytest.fixture
def served(terminal: Terminal) -> Iterator[Served]:
    with serving(terminal.root) as found:
        yield found


@pytest.fixture
def there(terminal: Terminal, served: Served) -> Callable[..., Said]:
    """Types commands that are carried out by the server."""
    return lambda *argv: terminal("--server", served.url, *argv)


def _unlike(text: str) -> str:
    """Leave out what may differ between two runs of one job: lengths of time, and the job's name."""
    words = text.split()
    return " ".join(word for word in words if not word.endswith("s") and len(word) != 32)


def test_a_run_there_says_what_a_run_here_says(terminal: Terminal, there: Callable[..., Said]) -> None:
    at_server = there("run", "orders")
    assert terminal("rerun", "orders", "--reason", "again").code == 0
    here = terminal("replay", "orders", "--date", "2026-03-06", "--reason", "x")
    assert (at_server.code, here.code) == (0, 0)
    assert _unlike(at_server.out) == _unlike(here.out.replace("2026-03-06", "2026-03-07"))
    assert "attempt 1 is running as" in at_server.err
    assert starts(terminal.root) == ["1", "1", "1"]


def test_the_document_of_a_run_has_the_same_fields_there(terminal: Terminal, there: Callable[..., Said]) -> None:
    at_server = there("run", "orders", "--json").document
    here = terminal("replay", "orders", "--date", "2026-03-06", "--reason", "x", "--json").document
    assert list(at_server) == list(here)
    assert (at_server["kind"], at_server["runId"], at_server["status"]) == ("Run", RUN_ID, "COMPLETED")


def test_a_run_that_is_not_ready_says_why_with_the_same_words_and_code(
    terminal: Terminal, there: Callable[..., Said]
) -> None:
    a_script(terminal.root / "evaluators/check", NO)
    at_server, here = there("run", "orders"), terminal("run", "orders")
    assert (at_server.code, at_server.out) == (here.code, here.out) == (1, at_server.out)
    assert "FAIL data-check: 3 of 4" in at_server.out
    assert starts(terminal.root) == []


@pytest.mark.parametrize(
    ("check", "job", "argv", "code"),
    [
        ("exit 7", "true", ("run", "orders"), 3),
        ("", "exit 2", ("run", "orders"), 4),
        ("", "sleep 300", ("run", "orders", "--timeout", "300ms"), 6),
        ("", "sleep 300", ("run", "orders", "--no-wait"), 0),
        ("", "true", ("run", "nope"), 8),
        ("", "true", ("run", "orders", "--force"), 2),
        ("", "true", ("rerun", "orders", "--reason", "x"), 8),
        ("", "true", ("replay", "orders", "--date", "2026-03-09", "--reason", "x"), 9),
        ("", "true", ("replay", "orders", "--date", "2026-03-01", "--reason", "x"), 0),
        ("", "true", ("wait", "orders", "--timeout", "100ms"), 6),
        ("", "true", ("cancel", "orders", "--reason", "x"), 7),
        ("", "true", ("complete", RUN_ID, "--status", "success"), 8),
        ("", "true", ("ping", "orders", "start"), 0),
    ],
)
def test_each_end_has_the_same_code_there(
    terminal: Terminal, there: Callable[..., Said], check: str, job: str, argv: tuple[str, ...], code: int
) -> None:
    file = terminal.root / "pipelines/orders.yaml"
    file.write_text(file.read_text() + "retry: {maxAttempts: 1}\n")
    if check:
        a_script(terminal.root / "evaluators/check", check)
    a_script(terminal.root / "job", job)
    said = there(*argv)
    assert said.code == code, said
    there("cancel", "orders", "--reason", "tidying")


def test_a_second_run_is_a_conflict_there_and_a_cancelled_run_leaves_with_9(
    terminal: Terminal, there: Callable[..., Said]
) -> None:
    a_script(terminal.root / "job", "sleep 300")
    assert there("run", "orders", "--no-wait").code == 0
    assert there("run", "orders").code == 7
    assert there("cancel", RUN_ID, "--reason", "enough").code == 0
    said = there("wait", "orders")
    assert (said.code, "CANCELLED" in said.out) == (9, True)


def test_a_report_is_taken_once_there(terminal: Terminal, there: Callable[..., Said]) -> None:
    """T-119."""
    a_script(terminal.root / "job", "sleep 300")
    there("run", "orders", "--no-wait")
    first = there("complete", RUN_ID, "--status", "success")
    second = there("complete", RUN_ID, "--status", "success", "--json")
    assert (first.code, "the report was taken" in first.out) == (0, True)
    assert (second.code, second.document["known"], second.document["status"]) == (0, True, "COMPLETED")
    other = there("complete", RUN_ID, "--status", "failed", "--json")
    assert (other.code, other.document["status"]) == (7, "COMPLETED")


def test_a_backfill_there_is_opened_and_shown(terminal: Terminal, there: Callable[..., Said]) -> None:
    days = ("--from", "2026-03-01", "--to", "2026-03-02")
    here = terminal("backfill", "orders", *days, "--dry-run")
    assert there("backfill", "orders", *days, "--dry-run").out == here.out
    opened = there("backfill", "orders", *days, "--no-wait", "--json")
    assert (opened.code, [item["status"] for item in opened.document["items"]]) == (0, ["PENDING", "PENDING"])


def test_what_the_server_shows_is_what_the_project_here_shows(terminal: Terminal, served: Served) -> None:
    """The API and the command line give one view of one run."""
    terminal("run", "orders")
    request = RunOf(run_id=RUN_ID)
    with Client(served.url) as client:
        assert client.ask(request) == perform(request, WorkDesk(served.work, "api:anna"))


# ---------------------------------------------------------------- exec


def test_a_command_runs_here_by_leave_of_the_server_and_its_end_is_known_there(
    terminal: Terminal, there: Callable[..., Said]
) -> None:
    said = there("exec", "orders", "--", "sh", "-c", 'echo "$INTERLOCK_RUN_ID" > ran')
    assert (said.code, (terminal.root / "ran").read_text().strip()) == (0, RUN_ID)
    assert there("wait", "orders").code == 0
    (terminal.root / "ran").unlink()
    assert there("exec", "orders", "--skip-exit", "5", "--", "touch", "ran").code == 5
    assert not (terminal.root / "ran").exists()


def test_the_code_of_a_command_is_its_own_there(terminal: Terminal, there: Callable[..., Said]) -> None:
    assert there("exec", "orders", "--", "sh", "-c", "exit 9").code == 9
    run = json.loads(there("history", "orders", "--json").out)["items"][0]
    assert (run["status"], run["failureMessage"]) == ("FAILED", "the command ended with exit status 9")
    assert there("exec", "orders", "--", "true").code == 7
    assert there("exec", "orders", "--again", "--reason", "mended", "--", "true").code == 0


def test_a_command_that_cannot_be_started_is_reported_as_failed(terminal: Terminal, there: Callable[..., Said]) -> None:
    assert there("exec", "orders", "--", "/nowhere/at/all").code == 127
    assert json.loads(there("history", "orders", "--json").out)["items"][0]["failureCategory"] == "PERMANENT"


@pytest.mark.parametrize(("check", "more", "code"), [(NO, (), 1), ("exit 7", (), 3), (NO, ("--timeout", "100ms"), 6)])
def test_no_command_runs_without_leave(
    terminal: Terminal, there: Callable[..., Said], check: str, more: tuple[str, ...], code: int
) -> None:
    """G2."""
    a_script(terminal.root / "evaluators/check", check)
    said = there("exec", "orders", *more, "--", "touch", "ran")
    assert (said.code, "The command was not run" in said.err) == (code, True), said
    assert not (terminal.root / "ran").exists()


def test_no_command_runs_when_the_server_is_out_of_reach(terminal: Terminal) -> None:
    """G2, T-08: an unreachable interlock is a closed one."""
    said = terminal("--server", "http://127.0.0.1:1", "exec", "orders", "--", "touch", "ran")
    assert (said.code, "The command was not run" in said.err) == (75, True)
    assert not (terminal.root / "ran").exists()


class ScriptedClient:
    """Answers as told: an exception is raised, anything else is returned."""

    def __init__(self, gate: GateView, *ends: Exception | None, heart: Exception | None = None) -> None:
        self.gate = gate
        self.ends = list(ends)
        self.heart = heart
        self.asked: list[Any] = []

    def ask(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(request, OpenGate):
            return self.gate
        if isinstance(request, KeepGate):
            if self.heart is not None:
                raise self.heart
            return None
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end
        return None

    @property
    def reports(self) -> list[Any]:
        return [request for request in self.asked if isinstance(request, CompleteRun | Ping)]


LEAVE = GateView(
    pipeline_id="orders",
    schedule_id="daily",
    date="2026-03-07",
    shadow=False,
    run_id=RUN_ID,
    attempt=1,
    token=f"{RUN_ID}/1",
    valid_until=None,
    valid_seconds=60.0,
    heartbeat_seconds=None,
    message="",
    run=None,
)


def _play(client: ScriptedClient, *argv: str) -> int:
    return GatedPlay(client, "orders", None, argv).perform(None, again="", done=0)  # type: ignore[arg-type]


def _soon(monkeypatch: pytest.MonkeyPatch, within: timedelta) -> None:
    monkeypatch.setattr(gated, "FIRST_LOOK", timedelta(milliseconds=1))
    monkeypatch.setattr(gated, "SLOWEST_LOOK", timedelta(milliseconds=1))
    monkeypatch.setattr(gated.GatedPlay._report, "__defaults__", (None, within))


def test_the_end_is_told_until_the_server_knows_it(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    _soon(monkeypatch, timedelta(minutes=1))
    client = ScriptedClient(LEAVE, ServerUnavailable("gone"), ServerUnavailable("gone"))
    assert _play(client, "sh", "-c", "exit 3") == 3
    assert len(client.reports) == 3
    assert {(told.status, told.attempt, told.reason) for told in client.reports} == {
        ("failed", 1, "the command ended with exit status 3")
    }


def test_an_end_that_cannot_be_told_is_said_with_the_words_to_tell_it_by_hand(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _soon(monkeypatch, timedelta())
    assert _play(ScriptedClient(LEAVE, *[ServerUnavailable("gone")] * 9), "true") == 0
    assert f"interlock complete {RUN_ID} --attempt 1 --status success" in capsys.readouterr().err


def test_leave_that_ran_out_on_its_way_starts_nothing(terminal: Terminal) -> None:
    """T-26, SC-4."""
    from interlock.cli.exits import Leave

    client = ScriptedClient(replace(LEAVE, valid_seconds=0.0))
    with pytest.raises(Leave, match="The command was not run"):
        _play(client, "touch", "ran")
    assert not (terminal.root / "ran").exists()
    assert [told.status for told in client.reports] == ["failed"]


@pytest.mark.parametrize("lost", [False, True])
def test_leave_is_as_old_as_the_question_and_not_as_its_answer(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """G1, SC-4: an answer that was on its way for a minute may be about data of a minute ago."""
    from interlock.cli.exits import Leave

    now = [0.0]
    monkeypatch.setattr(gated, "monotonic", lambda: now[0])

    class SlowClient(ScriptedClient):
        def ask(self, request: Any) -> Any:
            now[0] += 61.0
            if lost and self.asked and isinstance(request, OpenGate):
                raise ServerUnavailable("gone")
            return super().ask(request)

    client = SlowClient(LEAVE)
    with pytest.raises(Leave, match="The command was not run"):
        _play(client, "touch", "ran")
    assert not (terminal.root / "ran").exists()
    assert [told.status for told in client.reports] == ["failed"]


def test_leave_whose_traits_took_long_is_asked_for_once_more_and_counts_from_then(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(gated, "monotonic", lambda: now[0])

    class ThoughtfulClient(ScriptedClient):
        def ask(self, request: Any) -> Any:
            now[0] += 0.1 if self.asked else 61.0
            return super().ask(request)

    client = ThoughtfulClient(LEAVE)
    assert _play(client, "touch", "ran") == 0
    first, second = (each.claim for each in client.asked if isinstance(each, OpenGate))
    assert first == second


def test_a_command_that_waits_goes_on_asking_for_the_slot_that_it_asked_for_first(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G2: at midnight the current slot is another one, and its job is not the one that waits."""
    _soon(monkeypatch, timedelta(minutes=1))
    waiting = {"run": {"date": "2026-03-07", "scheduleId": "daily", "status": "PENDING"}}

    class ReluctantClient(ScriptedClient):
        def ask(self, request: Any) -> Any:
            if not self.asked:
                self.asked.append(request)
                raise NotReady("no", details=waiting)
            return super().ask(request)

    client = ReluctantClient(LEAVE)
    play = GatedPlay(client, "orders", None, ("true",))  # type: ignore[arg-type]
    assert play.perform(timedelta(minutes=5), again="", done=0) == 0
    asked = [each for each in client.asked if isinstance(each, OpenGate)]
    assert [(each.date, each.schedule) for each in asked] == [(None, None), ("2026-03-07", "daily")]


def test_a_command_whose_run_was_cancelled_is_asked_to_stop(terminal: Terminal) -> None:
    gone = Conflict("it was cancelled", details={"run": {"status": "CANCELLED"}})
    client = ScriptedClient(replace(LEAVE, heartbeat_seconds=0.01), gone, heart=gone)
    assert _play(client, "sleep", "300") == 128 + 15


def test_a_heartbeat_that_does_not_get_through_changes_nothing(terminal: Terminal) -> None:
    client = ScriptedClient(replace(LEAVE, heartbeat_seconds=0.01), heart=ServerUnavailable("gone"))
    assert _play(client, "sh", "-c", "sleep 0.1") == 0
    assert [told.status for told in client.reports] == ["success"]


def test_the_end_in_shadow_mode_is_told_as_a_ping(terminal: Terminal) -> None:
    client = ScriptedClient(replace(LEAVE, shadow=True, run_id="", attempt=0, token=""))
    assert _play(client, "false") == 1
    (told,) = client.reports
    assert (told.what, told.date, told.schedule) == ("fail", "2026-03-07", "daily")
