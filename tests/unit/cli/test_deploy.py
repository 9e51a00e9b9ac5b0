"""`interlock deploy`, on a table that is kept in memory here; on DynamoDB itself: tests/contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.terminal import Terminal, now
from tests.unit.config.compiling import ORDERS, SALES, portable_project

from interlock.app import planning
from interlock.aws.scheduling import beat
from interlock.cli import deploy
from interlock.config.project import Project
from interlock.errors import Contention, StoreEmpty, StoreError
from interlock.ports.members import Member
from interlock.runtime import stores
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Kernel
from interlock.stores.members import MemberRows
from interlock.stores.memory import MemoryKernel
from interlock.stores.passing import PassingKernel

TABLE = ("--table", "interlock")


class Lent(PassingKernel):
    """A kernel that many commands open one after the other."""

    def close(self) -> None:
        """Stay open."""


class Cloud:
    """Stands in the place of DynamoDB."""

    def __init__(self) -> None:
        self.kernel = MemoryKernel()
        self.opened: list[tuple[str, str, bool]] = []
        self.error: StoreError | None = None

    def open(self, project: Project, *, read_only: bool = False, env: Mapping[str, str] | None = None) -> Kernel:
        spec = project.settings.dynamodb
        self.opened.append((spec.table_name, spec.region, read_only))
        if self.error is not None:
            raise self.error
        return Lent(self.kernel)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(stores, "open_kernel", cloud.open)
    return cloud


@pytest.fixture
def portable(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(portable_project(tmp_path / "portable"))
    return terminal


def documents(said: Any, *names: str) -> list[Any]:
    return [said.document["difference"][name] for name in names]


def test_a_project_is_compiled_and_deployed(portable: Terminal, cloud: Cloud) -> None:
    said = portable("deploy", "sync", ".", *TABLE, "--region", "eu-central-1")
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines()[:3]] == [
        ["new", "orders"],
        ["new", "sales"],
        ["changed", "(settings)"],
    ]
    assert said.out.endswith(", deployment 1\n")
    assert cloud.opened == [("interlock", "eu-central-1", False)]
    assert [one.name for one in DeploymentRows(cloud.kernel).pipelines()] == ["orders", "sales"]


def test_a_bundle_is_deployed_as_it_was_compiled(portable: Terminal, cloud: Cloud) -> None:
    portable("compile", "--out", "bundle.json")
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tier: 3\n")
    said = portable("deploy", "sync", "bundle.json", *TABLE, "--json")
    assert (said.code, said.document["kind"], said.document["generation"]) == (0, "DeploySync", 1)
    deployed = DeploymentRows(cloud.kernel).pipeline("orders")  # type: ignore[arg-type]  # a NewType of str
    assert deployed is not None
    assert deployed.spec.tier == 0


def test_deployed_twice_nothing_changes(portable: Terminal, cloud: Cloud) -> None:
    portable("deploy", "sync", *TABLE)
    said = portable("deploy", "sync", *TABLE, "--json")
    assert (said.code, said.document["generation"]) == (0, 1)
    assert documents(said, "same", "new", "changed", "unchanged") == [True, [], [], 2]


def test_a_dry_run_says_what_would_be_and_writes_nothing(portable: Terminal, cloud: Cloud) -> None:
    said = portable("deploy", "sync", *TABLE, "--dry-run")
    assert (said.code, "nothing was written" in said.out) == (0, True)
    assert cloud.opened == [("interlock", "", True)]
    assert cloud.kernel.walk(None, 10).found == ()
    portable("deploy", "sync", *TABLE)
    Path("pipelines/sales.yaml").unlink()
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tier: 3\n")
    said = portable("deploy", "sync", *TABLE, "--dry-run", "--prune", "--json")
    assert documents(said, "new", "changed", "unchanged", "gone") == [[], ["orders"], 0, ["sales"]]
    assert (said.document["removed"], said.document["generation"]) == (["sales"], None)
    assert DeploymentRows(cloud.kernel).pipeline("sales") is not None  # type: ignore[arg-type]  # a NewType of str


def test_a_dry_run_on_a_table_that_nobody_used_yet_finds_everything_new(portable: Terminal, cloud: Cloud) -> None:
    cloud.error = StoreEmpty("nothing was ever written into it")
    said = portable("deploy", "sync", *TABLE, "--dry-run", "--json")
    assert documents(said, "new") == [["orders", "sales"]]


def test_what_the_bundle_lacks_is_named_and_retired_only_with_prune(portable: Terminal, cloud: Cloud) -> None:
    portable("deploy", "sync", *TABLE)
    Path("pipelines/sales.yaml").unlink()
    said = portable("deploy", "sync", *TABLE)
    assert (said.code, "sales  (not in the bundle; --prune retires it)" in said.out) == (0, True)
    said = portable("deploy", "sync", *TABLE, "--prune", "--json")
    assert said.document["removed"] == ["sales"]
    assert DeploymentRows(cloud.kernel).pipeline("sales") is None  # type: ignore[arg-type]  # a NewType of str


def test_what_functions_cannot_do_is_not_deployed(portable: Terminal, cloud: Cloud) -> None:
    Path("pipelines/sales.yaml").write_text(SALES.replace("{type: external}", "{type: command, command: echo}"))
    said = portable("deploy", "sync", *TABLE)
    assert (said.code, "pipelines/sales.yaml:7:17" in said.err, cloud.opened) == (2, True, [])


def test_a_missing_table_is_told_with_who_makes_it(portable: Terminal, cloud: Cloud) -> None:
    cloud.error = StoreError("cannot open the DynamoDB table 'interlock': there is no such table. Correct …")
    said = portable("deploy", "sync", *TABLE)
    assert (said.code, said.out) == (3, "")
    assert "Terraform makes it" in said.err
    cloud.error = StoreError("cannot open the DynamoDB table 'interlock': access denied")
    assert "access denied" in portable("deploy", "sync", *TABLE).err


def test_a_table_on_which_a_watcher_works_is_refused(portable: Terminal, cloud: Cloud) -> None:
    """AWS-46: two engines on one table would each start the jobs."""
    until = now() + timedelta(hours=1)
    member = Member(role="watcher", name="w", host="elsewhere", pid=1, started="", joined_at=now(), until=until)
    assert MemberRows(cloud.kernel).put_member(member)
    said = portable("deploy", "sync", *TABLE)
    assert (said.code, "a watcher works on the table 'interlock' (w)" in said.err) == (7, True)
    assert DeploymentRows(cloud.kernel).head() is None


def test_the_functions_that_work_on_a_table_are_no_watcher(portable: Terminal, cloud: Cloud) -> None:
    """Their scheduler shows a sign of life as a watcher does: a second deployment must be possible all the same."""
    beat(MemberRows(cloud.kernel), now(), progress_at=now())
    assert portable("deploy", "sync", *TABLE).code == 0
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tier: 3\n")
    assert documents(portable("deploy", "sync", *TABLE, "--json"), "changed") == [["orders"]]


def test_what_is_left_to_do_leaves_with_75(portable: Terminal, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(name: str, *rest: Any) -> bool:
        raise Contention("others kept changing it first")

    with monkeypatch.context() as patched:
        patched.setattr(planning, "plan_pipeline", stuck)
        said = portable("deploy", "sync", *TABLE, "--json")
    assert (said.code, [one["pipelineId"] for one in said.document["troubles"]]) == (75, ["orders", "sales"])
    assert "deploy again" in said.err
    said = portable("deploy", "sync", *TABLE, "--json")
    assert (said.code, documents(said, "unfinished")) == (0, [["orders", "sales"]])


def test_who_deployed_what_is_shown(portable: Terminal, cloud: Cloud) -> None:
    said = portable("deploy", "status", *TABLE)
    assert (said.code, "nothing is deployed in the table 'interlock'" in said.err) == (8, True)
    portable("deploy", "sync", *TABLE)
    said = portable("deploy", "status", *TABLE)
    assert (said.code, "2 pipelines, deployment 1, by cli" in said.out) == (0, True)
    document = portable("deploy", "status", *TABLE, "--json").document
    assert (document["kind"], document["pipelines"], document["difference"]) == ("Deployment", 2, None)
    assert document["at"].startswith("2026-03-07T12:00")


def test_what_is_deployed_is_compared_with_what_is_here(portable: Terminal, cloud: Cloud) -> None:
    portable("deploy", "sync", *TABLE)
    said = portable("deploy", "status", *TABLE, "--diff", ".")
    assert (said.code, said.out.splitlines()[-1]) == (0, "the same")
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tier: 3\n")
    Path("pipelines/sales.yaml").unlink()
    said = portable("deploy", "status", *TABLE, "--diff", ".")
    assert (said.code, "it differs from the bundle" in said.out) == (1, True)
    said = portable("deploy", "status", *TABLE, "--diff", ".", "--json")
    assert documents(said, "same", "changed", "gone") == [False, ["orders"], ["sales"]]


def test_no_server_is_asked(portable: Terminal, cloud: Cloud) -> None:
    said = portable("--server", "http://127.0.0.1:1", "deploy", "sync", *TABLE)
    assert (said.code, "leave --server out" in said.err) == (2, True)
    assert deploy.command.commands.keys() == {"sync", "status"}
