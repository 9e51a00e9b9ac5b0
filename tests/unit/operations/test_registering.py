"""Registering pipelines, and looking at what there is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import ARCHETYPE, PIPELINE, a_script
from tests.unit.operations.office import NOW, Office, a_reader

from interlock.api.problems import kind_of, problem_of
from interlock.api.registering import (
    EXAMPLE,
    Archetype,
    Archetypes,
    CalendarDays,
    Calendars,
    Pipeline,
    PipelineConfig,
    Pipelines,
    RegisterPipeline,
    RemovePipeline,
)
from interlock.clients.redaction import MASK
from interlock.codec.documents import mapping
from interlock.config.load import load_project
from interlock.core.chronicle import EventKind
from interlock.errors import ConfigError, Conflict, Invalid, NotFound
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.wiring import Interlock
from interlock.scaffold.writing import write_scaffold
from interlock.testing.conformance.kernel_values import at_once

SOUND: dict[str, Any] = {
    "name": "returns",
    "archetype": "one-check",
    "traits": {"data-check": {"evaluator": "push", "ttl": 60}},
}


def register(office: Office, **more: Any) -> PipelineConfig:
    return perform(RegisterPipeline(document=SOUND | more), office.desk)


def names(office: Office) -> list[str]:
    return [each.name for each in perform(Pipelines(), office.desk).items]


# ---------------------------------------------------------------- registering


def test_a_pipeline_that_is_registered_is_there_at_once(office: Office) -> None:
    shown = register(office, tier=2)
    assert (shown.name, shown.tier, shown.source, shown.registered_by) == ("returns", 2, "api", "api:anna")
    assert shown.registered_at is not None
    assert NOW <= shown.registered_at <= office.work.clock.now()
    assert perform(Pipeline(pipeline_id="returns"), office.desk) == shown
    assert names(office) == ["orders", "returns", "sales"]
    assert office.work.catalog.spec(shown.name) is not None  # type: ignore[arg-type]  # a NewType of str


def test_the_same_document_again_changes_nothing(office: Office) -> None:
    assert register(office) == register(office)
    kinds = [line.record.kind for line in office.store.timeline("returns", limit=9)]
    assert kinds == [EventKind.PIPELINE_REGISTERED]


def test_another_document_replaces_the_first(office: Office) -> None:
    register(office)
    assert register(office, tier=7).tier == 7
    assert perform(Pipeline(pipeline_id="returns"), office.desk).tier == 7


def test_a_pipeline_of_a_file_cannot_be_replaced(office: Office) -> None:
    """T-77."""
    before = office.work.catalog.specs
    with pytest.raises(Conflict, match=r"pipelines/orders\.yaml"):
        register(office, name="orders")
    assert office.work.registrations.registrations() == ()
    assert office.work.catalog.specs == before


@pytest.mark.parametrize(
    "more",
    [
        {"name": "../../etc"},
        {"name": "a"},
        {"archetype": "nobody-knows"},
        {"trigger": {"type": "command", "command": "true"}},
    ],
)
def test_what_clients_of_the_reference_know_as_400_is_400_and_lists_all_problems(
    office: Office, more: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as caught:
        register(office, **more)
    body = problem_of(caught.value)
    assert body["status"] == 400
    assert body["problems"]
    assert body["error"]
    assert office.work.registrations.generation() == 0


def test_any_other_mistake_is_422_and_nothing_is_kept(office: Office) -> None:
    with pytest.raises(ConfigError) as caught:
        register(office, tier=77, owner=3)
    assert kind_of(caught.value).status == 422
    assert [problem.file for problem in caught.value.problems] == ["api:returns"] * 2
    assert office.work.registrations.generation() == 0


def test_a_program_outside_of_the_evaluator_directories_is_never_run(office: Office) -> None:
    """T-72: the attack as the specification has it."""
    with pytest.raises(ConfigError, match="only the name of a program"):
        register(office, traits={"data-check": {"evaluator": "/bin/bash", "config": {"x": "$(touch pwned)"}}})
    assert not list(office.root.glob("**/pwned"))


def test_of_two_who_register_one_name_at_once_one_document_stands_whole(office: Office) -> None:
    shown = at_once(6, lambda number: register(office, tier=number, owner=f"team-{number}"))
    found = perform(Pipeline(pipeline_id="returns"), office.desk)
    assert found.owner == f"team-{found.tier}"
    assert found in shown
    assert office.work.registrations.generation() == 6


def test_many_who_register_at_once_are_all_there(office: Office) -> None:
    at_once(8, lambda number: register(office, name=f"p-{number}"))
    assert [name for name in names(office) if name.startswith("p-")] == [f"p-{number}" for number in range(8)]


def test_a_registration_is_shown_by_whoever_only_looks(office: Office) -> None:
    register(office)
    with a_reader(office.root) as desk:
        assert perform(Pipeline(pipeline_id="orders"), desk).source == "pipelines/orders.yaml"


# ---------------------------------------------------------------- removing


def test_a_removed_pipeline_is_gone_and_its_history_stays(office: Office) -> None:
    """T-61."""
    register(office)
    perform(RemovePipeline(pipeline_id="returns"), office.desk)
    with pytest.raises(NotFound):
        perform(Pipeline(pipeline_id="returns"), office.desk)
    last = office.store.timeline("returns", limit=1)[0].record
    assert (last.kind, last.message) == (EventKind.PIPELINE_WITHDRAWN, "by api:anna")


def test_removing_what_is_not_there_is_done_already(office: Office) -> None:
    perform(RemovePipeline(pipeline_id="nobody"), office.desk)
    register(office)
    perform(RemovePipeline(pipeline_id="returns"), office.desk)
    perform(RemovePipeline(pipeline_id="returns"), office.desk)
    assert office.work.registrations.generation() == 2


def test_a_pipeline_of_a_file_cannot_be_removed(office: Office) -> None:
    """T-77."""
    with pytest.raises(Conflict, match="remove that file"):
        perform(RemovePipeline(pipeline_id="orders"), office.desk)
    assert "orders" in names(office)


def test_a_registration_that_a_file_shadows_is_told_and_can_be_removed(office: Office) -> None:
    register(office)
    (office.root / "pipelines/returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
    _read_again(office)
    shown = perform(Pipeline(pipeline_id="returns"), office.desk)
    assert (shown.source, shown.shadowed, shown.registered_by) == ("pipelines/returns.yaml", True, None)
    with pytest.raises(Conflict):
        register(office, tier=3)
    perform(RemovePipeline(pipeline_id="returns"), office.desk)
    shown = perform(Pipeline(pipeline_id="returns"), office.desk)
    assert (shown.source, shown.shadowed) == ("pipelines/returns.yaml", False)


def _read_again(office: Office) -> None:
    office.work.registry.swap(load_project(office.root, tolerant=True)[0])


# ---------------------------------------------------------------- looking


def test_every_page_of_pipelines_together_is_all_of_them(office: Office) -> None:
    """T-96."""
    for number in range(7):
        register(office, name=f"p-{number}")
    found, cursor = list[str](), None
    while True:
        page = perform(Pipelines(limit=2, cursor=cursor), office.desk)
        assert len(page.items) <= 2
        found += [each.name for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == sorted(found) == names(office)


def test_a_cursor_of_a_pipeline_that_is_gone_goes_on_behind_it(office: Office) -> None:
    assert [each.name for each in perform(Pipelines(cursor="p-3"), office.desk).items] == ["sales"]


def test_what_cannot_be_used_is_listed_with_its_problems(office: Office) -> None:
    """T-118."""
    (office.root / "archetypes/second.yaml").write_text(ARCHETYPE.replace("one-check", "second"))
    _read_again(office)
    register(office, archetype="second")
    (office.root / "archetypes/second.yaml").unlink()
    (office.root / "pipelines/bad.yaml").write_text("name: bad\nx: 1\n")
    _read_again(office)
    shown = {each.name: each for each in perform(Pipelines(), office.desk).items}
    assert "second" in shown["returns"].problems[0]
    assert (shown["returns"].source, shown["returns"].registered_by) == ("api", "api:anna")
    assert shown["bad"].source == "pipelines/bad.yaml"
    assert perform(Pipeline(pipeline_id="bad"), office.desk).problems == shown["bad"].problems
    assert shown["orders"].problems == ()
    assert register(office, archetype="one-check").problems == (), "it can be repaired by registering it anew"


def test_a_pipeline_that_nobody_knows_is_not_found_and_the_nearest_is_named(office: Office) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="did you mean orders"):
        perform(Pipeline(pipeline_id="order"), office.desk)


def test_no_secret_is_shown_again(office: Office) -> None:
    """T-76: neither in the answer to who handed it in, nor later, nor in the timeline."""
    secret = "hunter2-hunter2"
    trigger = {
        "type": "http",
        "url": f"https://me:{secret}@jobs.example.com/start?token={secret}",
        "headers": {"X-Tenant": secret},
        "body": {"password": secret, "day": "{{date}}"},
    }
    config = {"apiKey": secret, "rows": 3}
    shown = register(office, trigger=trigger, traits={"data-check": {"evaluator": "push", "config": config, "ttl": 60}})
    assert shown.trigger is not None
    assert mapping(shown.trigger)["headers"] == {"X-Tenant": MASK}
    assert mapping(shown.trigger)["body"] == {"password": MASK, "day": "{{date}}"}
    told = [line.record for line in office.store.timeline("returns", limit=9)]
    everything = (shown, perform(Pipelines(), office.desk), perform(Pipeline(pipeline_id="returns"), office.desk), told)
    assert secret not in repr(everything)


def test_a_program_by_its_name_is_shown_as_it_was_handed_in(office: Office) -> None:
    a_script(office.root / "evaluators/check-rows", "true")
    shown = register(office, traits={"data-check": {"evaluator": "check-rows"}})
    assert mapping(shown.traits["data-check"])["evaluator"] == "check-rows"


def test_what_is_shown_can_be_registered_again(office: Office) -> None:
    """But for secrets: nothing is lost by reading and writing back."""
    a_script(office.root / "evaluators/check-rows", "true")
    first = register(
        office,
        traits={"data-check": {"evaluator": "check-rows", "config": {"a": [1]}}},
        trigger={"type": "http", "url": "https://jobs.example.com", "headers": {"Accept": "*/*"}},
        schedules=[{"name": "morning", "after": "06:00", "timezone": "Asia/Tokyo"}],
        rules=[{"sensor": "landing", "check": "exists"}],
    )
    before = office.work.catalog.project.pipelines["returns"].spec
    from interlock.codec import wire

    about = ("source", "registeredBy", "registeredAt", "shadowed", "problems")
    document = {key: value for key, value in wire.to_builtins(first).items() if key not in about and value is not None}
    perform(RegisterPipeline(document=document), office.desk)
    assert office.work.catalog.project.pipelines["returns"].spec == before


def test_archetypes_are_shown_in_the_keys_of_their_files(office: Office) -> None:
    (found,) = perform(Archetypes(), office.desk).items
    assert found == perform(Archetype(archetype_name="one-check"), office.desk)
    assert [mapping(each)["type"] for each in found.required_traits] == ["data-check"]
    assert mapping(found.readiness_rule)["type"] == "all-required-pass"
    with pytest.raises(NotFound, match="did you mean 'one-check'"):
        perform(Archetype(archetype_name="one-chek"), office.desk)
    with pytest.raises(NotFound) as told:
        perform(Archetype(archetype_name="nothing-like-it"), office.desk)
    assert str(office.root) not in str(told.value), "where the project lies is nobody's business"


def test_calendars_are_listed_with_their_next_day_and_shown_with_more(office: Office) -> None:
    (office.root / "calendars").mkdir()
    (office.root / "calendars/closing.yaml").write_text("name: closing\ndates: [2026-03-06, 2026-03-09, 2026-12-24]\n")
    (office.root / "calendars/over.yaml").write_text("name: over\ndates: [2020-01-01]\n")
    _read_again(office)
    listed = [(each.name, each.next_day) for each in perform(Calendars(), office.desk).items]
    assert listed == [("closing", date(2026, 3, 9)), ("over", None)]
    assert perform(CalendarDays(calendar_name="closing"), office.desk).days == (date(2026, 3, 9), date(2026, 12, 24))
    since = CalendarDays(calendar_name="closing", since=date(2026, 3, 1), count=1)
    assert perform(since, office.desk).days == (date(2026, 3, 6),)
    with pytest.raises(NotFound, match="did you mean 'closing'"):
        perform(CalendarDays(calendar_name="closng"), office.desk)


def test_looking_needs_nothing_to_act_with(office: Office) -> None:
    """T-97."""
    with a_reader(office.root) as desk:
        assert perform(Pipelines(), desk).items
        assert perform(Pipeline(pipeline_id="orders"), desk).name == "orders"
        assert perform(Archetypes(), desk).items
        assert perform(Calendars(), desk).items == ()


def test_the_example_of_the_reference_can_be_registered_with_what_init_writes(tmp_path: Path) -> None:
    write_scaffold(tmp_path / "project", template="basic", extra={})
    with Interlock(load_project(tmp_path / "project")) as work:
        shown = perform(RegisterPipeline(document=EXAMPLE), WorkDesk(work, "api:anna"))
    assert shown.problems == ()
    assert [mapping(each)["name"] for each in shown.schedules] == ["morning"]
