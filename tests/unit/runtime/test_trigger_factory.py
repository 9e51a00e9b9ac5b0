"""From a stored trigger configuration to a trigger for one job."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.codec.documents import document
from interlock.core.ids import RunKey, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import TriggerSpec
from interlock.errors import ConfigError, UnknownPlugin
from interlock.ports.triggers import Job
from interlock.runtime.triggers import TriggerFactory
from interlock.testing.builders import a_slot
from interlock.triggers.command import CommandConfig
from interlock.triggers.context import TriggerContext


def a_job(slot: Slot | None = None) -> Job:
    return Job(run=RunKey(slot or a_slot()), attempt=2, key="k")


def made(tmp_path: Path, config: dict[str, object], *, allow: tuple[str, ...] = (), **env: str) -> CommandConfig:
    context = TriggerContext(state_dir=tmp_path, root=tmp_path, env_allow=allow)
    found = TriggerFactory(context, env, {}, str).config(TriggerSpec(type="command", config=document(config)), a_job())
    assert isinstance(found, CommandConfig)
    return found


def test_placeholders_are_filled_in_for_the_job_at_hand(tmp_path: Path) -> None:
    """LAT-20."""
    config = made(tmp_path, {"command": "load --day {{date}} --attempt ${attempt}"})
    assert config.argv() == ("load", "--day", "2026-03-07", "--attempt", "2")


def test_a_value_with_spaces_stays_one_argument(tmp_path: Path) -> None:
    """T-100: placeholders are filled into parsed values, never into the text they were parsed from."""
    config = made(tmp_path, {"command": "load ${env:WHERE}"}, allow=("WHERE",), WHERE="a b; rm -rf '/'")
    assert config.argv() == ("load", "a b; rm -rf '/'")


def test_a_variable_that_is_not_allowed_is_never_read(tmp_path: Path) -> None:
    """T-73, BUG-119."""
    with pytest.raises(ConfigError, match="SECRET"):
        made(tmp_path, {"command": "load ${env:SECRET}"}, SECRET="hunter2")


def test_an_unknown_kind_of_trigger_is_named_with_the_nearest(tmp_path: Path) -> None:
    factory = TriggerFactory(TriggerContext(state_dir=tmp_path, root=tmp_path), {}, {}, str)
    with pytest.raises(UnknownPlugin, match="did you mean 'command'"):
        factory(TriggerSpec(type="comand"), a_job())


def test_a_configuration_that_no_longer_fits_says_whose_it_is(tmp_path: Path) -> None:
    slot = Slot(a_slot().pipeline, a_slot().schedule, Period("2026-03-07T14:00"))
    factory = TriggerFactory(TriggerContext(state_dir=tmp_path, root=tmp_path), {}, {}, str)
    with pytest.raises(ConfigError, match=r"command trigger of example.*colour"):
        factory(TriggerSpec(type="command", config=document({"command": "x", "colour": "red"})), a_job(slot))
