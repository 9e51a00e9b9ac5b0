"""`interlock history` and `interlock events`: the past, page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.cli.terminal import Terminal, a_result, now

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core.events import CancelAsked, EvaluationAsked, TraitEvaluated
from interlock.core.ids import RunKey
from interlock.core.traits import TraitStatus

DAY = timedelta(days=1)


def _days(terminal: Terminal, count: int) -> list[str]:
    """Open one run on each of the last days; return their ids, newest first."""
    spec, at, ids = terminal.spec(), now(), []
    with terminal.kept() as store:
        for ago in range(count):
            ids.append(open_run(terminal.slot(at - ago * DAY), spec, store, at - ago * DAY).run.key.run_id)
    return [str(run_id) for run_id in ids]


def test_runs_come_newest_first(terminal: Terminal) -> None:
    ids = _days(terminal, 3)
    assert [line.split()[0] for line in terminal("history", "orders").out.splitlines()] == ids


def test_a_run_that_ended_without_a_start_says_so_and_what_it_was_blocked_by(terminal: Terminal) -> None:
    _days(terminal, 1)
    key = RunKey(terminal.slot(now()), 1)
    with terminal.kept() as store:
        run = store.run(key)
        assert run is not None
        answer = a_result(status=TraitStatus.FAIL, at=now(), reason="3 of 4")
        advance(key, TraitEvaluated(at=now(), round=run.round, result=answer), store)
        advance(key, CancelAsked(at=now(), actor="ann", reason="not today"), store)
    assert "nothing was started, blocked by data-check" in terminal("history", "orders").out


def test_pages_of_history_hold_every_run_once_and_say_when_there_are_more(terminal: Terminal) -> None:
    """T-96."""
    ids = _days(terminal, 5)
    seen: list[str] = []
    before: list[str] = []
    while True:
        page = terminal("history", "orders", "--limit", "2", *before, "--json").document
        seen += [run["runId"] for run in page["items"]]
        if page["next"] is None:
            break
        before = ["--before", page["next"]]
    assert seen == ids
    assert f"--before {ids[1]}" in terminal("history", "orders", "--limit", "2").err
    assert terminal("history", "orders", "--limit", "5").err == ""


@pytest.mark.parametrize("verb", ["history", "events"])
@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5"])
def test_a_limit_out_of_range_is_an_error_and_never_another_limit(terminal: Terminal, verb: str, limit: str) -> None:
    """T-96."""
    said = terminal(verb, "orders", "--limit", limit)
    assert (said.code, said.out) == (2, "")
    assert "--limit" in said.err


def test_a_place_to_go_on_from_must_be_one_of_this_pipeline(terminal: Terminal) -> None:
    (run_id,) = _days(terminal, 1)
    assert terminal("history", "orders", "--before", run_id.replace("orders", "sales")).code == 2
    assert terminal("history", "orders", "--before", "yesterday").code == 2
    assert terminal("history", "orders", "--before", run_id[:-1] + "9").code == 8
    cursor = terminal("events", "orders", "--json").document["items"][0]["cursor"]
    for bad in ("x", "|||", "0|a|b|c", cursor.replace("orders", "sales"), f"{cursor}x", cursor.rpartition("|")[0]):
        assert terminal("events", "orders", "--before", bad).code == 2, bad


@pytest.mark.parametrize("limit", ["1", "2", "3"])
def test_pages_of_events_hold_every_line_once_in_order(terminal: Terminal, limit: str) -> None:
    """T-96: one commit may tell several things, and a page may end between them."""
    _days(terminal, 2)
    at = now()
    with terminal.kept() as store:
        run = store.runs_of("orders", limit=1)[0]
        for _ in range(2):
            answer = TraitEvaluated(at=at, round=run.round, result=a_result(status=TraitStatus.FAIL, at=at))
            run = advance(run.key, answer, store).run
            run = advance(run.key, EvaluationAsked(at=now(), actor="x"), store).run
    terminal.judged(a_result(at=now()), at=now())
    whole = terminal("events", "orders", "--limit", "500", "--json").document
    assert whole["next"] is None
    assert len(whole["items"]) > 8
    pages: list[dict[str, object]] = []
    before: list[str] = []
    while True:
        page = terminal("events", "orders", "--limit", limit, *before, "--json").document
        assert len(page["items"]) <= int(limit)
        pages = [*page["items"], *pages]
        if page["next"] is None:
            break
        before = ["--before", page["next"]]
    assert pages == whole["items"]


def test_a_page_of_events_says_that_there_is_more_and_how_to_see_it(terminal: Terminal) -> None:
    _days(terminal, 3)
    said = terminal("events", "orders", "--limit", "1")
    assert "interlock events orders --limit 1 --before '" in said.err
    assert len(said.out.splitlines()) == 2


@pytest.mark.parametrize("verb", ["history", "events"])
def test_nothing_yet_is_no_error(terminal: Terminal, verb: str) -> None:
    said = terminal(verb, "orders")
    assert (said.code, said.out) == (0, "")
    assert "yet" in said.err
    assert terminal(verb, "orders", "--json").document["items"] == []


@pytest.mark.parametrize("verb", ["history", "events", "why"])
def test_a_name_nobody_knows_is_not_found_and_one_without_a_file_is_remembered(terminal: Terminal, verb: str) -> None:
    """T-93."""
    assert terminal(verb, "nobody").code == 8
    _days(terminal, 1)
    (terminal.root / "pipelines/orders.yaml").unlink()
    assert terminal(verb, "orders").code == 0


@pytest.mark.parametrize(
    "argv", [("status",), ("status", "orders"), ("why", "orders"), ("history", "orders"), ("events", "orders")]
)
def test_reading_leaves_every_byte_of_the_store_as_it_was(terminal: Terminal, argv: tuple[str, ...]) -> None:
    """T-97."""
    _days(terminal, 2)
    terminal.judged(a_result(at=now()), at=now())
    folder = terminal.store.parent
    before = {path.name: path.read_bytes() for path in folder.glob("interlock.db*")}
    assert terminal(*argv).code == 0
    assert terminal(*argv, "--json").code == 0
    after = {path.name: path.read_bytes() for path in folder.glob("interlock.db*")}
    assert after["interlock.db"] == before["interlock.db"]
    assert all(not after[name] for name in after.keys() - before.keys() if name.endswith("-wal"))
