"""`interlock status`: how pipelines stand, from what is stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from tests.unit.cli.terminal import Terminal, a_result, columns, now

from interlock.app.arrivals import open_run
from interlock.core.traits import Origin, TraitStatus
from interlock.operations import looking

DAY = timedelta(days=1)


def _line(out: str, name: str = "orders") -> list[str]:
    (line,) = (line for line in out.splitlines() if line.startswith(name))
    return [part.strip() for part in columns(line)]


def test_without_a_store_everything_is_unknown_and_none_is_made(terminal: Terminal) -> None:
    """T-97."""
    said = terminal("status")
    assert (said.code, said.err) == (0, "")
    assert _line(said.out)[1] == "UNKNOWN"
    assert not terminal.store.exists()


def test_the_latest_verdict_is_shown_with_what_blocks(terminal: Terminal) -> None:
    terminal.judged(a_result(status=TraitStatus.FAIL, at=now(), reason="3 of 4 files"), at=now())
    line = _line(terminal("status").out)
    assert line[1] == "NOT_READY"
    assert line[-1] == "blocked by data-check"


def test_a_check_that_could_not_tell_is_shown_as_such(terminal: Terminal) -> None:
    """T-107."""
    terminal.judged(a_result(status=TraitStatus.ERROR, at=now(), reason="no route", origin=Origin.RUNNER), at=now())
    said = terminal("status", "orders")
    assert "ERROR data-check  no route" in said.out
    assert terminal("status", "orders", "--json").document["decision"]["errors"] == ["data-check"]


def test_a_pass_that_has_expired_is_stale_and_the_verdict_is_not_forgotten(terminal: Terminal) -> None:
    """T-107."""
    at = now() - timedelta(minutes=10)
    terminal.judged(a_result(at=at, lasts=timedelta(minutes=5)), at=at, slot=terminal.slot(now()))
    shown = terminal("status", "orders", "--json").document
    assert shown["readiness"] == "NOT_READY"
    assert shown["decision"]["traits"][0]["status"] == "STALE"
    assert shown["readinessAt"][:19] == at.isoformat()[:19]


def test_files_that_ask_for_less_now_make_no_verdict_of_their_own(terminal: Terminal) -> None:
    archetype = terminal.root / "archetypes/one-check.yaml"
    sound = archetype.read_text()
    archetype.write_text(sound.replace("readinessRule", "  - type: other\nreadinessRule"))
    pipeline = terminal.root / "pipelines/orders.yaml"
    text = pipeline.read_text()
    pipeline.write_text(text.replace("traits:\n", "traits:\n  other: {evaluator: push}\n"))
    terminal.judged(a_result(at=now()), a_result("other", TraitStatus.FAIL, at=now()), at=now())
    archetype.write_text(sound)
    pipeline.write_text(text)
    assert terminal("status", "orders", "--json").document["readiness"] == "NOT_READY"


def test_a_verdict_on_another_day_says_so(terminal: Terminal) -> None:
    at = now()
    terminal.judged(a_result(at=at), at=at, slot=terminal.slot(at - DAY))
    assert f"judged for daily {terminal.slot(at - DAY).period}" in _line(terminal("status").out)[-1]


def test_a_run_of_yesterday_stays_in_sight_while_it_runs(terminal: Terminal) -> None:
    """T-34, T-36."""
    yesterday = now() - DAY
    with terminal.kept() as store:
        run = open_run(terminal.slot(yesterday), terminal.spec(), store, yesterday).run
    assert f"{run.key.slot.period}: PENDING" in _line(terminal("status").out)[-1]
    slots = terminal("status", "orders", "--json").document["slots"]
    assert [slot["runId"] for slot in slots] == [None, run.key.run_id]


def test_an_excluded_day_says_why(terminal: Terminal) -> None:
    day = terminal.slot(now()).period
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(f'exclusions:\n  dates: ["{day}"]\n')
    assert f"{day} is one of the excluded dates" in _line(terminal("status").out)[-1]


def test_only_check_turns_a_missed_deadline_into_an_exit_code(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write("sla: {completionDeadline: 1s}\n")
    assert terminal("status").code == 0
    said = terminal("status", "--check")
    assert said.code == 10
    assert "a deadline is missed by: orders" in said.err
    assert "it has not completed by its deadline" in said.out


def test_a_deadline_ahead_is_not_missed(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write("sla: {completionDeadline: 2d}\n")
    assert terminal("status", "orders", "--check").code == 0


def test_a_pipeline_without_a_trigger_is_in_time_once_it_was_ready(terminal: Terminal) -> None:
    """T-90."""
    file = terminal.root / "pipelines/orders.yaml"
    file.write_text(file.read_text().partition("trigger:")[0] + "sla: {evaluationDeadline: 1s}\n")
    assert terminal("status", "--check").code == 10
    terminal.judged(a_result(at=now()), at=now())
    assert terminal("status", "--check").code == 0


def test_a_broken_file_hides_no_other_pipeline_and_is_listed_itself(terminal: Terminal) -> None:
    """T-118, T-91."""
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\narchetipe: one-check\n")
    said = terminal("status")
    assert said.code == 2
    assert _line(said.out)[1] == "UNKNOWN"
    assert "did you mean" in said.out + said.err or "archetype" in _line(said.out, "sales")[-1]
    assert "sales" in said.err
    assert terminal("status", "sales").code == 2
    assert terminal("status", "orders").code == 0


def test_a_record_that_cannot_be_read_is_reported_and_hides_no_other_pipeline(terminal: Terminal) -> None:
    """T-118."""
    other = terminal.root / "pipelines/sales.yaml"
    other.write_text((terminal.root / "pipelines/orders.yaml").read_text().replace("name: orders", "name: sales"))
    for name in ("orders", "sales"):
        terminal.judged(a_result(at=now()), at=now(), name=name)
    with closing(sqlite3.connect(terminal.store)) as db, db:
        db.execute("UPDATE records SET body = '{\"x\": 1}' WHERE pk = 'pipeline/sales' AND sk LIKE 'EVALUATION%'")
    said = terminal("status")
    assert said.code == 3
    assert _line(said.out)[1] == "READY"
    assert "cannot be read" in " ".join(_line(said.out, "sales"))
    assert terminal("status", "sales").code == 3


def test_an_unknown_pipeline_is_told_the_nearest_name(terminal: Terminal) -> None:
    said = terminal("status", "order")
    assert (said.code, said.out) == (8, "")
    assert "did you mean orders?" in said.err


def test_a_pipeline_whose_file_was_removed_keeps_its_history(terminal: Terminal) -> None:
    terminal.judged(a_result(at=now()), at=now())
    (terminal.root / "pipelines/orders.yaml").unlink()
    said = terminal("status", "orders")
    assert said.code == 0
    assert "no file defines it any more" in said.out


def test_a_pipeline_in_shadow_mode_never_looks_as_if_its_job_had_run(terminal: Terminal) -> None:
    file = terminal.root / "pipelines/orders.yaml"
    file.write_text(f"{file.read_text()}mode: shadow\n")
    terminal("run", "orders")
    assert "in shadow mode: nothing of it is done" in _line(terminal("status").out)[-1]
    assert "interlock shadow report orders" in terminal("status", "orders").out
    assert terminal("status", "orders", "--json").document["mode"] == "shadow"
    assert "COMPLETED  let through and completed by attempt 1, in shadow mode" in terminal("why", "orders").out


def test_a_live_pipeline_says_nothing_of_shadow_mode(terminal: Terminal) -> None:
    terminal("run", "orders")
    assert "shadow" not in terminal("status").out + terminal("status", "orders").out + terminal("why", "orders").out
    assert terminal("status", "orders", "--json").document["mode"] == "live"


def test_an_empty_project_says_what_to_do(terminal: Terminal) -> None:
    (terminal.root / "pipelines/orders.yaml").unlink()
    said = terminal("status")
    assert (said.code, said.out) == (0, "")
    assert "interlock add-pipeline" in said.err
    assert terminal("status", "--json").document["items"] == []


@pytest.mark.parametrize("argv", [("status",), ("status", "orders")])
def test_the_document_stands_alone_on_stdout(terminal: Terminal, argv: tuple[str, ...]) -> None:
    """T-94."""
    said = terminal(*argv, "--json")
    assert said.err == ""
    shown = said.document["items"][0] if len(argv) == 1 else said.document
    assert (shown["pipelineId"], shown["runs"], shown["run"], shown["problems"]) == ("orders", [], None, [])


def test_escapes_in_what_is_stored_do_not_reach_the_terminal(terminal: Terminal) -> None:
    terminal.judged(a_result(status=TraitStatus.FAIL, at=now(), reason="\x1b]0;owned\x07 no"), at=now())
    assert "\x1b" not in terminal("--color", "status", "orders").out.replace("\x1b[", "")


def test_every_pipeline_is_shown_however_many_pages_they_are(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-96."""
    text = (terminal.root / "pipelines/orders.yaml").read_text()
    for number in range(4):
        (terminal.root / f"pipelines/p{number}.yaml").write_text(text.replace("name: orders", f"name: p{number}"))
    monkeypatch.setattr(looking, "AT_MOST", 2)
    shown = terminal("status", "--json").document
    assert [item["pipelineId"] for item in shown["items"]] == ["orders", "p0", "p1", "p2", "p3"]
    assert shown["next"] is None


def test_a_broken_file_is_told_once(terminal: Terminal) -> None:
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\narchetipe: one-check\n")
    assert terminal("status").err.count("sales") == 1
