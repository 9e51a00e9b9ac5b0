"""`interlock pipelines`: what the files define."""

from __future__ import annotations

from tests.unit.cli.terminal import Terminal


def test_each_pipeline_is_listed_with_its_schedules_and_its_file(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(
            'schedules:\n  - {name: morning, after: "06:00", deadline: "09:00", timezone: Europe/Berlin}\n  - {name: evening}\n'
        )
    (item,) = terminal("pipelines", "--json").document["items"]
    assert item["schedules"] == ["morning after 06:00 by 09:00 Europe/Berlin", "evening UTC"]
    assert (item["pipelineId"], item["archetype"], item["triggerType"]) == ("orders", "one-check", "command")
    assert item["file"] == "pipelines/orders.yaml"


def test_every_kind_of_schedule_is_said_in_words(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(
            'schedules:\n  - {name: weekdays, cron: "30 6 * * 1-5", deadline: +2h}\n  - {name: quarters, every: 15m}\n'
        )
    (item,) = terminal("pipelines", "--json").document["items"]
    assert item["schedules"] == ["weekdays cron '30 6 * * 1-5' within 2h UTC", "quarters every 15m UTC"]


def test_a_broken_file_is_listed_with_its_problem(terminal: Terminal) -> None:
    """T-118."""
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\nx: 1\n")
    said = terminal("pipelines")
    assert said.code == 2
    assert "orders" in said.out
    assert "sales" in said.out
    assert "interlock validate" in said.err
    items = terminal("pipelines", "--json").document["items"]
    assert [bool(item["problems"]) for item in items] == [False, True]


def test_the_store_is_not_looked_for(terminal: Terminal) -> None:
    terminal.store.parent.mkdir()
    terminal.store.write_text("this is no store")
    assert terminal("pipelines").code == 0
