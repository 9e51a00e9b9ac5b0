"""`interlock store check` and `store migrate`: what they find and do, and what is said when it cannot be done."""

from __future__ import annotations

import pytest
from tests.unit.cli.store_tools import changed, closed, rows_of, spoilt
from tests.unit.cli.terminal import Terminal

from interlock.stores import keys
from interlock.stores.kernel import Delete, Page
from interlock.stores.state import Standing


def test_a_sound_store_is_told_in_one_line(kept: Terminal) -> None:
    said = kept("store", "check")
    assert said.code == 0
    assert said.out.startswith("sqlite: ")
    assert said.out.endswith("1 specs: nothing is wrong\n")


def test_a_store_that_is_not_there_yet_has_no_faults_and_is_not_made(terminal: Terminal) -> None:
    said = terminal("store", "check", "--json")
    assert said.code == 0
    assert said.document["rows"] == 0
    assert not terminal.store.exists()


def test_faults_leave_with_1_and_say_the_row_the_meaning_and_what_to_do(kept: Terminal) -> None:
    """T-118."""
    with kept.kept() as store:
        (row,) = store.kernel.listing(keys.ENDED_KIND, Page())
    changed(kept, Delete(row.sk), pk=row.pk)
    said = kept("store", "check")
    assert said.code == 1
    assert f"{row.pk}  {row.sk}" in said.out
    assert "not where the listing ended would look for it" in said.out
    assert "interlock store check --repair makes it again" in said.out
    document = kept("store", "check", "--json").document
    assert (document["ok"], document["wrong"]) == (False, 1)
    assert document["faults"][0]["repairable"] is True


def test_repairing_makes_the_store_sound_and_says_how_much(kept: Terminal) -> None:
    with kept.kept() as store:
        (row,) = store.kernel.listing(keys.ENDED_KIND, Page())
    changed(kept, Delete(row.sk), pk=row.pk)
    said = kept("store", "check", "--repair")
    assert said.code == 0
    assert "1 made again" in said.out
    with kept.kept() as store:
        assert store.kernel.listing(keys.ENDED_KIND, Page()) == [row]


def test_a_row_that_cannot_be_read_is_a_fault_with_its_name(kept: Terminal) -> None:
    spoilt(kept, keys.run_sk(1))
    said = kept("store", "check", "--json")
    assert said.code == 1
    assert [(fault["kind"], fault["sk"]) for fault in said.document["faults"]] == [("unreadable", keys.run_sk(1))]


def test_a_store_that_cannot_be_opened_leaves_with_3(kept: Terminal) -> None:
    for file in kept.store.parent.glob("interlock.db*"):
        file.write_bytes(b"something else, and long enough" * 1000)
    said = kept("store", "check")
    assert said.code == 3
    assert "not a SQLite database" in said.err


def test_checking_changes_nothing(kept: Terminal) -> None:
    before = kept("store", "export").out
    kept("store", "check")
    assert rows_of(kept("store", "export").out) == rows_of(before)


def test_checking_says_that_the_store_is_closed_and_checks_it(kept: Terminal) -> None:
    closed(kept, Standing.MOVED)
    said = kept("store", "check")
    assert said.code == 0
    assert "was moved to redis" in said.err
    assert kept("store", "check", "--repair").code == 3


def test_what_is_up_to_date_has_nothing_to_do(kept: Terminal) -> None:
    said = kept("store", "migrate")
    assert said.code == 0
    assert "up to date" in said.out


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("sqlite", "with sqlite already"),
        ("postgres", "add postgres.dsn"),
        ("dynamodb", "add dynamodb.tableName"),
        ("oracle", "'oracle' is not one of"),
    ],
)
def test_a_provider_that_is_not_set_up_is_refused(kept: Terminal, provider: str, words: str) -> None:
    said = kept("store", "migrate", "--to", provider)
    assert said.code == 2
    assert words in said.err
    assert kept("status").code == 0


def test_a_move_that_fails_leaves_the_store_open_and_as_it_was(kept: Terminal) -> None:
    file = kept.root / "interlock.yaml"
    file.write_text(file.read_text() + 'redis: {url: "redis://127.0.0.1:1", timeout: 1s}\n')
    before = rows_of(kept("store", "export").out)
    assert kept("store", "migrate", "--to", "redis").code == 75
    assert rows_of(kept("store", "export").out) == before
    assert kept("status").code == 0


def test_a_move_that_was_broken_off_can_be_abandoned_and_nothing_else_can(kept: Terminal) -> None:
    assert kept("store", "migrate", "--abandon").code == 7
    closed(kept, Standing.MOVING)
    said = kept("run", "orders")
    assert said.code == 3
    assert "migrate --abandon" in said.err
    assert kept("store", "migrate", "--abandon").code == 0
    assert kept("status").code == 0


def test_what_looks_after_the_store_is_about_the_project_here(terminal: Terminal) -> None:
    for verb in (["check"], ["export"], ["import", "x"], ["migrate"]):
        assert terminal("--server", "http://127.0.0.1:1", "store", *verb).code == 2
