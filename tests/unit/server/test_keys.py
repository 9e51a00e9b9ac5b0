"""Keys: where they come from, how they are known again, and what is refused."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock.api.contract import Role
from interlock.config.build_server import digest_of, load_keys
from interlock.config.load import load_project
from interlock.config.project import ServerSpec
from interlock.errors import ConfigError
from interlock.server.keys import VARIABLE, KeyRing, is_loopback, new_key, require_guarded, ring_of

TOKEN = "ilk_canary-of-the-tests-0123456789"
OTHER = "ilk_another-of-the-tests-9876543210"


def a_file(path: Path, *tokens: str) -> Path:
    lines = [f"  - {{name: k{number}, hash: sha256:{digest_of(token)}}}" for number, token in enumerate(tokens)]
    path.write_text("\n".join(["keys:", *lines]) + "\n" if tokens else "keys: []\n")
    path.chmod(0o644)
    return path


def test_a_new_key_is_known_by_its_hash_and_no_two_are_alike() -> None:
    one, two = new_key(), new_key()
    assert one.token != two.token
    assert len(one.token) > 40
    assert one.token not in one.hash
    ring = KeyRing([replace(a_key("x", "push"), digest=one.hash.removeprefix("sha256:"), name="one")])
    found = ring.find(one.token.encode())
    assert found is not None
    assert found.actor == "api:one"
    assert ring.find(two.token.encode()) is None
    assert ring.find(one.hash.encode()) is None
    assert ring.find(b"") is None


def test_a_key_holds_all_that_its_roles_imply() -> None:
    ring = KeyRing([a_key(TOKEN, "read", "push"), a_key(OTHER, "operate")])
    both, operate = ring.find(TOKEN.encode()), ring.find(OTHER.encode())
    assert both is not None
    assert operate is not None
    assert both.roles == {Role.READ, Role.PUSH}
    assert operate.roles == {Role.READ, Role.PUSH, Role.OPERATE}


def test_two_keys_of_one_name_or_one_token_are_refused() -> None:
    with pytest.raises(ConfigError, match="two API keys named 'a'"):
        KeyRing([a_key(TOKEN, "read", name="a"), a_key(OTHER, "read", name="a")])
    with pytest.raises(ConfigError, match="has the token of another key"):
        KeyRing([a_key(TOKEN, "read", name="a"), a_key(TOKEN, "admin", name="b")])


def test_the_key_of_the_project_file_is_kept_as_a_hash_from_the_first_moment(tmp_path: Path) -> None:
    """T-81."""
    (tmp_path / "interlock.yaml").write_text(f"server:\n  apiKey: {TOKEN}\n")
    project = load_project(tmp_path)
    assert TOKEN not in repr(project)
    found = ring_of(project.settings.server, {}).find(TOKEN.encode())
    assert found is not None
    assert found.actor == "api:apiKey"
    assert found.roles == set(Role)


def test_the_key_may_come_from_a_variable_and_must_then_be_there(tmp_path: Path) -> None:
    """T-81."""
    (tmp_path / "interlock.yaml").write_text("server: {apiKey: '${env:MY_KEY}'}\n")
    spec = load_project(tmp_path).settings.server
    assert ring_of(spec, {"MY_KEY": TOKEN}).find(TOKEN.encode()) is not None
    with pytest.raises(ConfigError, match="MY_KEY, which is not set"):
        ring_of(spec, {})
    with pytest.raises(ConfigError, match="MY_KEY, which has fewer than 8"):
        ring_of(spec, {"MY_KEY": "short"})


def test_the_environment_alone_may_bring_a_key() -> None:
    ring = ring_of(ServerSpec(), {VARIABLE: TOKEN})
    assert ring.needed
    assert ring.find(TOKEN.encode()) is not None
    assert not ring_of(ServerSpec(), {VARIABLE: ""}).needed


def test_a_key_that_is_too_short_to_be_one_is_refused_without_being_shown(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").write_text("server: {apiKey: hunter2}\n")
    with pytest.raises(ConfigError, match="fewer than 8 characters") as caught:
        load_project(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_token_where_its_hash_belongs_is_refused_without_being_shown(tmp_path: Path) -> None:
    (tmp_path / "interlock.yaml").write_text(f"server: {{keys: [{{name: a, hash: {TOKEN}}}]}}\n")
    with pytest.raises(ConfigError, match="expected sha256:") as caught:
        load_project(tmp_path)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_of_keys_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = a_file(tmp_path / "keys.yaml", TOKEN)
    file.chmod(mode)
    with pytest.raises(ConfigError, match="others than its owner"):
        load_keys(file)


def test_a_file_of_keys_that_is_not_there_stops_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist|No such file"):
        ring_of(ServerSpec(keys_file=tmp_path / "keys.yaml"), {})


def test_everything_wrong_with_a_file_of_keys_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys:\n  - {name: a b, hash: nope, rolls: [read]}\n  - {name: c, hash: nope, roles: [king]}\n")
    with pytest.raises(ConfigError) as caught:
        load_keys(file)
    assert len(caught.value.problems) >= 5


def test_an_empty_file_of_keys_lets_nobody_in_rather_than_everybody(tmp_path: Path) -> None:
    """T-71."""
    spec = ServerSpec(keys_file=a_file(tmp_path / "keys.yaml"))
    with Rig(tmp_path / "project", spec) as rig:
        assert rig.ask("GET", "/api/pipelines").status == 401


def test_a_key_taken_out_of_its_file_is_good_no_more_without_a_restart(tmp_path: Path) -> None:
    file = a_file(tmp_path / "keys.yaml", TOKEN, OTHER)
    ring = KeyRing([], file)
    assert ring.find(TOKEN.encode()) is not None
    a_file(file, OTHER)
    os.utime(file, ns=(1, 1))
    ring.look_again()
    assert ring.find(TOKEN.encode()) is None
    assert ring.find(OTHER.encode()) is not None


def test_a_file_of_keys_that_breaks_leaves_the_keys_as_they_were_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = a_file(tmp_path / "keys.yaml", TOKEN)
    ring = KeyRing([], file)
    file.write_text("keys: [{")
    with caplog.at_level(logging.ERROR, "interlock.server"):
        ring.look_again()
        ring.look_again()
    assert ring.find(TOKEN.encode()) is not None
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST."])
def test_loopback_needs_no_key(host: str) -> None:
    """T-71."""
    assert is_loopback(host)
    require_guarded(ServerSpec(host=host), KeyRing([]))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.example.com"])
def test_beyond_loopback_a_key_is_needed_or_a_clear_word(host: str) -> None:
    """T-71."""
    with pytest.raises(ConfigError, match="anybody could start and stop jobs"):
        require_guarded(ServerSpec(host=host), KeyRing([]))
    require_guarded(ServerSpec(host=host, allow_public=True), KeyRing([]))
    require_guarded(ServerSpec(host=host), KeyRing([a_key(TOKEN, "read")]))


def test_a_server_beyond_loopback_without_a_key_is_not_even_made(tmp_path: Path) -> None:
    """T-71."""
    with pytest.raises(ConfigError, match="allowPublic"), Rig(tmp_path, ServerSpec(host="0.0.0.0")):
        pass


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": TOKEN},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer   {TOKEN} "},
        {"authorization": f"Bearer {TOKEN}", "x-api-key": TOKEN},
    ],
)
def test_a_key_is_taken_from_either_header(tmp_path: Path, headers: dict[str, str]) -> None:
    with Rig(tmp_path, with_keys(a_key(TOKEN, "read"))) as rig:
        assert rig.ask("GET", "/version", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {OTHER}", "x-api-key": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"cookie": f"x-api-key={TOKEN}"},
        {"x-api-key": TOKEN.upper()},
        {"x-api-key": TOKEN + "\u00e9"},
    ],
)
def test_anything_else_is_no_key(tmp_path: Path, headers: dict[str, str]) -> None:
    with Rig(tmp_path, with_keys(a_key(TOKEN, "read"))) as rig:
        assert rig.ask("GET", "/version", headers=headers).status == 401
        assert rig.ask("GET", f"/version?apiKey={TOKEN}").status == 401


def test_two_keys_in_two_equal_headers_are_no_key(tmp_path: Path) -> None:
    with Rig(tmp_path, with_keys(a_key(TOKEN, "read"))) as rig:
        twice = [(b"x-api-key", TOKEN.encode()), (b"x-api-key", b"else")]
        assert rig.ask("GET", "/version", raw_headers=twice).status == 400
