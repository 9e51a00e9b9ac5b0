"""Routes made of the contract: how lists go on, how errors arrive, how empty answers look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import PIPELINE, a_project
from tests.unit.server.rig import Reply, Rig, a_key, with_keys

from interlock.errors import StoreUnavailable

NEXT = re.compile(r'<([^>]+)>; rel="next"')


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    root = a_project(tmp_path, timezone="UTC")
    for name in ("payments", "returns"):
        (root / "pipelines" / f"{name}.yaml").write_text(PIPELINE.replace("orders", name))
    with Rig(root) as found:
        yield found


def walk(rig: Rig, target: str) -> list[list[Any]]:
    """Follow a list from page to page, as its own links lead."""
    pages = []
    while True:
        reply = rig.ask("GET", target)
        assert reply.status == 200, reply.body
        pages.append(reply.document)
        link = NEXT.fullmatch(reply.headers.get("link", ""))
        assert (link is None) == ("x-next-cursor" not in reply.headers)
        if link is None:
            return pages
        target = link[1]


def test_a_list_goes_on_where_its_link_leads_until_there_is_no_more(rig: Rig) -> None:
    """T-96."""
    pages = walk(rig, "/api/pipelines?limit=1")
    assert [[each["name"] for each in page] for page in pages if page] == [["orders"], ["payments"], ["returns"]]


def test_a_cursor_of_any_letters_travels_in_the_link(rig: Rig) -> None:
    """T-96."""
    for day in range(1, 4):
        rig.ask("POST", "/api/pipelines/orders/evaluate", {"date": f"2026-03-0{day}"})
    whole = rig.ask("GET", "/api/pipelines/orders/events?limit=500").document
    pages = walk(rig, "/api/pipelines/orders/events?limit=2")
    assert len(pages) > 2
    # Each page is oldest first, and the next page is older.
    assert [event for page in reversed(pages) for event in page] == whole


def test_a_limit_beyond_the_largest_page_is_the_largest_page(rig: Rig) -> None:
    """T-96."""
    assert len(rig.ask("GET", "/api/pipelines?limit=1000000").document) == 3
    assert rig.ask("GET", "/api/pipelines?limit=0").status == 400


def test_lists_without_entries_are_lists(rig: Rig) -> None:
    """T-94."""
    for path in ("/traits", "/runs", "/runlogs", "/events", "/reruns", "/replays", "/sensors"):
        assert rig.ask("GET", f"/api/pipelines/orders{path}").document == [], path


def test_where_there_is_nothing_to_say_nothing_is_said(rig: Rig) -> None:
    rig.ask("POST", "/api/pipelines", {"name": "extra", "archetype": "one-check"})
    reply = rig.ask("DELETE", "/api/pipelines/extra")
    assert reply.status == 204
    assert reply.body == b""
    assert "content-type" not in reply.headers


def test_a_no_of_the_traits_comes_with_what_blocks(tmp_path: Path) -> None:
    """T-93."""
    root = a_project(tmp_path, timezone="UTC", check='echo \'{"status":"FAIL","reason":"too old"}\'')
    with Rig(root) as rig:
        reply = rig.ask("POST", "/api/pipelines/orders/run", {})
    assert reply.status == 412
    assert reply.document["code"] == "not_ready"
    assert reply.document["status"] == "NOT_READY"
    assert reply.document["blocking"] == ["data-check"]
    assert reply.document["error"] == reply.document["detail"]


def test_what_is_unknown_is_not_found_on_every_route_of_a_pipeline(rig: Rig) -> None:
    """T-93."""
    for method, path in (("POST", "evaluate"), ("GET", "readiness"), ("POST", "run"), ("GET", "status")):
        reply = rig.ask(method, f"/api/pipelines/order/{path}")
        assert reply.status == 404
        assert "did you mean orders?" in reply.document["detail"]


def test_a_store_that_does_not_answer_is_not_taken_for_nothing_being_there(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-93."""

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable(f"cannot read {rig.root}/.interlock/interlock.db: the disk is gone")

    monkeypatch.setattr(type(rig.work.store), "runs_of", fail)
    reply = rig.ask("GET", "/api/pipelines/orders/runs")
    assert reply.status == 503
    assert reply.document["code"] == "store_unavailable"
    assert reply.document["detail"] == "cannot read .interlock/interlock.db: the disk is gone", "and not where it lies"
    assert reply.headers["retry-after"]


def test_a_broken_file_is_told_with_its_problems_and_the_others_work(tmp_path: Path) -> None:
    """T-118."""
    root = a_project(tmp_path, timezone="UTC")
    (root / "pipelines" / "broken.yaml").write_text("name: broken\narchetype: one-chek\n")
    with Rig(root) as rig:
        reply = rig.ask("POST", "/api/pipelines/broken/evaluate")
        assert reply.status == 422
        assert any("one-chek" in problem["message"] for problem in reply.document["problems"])
        assert rig.ask("POST", "/api/pipelines/orders/evaluate").status == 200


def test_the_same_problem_reads_the_same_for_programs_and_people(tmp_path: Path) -> None:
    with Rig(tmp_path, with_keys(a_key("token-of-anna", "read"))) as rig:
        replies: list[Reply] = [
            rig.ask("GET", "/api/pipelines"),
            rig.ask("POST", "/api/pipelines/orders/run", key="token-of-anna"),
            rig.ask("GET", "/api/runs/nonsense", key="token-of-anna"),
        ]
    for reply in replies:
        said = json.loads(reply.body)
        assert {"type", "title", "status", "code", "detail", "error", "instance"} <= set(said)
        assert said["status"] == reply.status
