"""The module, applied by the real Terraform, at work, and removed again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.aws.e2e.applied import AnswerLost, Applied, a_lab_of_its_own
from tests.aws.e2e.deployment import Deployment
from tests.aws.e2e.outside import Outside
from tests.aws.e2e.project import over_http, pipeline
from tests.aws.e2e.site import Site
from tests.deploy.terraform import TerraformMissing
from tests.servers.base import ServerMissing
from tests.servers.fixtures import missing

from interlock.core.runs import RunStatus

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("INTERLOCK_AWS_E2E"), reason="make aws-e2e runs it (INTERLOCK_AWS_E2E=1)"),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def in_new_emulators(directory: Path, stack: ExitStack) -> tuple[Applied, Site]:
    try:
        with ExitStack() as mine:
            lab = mine.enter_context(a_lab_of_its_own())
            applied = mine.enter_context(closing(Applied(lab, directory)))
            site = applied.apply()
            stack.push(mine.pop_all())
    except TerraformMissing as exc:
        missing("terraform", exc)
    except ServerMissing as exc:
        missing("ministack", exc)
    return applied, site


def test_what_terraform_makes_works_and_goes_away_again(stack: ExitStack, tmp_path: Path) -> None:
    """AWS-01, AWS-02, AWS-24: variables, filters, names and definitions are those of the module, not of a test."""
    try:
        applied, site = in_new_emulators(tmp_path / "first", stack)
    except AnswerLost:
        applied, site = in_new_emulators(tmp_path / "second", stack)
    try:
        with Outside() as outside, Deployment(applied.lab, site, outside) as deployment:
            _is_at_work(deployment, outside, tmp_path / "project")
    finally:
        applied.destroy()
    assert applied.left() == {}


def _is_at_work(deployment: Deployment, outside: Outside, root: Path) -> None:
    names = ("progressive", "hopeless")
    once = {"retry": {"maxAttempts": 1}}
    deployment.deploy(
        root, *(pipeline(name, trigger=over_http(outside, name, pollInterval="1s"), **once) for name in names)
    )
    outside.starting["hopeless"] = lambda job: setattr(job, "state", "FAILED")
    outside.tell("hopeless", "data", "PASS")
    for name in names:
        deployment.marker(name)
    deployment.waits("WaitForReadiness", "progressive")
    assert outside.begun("progressive") == []
    outside.tell("progressive", "data", "PASS")
    deployment.send("SendMarker", pipelineId="progressive", source="queue")
    run = deployment.waits("WaitForJob", "progressive")
    assert deployment.ask("POST", f"/api/runs/{run.key.run_id}/complete", {"status": "success"}).status == 200
    deployment.becomes(RunStatus.COMPLETED, "progressive")
    deployment.becomes(RunStatus.FAILED, "hopeless")
    deployment.alerted("hopeless", "run_failed")
    deployment.until(lambda: len(deployment.ends("hopeless") + deployment.ends("progressive")) == 2, "ends are told")
    for rule in ("scheduler", "watchdog", "alert-delivery"):
        deployment.round(rule)
    assert [len(outside.begun(name)) for name in names] == [1, 1]
    assert deployment.trouble() == []
