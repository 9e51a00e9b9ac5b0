"""`interlock keys`: making keys, and seeing which there are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.cli.terminal import Terminal

from interlock.config.build_server import digest_of
from interlock.config.load import load_project
from interlock.server.keys import ring_of


def test_what_is_printed_for_the_file_is_the_key_that_was_printed_for_its_holder(terminal: Terminal) -> None:
    said = terminal("keys", "new", "--name", "airflow", "--role", "push", "--role", "read", "--pipeline", "orders-*")
    assert said.code == 0
    token = said.out.split()[1]
    lines = yaml.safe_load("".join(f"{line}\n" for line in said.out.splitlines()[2:]))
    assert lines == [
        {
            "name": "airflow",
            "hash": f"sha256:{digest_of(token)}",
            "roles": ["push", "read"],
            "pipelines": ["orders-*"],
        }
    ]
    file = terminal.root / "interlock.yaml"
    file.write_text(file.read_text() + yaml.safe_dump({"server": {"keys": lines}}))
    caller = ring_of(load_project(terminal.root).settings.server, {}).find(token.encode())
    assert caller is not None
    assert caller.name == "airflow"


def test_a_token_is_kept_nowhere(terminal: Terminal) -> None:
    token = terminal("keys", "new", "--name", "airflow", "--json").document["token"]
    kept = [path for path in terminal.root.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert kept == []


def test_a_key_may_read_and_no_more_unless_something_else_is_said(terminal: Terminal) -> None:
    document = terminal("keys", "new", "--name", "airflow", "--json").document
    assert document["kind"] == "NewKey"
    assert document["roles"] == ["read"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--name", "a b"),
        ("--name", ""),
        ("--name", "apiKey"),
        ("--name", "a", "--role", "king"),
        ("--name", "a", "--pipeline", "A/b"),
        (),
    ],
)
def test_what_cannot_be_a_key_is_refused_before_one_is_shown(terminal: Terminal, wrong: tuple[str, ...]) -> None:
    said = terminal("keys", "new", *wrong)
    assert said.code == 2
    assert said.out == ""


def test_the_keys_there_are_are_listed_without_anything_that_opens_them(terminal: Terminal, tmp_path: Path) -> None:
    assert "no keys" in terminal("keys", "list").out
    digest = digest_of("a-token-of-somebody")
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"keys: [{{name: ben, hash: 'sha256:{digest}', roles: [operate], pipelines: [orders]}}]\n")
    keys.chmod(0o600)
    file = terminal.root / "interlock.yaml"
    file.write_text(file.read_text() + f"server: {{apiKey: a-key-of-the-file, keysFile: {keys}}}\n")
    said = terminal("keys", "list")
    assert "apiKey" in said.out
    assert "ben" in said.out
    assert "operate push read" in said.out
    assert digest not in said.out
    assert "a-key-of-the-file" not in said.out
    assert [item["name"] for item in terminal("keys", "list", "--json").document["items"]] == ["apiKey", "ben"]


def test_keys_are_of_the_project_here(terminal: Terminal) -> None:
    assert terminal("--server", "http://127.0.0.1:1", "keys", "list").code == 2
