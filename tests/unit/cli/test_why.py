"""`interlock why`: the reasons, with what would change them."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests.unit.cli.terminal import Terminal, a_result, now

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core.events import EvaluationAsked, TraitEvaluated
from interlock.core.runs import Run
from interlock.core.traits import Origin, TraitStatus


def _held_back(terminal: Terminal, *, reason: str = "3 of 4 files") -> Run:
    at = now()
    with terminal.kept() as store:
        run = open_run(terminal.slot(at), terminal.spec(), store, at).run
        result = a_result(status=TraitStatus.FAIL, at=at, reason=reason)
        return advance(run.key, TraitEvaluated(at=at, round=run.round, result=result), store).run


def test_before_anything_was_decided_it_says_so_and_what_to_do(terminal: Terminal) -> None:
    said = terminal("why", "orders")
    assert (said.code, said.err) == (0, "")
    assert "nothing was decided yet" in said.out
    assert "interlock evaluate orders" in said.out
    assert terminal("why", "orders", "--json").document["status"] == "UNKNOWN"


def test_a_run_that_is_held_back_names_the_trait_its_reason_and_what_would_change_it(terminal: Terminal) -> None:
    run = _held_back(terminal)
    out = terminal("why", "orders").out
    assert run.key.run_id in out
    assert "held back: blocked by data-check" in out
    assert "all-required-pass: 0 of 1 needed" in out
    assert "because: 3 of 4 files" in out
    assert "would change it: PASS from ./evaluators/check" in out
    assert "next: due to be evaluated again" in out


def test_an_evaluation_since_then_is_what_was_decided_last(terminal: Terminal) -> None:
    _held_back(terminal)
    terminal.judged(a_result(at=now() + timedelta(seconds=1)), at=now() + timedelta(seconds=1))
    shown = terminal("why", "orders", "--json").document
    assert (shown["runId"], shown["status"]) == ("", "READY")


def test_one_run_can_be_asked_for(terminal: Terminal) -> None:
    run = _held_back(terminal)
    terminal.judged(a_result(at=now() + timedelta(seconds=1)), at=now() + timedelta(seconds=1))
    assert terminal("why", "orders", "--run", run.key.run_id, "--json").document["runId"] == run.key.run_id


def test_a_run_of_another_pipeline_or_of_none_is_an_error(terminal: Terminal) -> None:
    run = _held_back(terminal)
    other = run.key.run_id.replace("orders", "sales")
    assert terminal("why", "orders", "--run", other).code == 2
    assert terminal("why", "orders", "--run", "yesterday").code == 2
    assert terminal("why", "orders", "--run", run.key.run_id[:-1] + "7").code == 8


def test_a_check_that_broke_is_told_from_data_that_is_not_there(terminal: Terminal) -> None:
    """T-112."""
    terminal.judged(a_result(status=TraitStatus.ERROR, at=now(), origin=Origin.RUNNER), at=now())
    assert "this time it could not tell" in terminal("why", "orders").out


def test_a_trait_that_is_pushed_says_how_with_the_pipelines_name(terminal: Terminal) -> None:
    """T-120."""
    file = terminal.root / "pipelines/orders.yaml"
    file.write_text(file.read_text().replace("./evaluators/check", "push"))
    terminal.judged(a_result(status=TraitStatus.STALE, at=now()), at=now())
    assert "interlock traits push orders data-check --status PASS" in terminal("why", "orders").out


def test_an_edit_that_removed_the_trait_of_the_last_verdict_still_has_an_answer(terminal: Terminal) -> None:
    run = _held_back(terminal)
    spec = terminal.spec()
    edited = replace(spec, traits=(replace(spec.traits[0], name="renamed"),))
    with terminal.kept() as store:
        at = now()
        advance(run.key, EvaluationAsked(at=at, actor="x", spec_digest=store.put_spec(edited)), store)
    said = terminal("why", "orders")
    assert said.code == 0, said.err
    assert "the pipeline no longer asks for it" in said.out


def test_a_reason_stays_on_its_line(terminal: Terminal) -> None:
    _held_back(terminal, reason="one\n└─ PASS forged\x1b[2J")
    out = terminal("why", "orders").out
    assert "because: one └─ PASS forged\\x1b[2J" in out


def test_the_tree_is_drawn_with_every_branch_closed(terminal: Terminal) -> None:
    _held_back(terminal)
    lines = terminal("why", "orders").out.splitlines()
    assert lines[-1].startswith("└─ next:")
    assert all(line.lstrip("│ ").startswith(("├─ ", "└─ ")) for line in lines[1:])
