"""`interlock compile` and `interlock deploy` in clumsy hands: wrong places, wrong files, wrong tables."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.cli.terminal import Terminal
from tests.unit.cli.test_deploy import TABLE, Cloud, cloud, documents, portable
from tests.unit.config.compiling import SALES

from interlock.core.ids import PipelineName
from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.deployments import DeploymentRows

__all__ = ("cloud", "portable")


def deployed(cloud: Cloud) -> list[str]:
    return [str(one.name) for one in DeploymentRows(cloud.kernel).pipelines()]


def test_what_is_no_file_is_written_to_and_not_replaced(portable: Terminal) -> None:
    """As root `--out /dev/null` would leave a machine without one."""
    Path("whole.json").write_text("")
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert portable("compile", "--out", "pipe").code == 0
        assert stat.S_ISFIFO(Path("pipe").lstat().st_mode)
        assert os.read(reader, 20).startswith(b"{")
    finally:
        os.close(reader)


def test_a_link_stays_a_link_to_what_is_written(portable: Terminal) -> None:
    Path("elsewhere").mkdir()
    Path("bundle.json").symlink_to("elsewhere/bundle.json")
    assert portable("compile", "--out", "bundle.json").code == 0
    assert Path("bundle.json").is_symlink()
    assert portable("compile", "--check", "elsewhere/bundle.json").code == 0


@pytest.mark.parametrize("place", ["", ".", "pipelines"])
def test_a_place_that_is_no_file_is_refused_in_words(portable: Terminal, place: str) -> None:
    said = portable("compile", "--out", place)
    assert (said.code, "internal fault" in said.err, "directory" in said.err) == (2, False, True)


def test_a_dash_is_stdout(portable: Terminal) -> None:
    said = portable("compile", "--out", "-")
    assert (said.code, said.document["format"], Path("-").exists()) == (0, "interlock-bundle/1", False)


def test_a_bundle_comes_through_a_pipe(portable: Terminal, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    text = portable("compile").out
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert portable("deploy", "sync", "-", *TABLE).code == 0
    assert deployed(cloud) == ["orders", "sales"]


def test_a_variable_that_is_not_set_is_no_bundle_and_no_table(portable: Terminal, cloud: Cloud) -> None:
    """`deploy sync "$BUNDLE"` must not deploy whatever directory it is in."""
    said = portable("deploy", "sync", "", *TABLE)
    assert (said.code, "BUNDLE" in said.err, deployed(cloud)) == (2, True, [])
    said = portable("deploy", "sync", "--table", "")
    assert (said.code, "--table" in said.err, cloud.opened) == (2, True, [])


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:99999", "127.0.0.1:8000", "ftp://x", "http://", "http://[::1"])
def test_an_endpoint_that_is_none_is_refused_before_anything(portable: Terminal, cloud: Cloud, endpoint: str) -> None:
    said = portable("deploy", "status", *TABLE, "--endpoint", endpoint)
    assert (said.code, "'--endpoint'" in said.err, cloud.opened) == (2, True, [])


def test_an_endpoint_with_a_password_is_left_to_the_store_and_not_shown(portable: Terminal, cloud: Cloud) -> None:
    said = portable("deploy", "status", *TABLE, "--endpoint", "http://anna:hush@127.0.0.1:port")
    assert (said.code, "hush" in said.err) == (2, False)


def test_trouble_with_the_table_is_told_by_the_names_of_options(portable: Terminal, cloud: Cloud) -> None:
    """Somebody who deploys has no `dynamodb` block that could be corrected."""
    cloud.error = StoreUnavailable(
        "cannot read it: nobody answers there. Correct dynamodb.region or dynamodb.endpoint, or look at the network"
    )
    said = portable("deploy", "status", *TABLE)
    assert (said.code, "Correct --region or --endpoint, or look" in said.err) == (75, True)
    cloud.error = StoreError("no region is known. Set dynamodb.region in the project file, or AWS_REGION")
    assert "Set --region, or AWS_REGION" in portable("deploy", "sync", *TABLE).err
    cloud.error = StoreError("it has no index GSI1. It was not changed. Correct dynamodb.tableName, or the table")
    assert "Correct --table, or the table" in portable("deploy", "sync", *TABLE, "--dry-run").err


def test_another_project_is_not_taken_for_this_one(portable: Terminal, cloud: Cloud) -> None:
    """A wrong directory or table would retire every pipeline that is deployed."""
    assert portable("deploy", "sync", *TABLE).code == 0
    Path("pipelines/orders.yaml").unlink()
    Path("pipelines/sales.yaml").unlink()
    Path("pipelines/theirs.yaml").write_text(SALES.replace("name: sales", "name: theirs"))
    for more in ((), ("--dry-run",)):
        said = portable("deploy", "sync", *TABLE, "--prune", *more)
        assert (said.code, "orders, sales. Is it the right" in said.err) == (7, True)
        assert deployed(cloud) == ["orders", "sales"]
    assert DeploymentRows(cloud.kernel).pipeline(PipelineName("theirs")) is None


def test_a_project_that_really_took_the_place_of_another_is_pruned_in_two_steps(
    portable: Terminal, cloud: Cloud
) -> None:
    assert portable("deploy", "sync", *TABLE).code == 0
    Path("pipelines/orders.yaml").unlink()
    Path("pipelines/sales.yaml").unlink()
    Path("pipelines/theirs.yaml").write_text(SALES.replace("name: sales", "name: theirs"))
    assert portable("deploy", "sync", *TABLE).code == 0
    said = portable("deploy", "sync", *TABLE, "--prune", "--json")
    assert (said.code, said.document["removed"], deployed(cloud)) == (0, ["orders", "sales"], ["theirs"])


def test_a_project_without_pipelines_retires_nothing(portable: Terminal, cloud: Cloud) -> None:
    assert portable("deploy", "sync", *TABLE).code == 0
    Path("pipelines/orders.yaml").unlink()
    Path("pipelines/sales.yaml").unlink()
    said = portable("deploy", "sync", *TABLE, "--prune")
    assert (said.code, "has no pipeline" in said.err, deployed(cloud)) == (7, True, ["orders", "sales"])
    assert documents(portable("deploy", "sync", *TABLE, "--json"), "gone") == [["orders", "sales"]]
