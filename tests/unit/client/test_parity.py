"""The two clients are one: the same verbs, by the same words; and every request of the contract has its verb."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import interlock
from interlock.client.aio import AsyncClient
from interlock.client.client import Client
from interlock.server.kinds import kinds

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("pipelines", "sensors", "alerts", "silences")


def twins() -> ModuleType:
    spec = importlib.util.spec_from_file_location("async_client", ROOT / "scripts/async_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verbs(client: object) -> Iterator[tuple[str, Any]]:
    """Yield every public verb of a client, also those of its groups, with its function."""
    for name, function in inspect.getmembers(type(client), inspect.isfunction):
        if not name.startswith("_"):
            yield name, function
    for group in GROUPS:
        for name, function in inspect.getmembers(type(getattr(client, group)), inspect.isfunction):
            if not name.startswith("_"):
                yield f"{group}.{name}", function


BLOCKING = dict(verbs(Client("http://127.0.0.1:1")))
WAITING = dict(verbs(AsyncClient("http://127.0.0.1:1")))


def test_the_asynchronous_verbs_are_written_out_of_the_blocking_ones() -> None:
    wanted = dict(twins().twins())
    assert set(twins().TARGET.glob("*.py")) == set(wanted)
    differing = [path.name for path, text in wanted.items() if path.read_text() != text]
    assert differing == [], "run scripts/async_client.py"


def test_both_clients_have_the_same_verbs() -> None:
    assert set(BLOCKING) == set(WAITING)
    assert len(BLOCKING) > 50


@pytest.mark.parametrize("name", sorted(BLOCKING))
def test_a_verb_is_called_by_the_same_words_on_both(name: str) -> None:
    one, other = inspect.signature(BLOCKING[name]), inspect.signature(WAITING[name])
    assert [(each.name, each.kind, each.default) for each in one.parameters.values()] == [
        (each.name, each.kind, each.default) for each in other.parameters.values()
    ]
    assert all(each.annotation != inspect.Parameter.empty for each in list(one.parameters.values())[1:])


@pytest.mark.parametrize("name", sorted(BLOCKING))
def test_a_verb_says_what_it_does_and_on_both_the_same(name: str) -> None:
    said = inspect.getdoc(BLOCKING[name])
    assert said
    if name not in ("gate", "gated"):  # whose examples differ by `async` and `await`
        assert inspect.getdoc(WAITING[name]) == said


def test_both_clients_are_made_by_the_same_words() -> None:
    one, other = inspect.signature(Client), inspect.signature(AsyncClient)
    assert list(one.parameters.values()) == list(other.parameters.values())


def test_what_is_slow_to_answer_can_be_waited_for_on_the_asynchronous_client() -> None:
    plain = {name for name, function in WAITING.items() if not inspect.iscoroutinefunction(function)}
    iterators = {name for name in WAITING if re.search(r"(^|\.)iter", name)} | {"stream"}
    assert plain == iterators | {"gate", "gated"}


def test_every_request_of_the_contract_is_asked_by_some_verb() -> None:
    asked = set()
    for function in WAITING.values():
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        home = inspect.getmodule(function)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                asked.add(getattr(home, node.func.id, None))
    missing = [kind.__name__ for kind in kinds() if kind not in asked]
    assert missing == []


def test_the_root_package_offers_the_clients_and_the_errors() -> None:
    assert interlock.Client is Client
    assert interlock.AsyncClient is AsyncClient
    assert issubclass(interlock.NotReady, interlock.InterlockError)
    assert all(getattr(interlock, name) is not None for name in interlock.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        interlock.Clint  # noqa: B018
