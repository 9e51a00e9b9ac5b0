"""The Terraform module is what the code needs, and holds its own laws."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.terraform import MODULE, ROOT, Terraform, TerraformMissing
from tests.servers.fixtures import missing

from interlock.api.contract import Role
from interlock.aws import functions, metrics
from interlock.aws.environment import Environment

SERVICES: Final = {
    "glue": ("glue", "glue"),
    "emr": ("emr", "elasticmapreduce"),
    "emr_serverless": ("emr_serverless", "emr-serverless"),
    "step_function": ("step_function", "states"),
    "lambda_function": ("lambda_function", "lambda"),
}
RENAMED: Final = {"lambda:Invoke": "lambda:InvokeFunction"}


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    try:
        return Terraform(tmp_path)
    except TerraformMissing as exc:
        missing("terraform", exc)
        raise


def _read(name: str) -> str:
    return (MODULE / name).read_text(encoding="utf-8")


def _given() -> dict[str, str]:
    """Return the variables that the module has values for."""
    block = re.search(r"\n  values = \{\n(.*?)\n  \}\n", _read("locals.tf"), re.DOTALL)
    assert block is not None
    return dict(re.findall(r"^    ([A-Z_]+) += (.+)$", block[1], re.MULTILINE))


# ---------------------------------------------------------------- without Terraform


def test_the_table_of_functions_is_the_one_the_code_writes() -> None:
    assert _read("functions.json") == functions.table_text()


def test_the_module_has_a_value_for_every_variable_and_no_other() -> None:
    assert set(_given()) == {name for function in functions.FUNCTIONS for name in function.environment}


@pytest.mark.parametrize("function", functions.FUNCTIONS, ids=lambda function: function.name)
def test_every_function_can_work_with_what_the_module_gives_it(function: functions.Function) -> None:
    """AWS-01: a router without its configuration starts nothing, and nobody hears of it."""
    environ = {name: "300" if name == functions.LONGEST_WAIT else value for name, value in _given().items()}
    found = Environment.of(function, {name: environ[name] for name in function.environment})
    assert found.table


@pytest.mark.parametrize("trigger", SERVICES)
def test_every_call_of_a_trigger_is_allowed_to_some_function(trigger: str) -> None:
    module, service = SERVICES[trigger]
    source = (ROOT / f"src/interlock/triggers/{module}.py").read_text(encoding="utf-8")
    called = re.findall(r"_\w+\.call\(\s*\"([a-z_]+)\"", source)
    wanted = {f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}" for operation in called}
    allowed = set(re.findall(rf"\"({service}:\w+)\"", _read("iam_triggers.tf")))
    assert wanted, f"no call was found in {module}.py: mend this test"
    assert {RENAMED.get(action, action) for action in wanted} == allowed - {"emr-serverless:TagResource"}


def test_callers_can_be_given_the_roles_that_the_api_has() -> None:
    refused = re.search(r"values\(var\.api_roles\)\) : contains\((\[[^\]]+\])", _read("variables.tf"))
    assert refused is not None
    assert json.loads(refused[1]) == list(Role)


@pytest.mark.parametrize("alarm", [metrics.SCHEDULER_TICK, metrics.WATCHDOG_SCAN])
def test_the_alarms_of_silence_listen_to_what_the_functions_count(alarm: str) -> None:
    """AWS-33, AWS-49: a watchdog that stopped is noticed by the lack of its count."""
    assert f'metric = "{alarm}"' in _read("alarms.tf")
    assert f'namespace           = "{metrics.NAMESPACE}"' in _read("alarms.tf")


def test_the_manual_gives_the_reason_of_every_right_on_everything() -> None:
    found = re.findall(
        r"Sid += \"(\w+)\"\n(?: +Effect.*\n)(?: +Action += \[(?:[^\]]*)\]\n) +Resource += \[\"\*\"\]", _read("iam.tf")
    )
    assert sorted(found) == ["DeliverLogs", "SeeNetwork", "Trace"]
    assert [sid for sid in found if f"`{sid}`" not in _read("README.md")] == []


def test_the_manual_says_what_to_do_for_every_kind_of_alarm() -> None:
    endings = re.findall(r"\"\$\{name\}-([a-z-]+)\" =", _read("alarms.tf"))
    kinds = {*endings, "silent", "table-throttles", "table-errors"}
    kinds |= set(re.findall(r"^    (Execution\w+) +=", _read("alarms.tf"), re.MULTILINE))
    assert len(kinds) > 12
    assert [kind for kind in sorted(kinds) if kind not in _read("README.md")] == []


def test_every_variable_and_output_says_what_it_is() -> None:
    blocks = re.findall(
        r"^(variable|output) \"(\w+)\" \{\n(.*?)^\}", "".join(map(_read, _sources())), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) > 40
    assert [name for _, name, body in blocks if not re.match(r"  description += \".+\.\"\n", body)] == []


def _sources() -> list[str]:
    return sorted(path.name for path in MODULE.glob("*.tf"))


# ---------------------------------------------------------------- with Terraform


def test_every_file_is_formatted(terraform: Terraform) -> None:
    assert terraform.run("fmt", "-check", "-recursive", "-diff") == ""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["examples/minimal", "examples/complete", "tests/lab"])
def test_what_uses_the_module_is_valid(terraform: Terraform, place: str) -> None:
    terraform.prepare(place)
    assert "The configuration is valid" in terraform.run("validate", "-no-color", place=place)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_module_holds_its_laws(terraform: Terraform) -> None:
    """Least rights, alarms, dead letters, protection: see the assertions of deploy/terraform/tests.

    AWS-01, AWS-14, AWS-24, AWS-37, AWS-49, AWS-51.
    """
    terraform.prepare()
    said = terraform.run("test", "-no-color", timeout=240)
    assert re.search(r"Success! \d\d passed, 0 failed", said), said
