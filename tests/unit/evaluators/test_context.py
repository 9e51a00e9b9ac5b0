"""Laws of what the built-in checks have in common."""

from __future__ import annotations

import msgspec
import pytest

from interlock import plugins
from interlock.errors import ConfigError
from interlock.evaluators.builtin.files import FilesConfig
from interlock.evaluators.context import read_config, seconds

OURS = sorted(name for kind, name in plugins.BUILTIN if kind == "evaluator")


@pytest.mark.parametrize("name", OURS)
def test_every_builtin_describes_each_key_of_its_configuration(name: str) -> None:
    config = plugins.load("evaluator", name).Config
    found = msgspec.json.schema(config)["$defs"][config.__name__]
    assert found["additionalProperties"] is False
    assert all("description" in str(key) for key in found["properties"].values())
    assert all(key == key.strip("_") and "_" not in key for key in found["properties"])


@pytest.mark.parametrize("name", OURS)
def test_every_builtin_refuses_an_unknown_key_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match="surprise"):
        read_config(plugins.load("evaluator", name).Config, {"surprise": 1})


def test_a_duration_is_text_or_whole_seconds() -> None:
    assert seconds("maxAge", "1m30s") == seconds("maxAge", 90)
    for wrong in ("-5m", -1, "5", "", 10**12):
        with pytest.raises(ValueError, match="maxAge"):
            seconds("maxAge", wrong)


@pytest.mark.parametrize("wrong", [True, 1.5, [5]])
def test_a_duration_of_another_kind_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="maxAge"):
        read_config(FilesConfig, {"path": "x", "maxAge": wrong})
