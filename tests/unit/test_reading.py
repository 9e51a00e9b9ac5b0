"""Values are read out of builtins and text through one door, because types have to be learnt by one thread at a time."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import pytest
from msgspec import Meta, Struct, ValidationError

import interlock
from interlock import reading

SOURCE: Final = Path(interlock.__file__).parent
DOOR: Final = "reading.py"

SCRIPT: Final = """
from __future__ import annotations

import threading
from msgspec import Struct

inside, read = threading.Event(), threading.Event()

def slow():
    inside.set()
    read.wait(0.3)
    return str

class Inner(Struct):
    word: slow()

class Outer(Struct):
    inner: Inner
    last: str

DATA = {{"inner": {{"word": "x"}}, "last": "y"}}
TEXT = b'{{"inner": {{"word": "x"}}, "last": "y"}}'
{door}

first = threading.Thread(target=ask)
first.start()
inside.wait()
second = ask()
read.set()
first.join()
assert second == Outer(Inner("x"), "y"), second
"""

DOORS: Final = {
    "builtins": "from interlock import reading\ndef ask(): return reading.value(DATA, Outer)",
    "text": "from interlock import reading\ndef ask(): return reading.parsed(TEXT, Outer)",
    "two types that share a part": (
        "from interlock import reading\n"
        "def ask():\n"
        "    if inside.is_set(): return reading.value(DATA, Outer)\n"
        "    return reading.value([DATA], tuple[Outer, ...])"
    ),
    "decoders that are kept": (
        "import msgspec\nfrom interlock import reading\n"
        "def ask(): return msgspec.json.Decoder(reading.learnt(Outer)).decode(TEXT)"
    ),
    "core values": "from interlock.codec import wire\ndef ask(): return wire.from_builtins(DATA, Outer)",
    "core values as JSON": "from interlock.codec import wire\ndef ask(): return wire.from_json(TEXT, Outer)",
    "settings of checks": (
        "from interlock.evaluators.context import read_config\ndef ask(): return read_config(Outer, DATA)"
    ),
    "settings of evaluators": (
        "from interlock.evaluator import PASS, evaluator\n"
        "found = []\n"
        "@evaluator\n"
        "def check(config: Outer):\n"
        "    found.append(config)\n"
        "    return PASS\n"
        "def ask():\n"
        "    said = check({'config': DATA})\n"
        "    return found.pop() if said['status'] == 'PASS' else said"
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_threads_that_read_the_first_values_of_a_type_at_once_do_not_break_the_process(door: str) -> None:
    """A watcher that had just begun died of it."""
    script = SCRIPT.format(door=DOORS[door])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


FORKED: Final = """
import os, signal
from interlock import reading

def others_can():
    class Another(Struct):
        word: str
    other = threading.Thread(target=reading.value, args=({"word": "x"}, Another), daemon=True)
    other.start()
    other.join(5)
    return not other.is_alive()

def ask():
    if not inside.is_set():
        return reading.value(DATA, Outer)
    if child := os.fork():
        assert others_can()
        assert os.waitpid(child, 0)[1] == 0
        return Outer(Inner("x"), "y")
    signal.alarm(10)
    os._exit(reading.value(DATA, Outer) != Outer(Inner("x"), "y") or not others_can())
"""


def test_a_process_that_forks_while_a_type_is_learnt_can_read_it_in_the_child() -> None:
    """It would wait for a thread that it does not have, or go by half a type."""
    script = SCRIPT.format(door=FORKED)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_could_not_be_learnt_is_learnt_by_whoever_comes_next() -> None:
    """What it lacks may be there by then; and until then nobody takes it for known."""
    scope: dict[str, object] = {"__name__": __name__, "Struct": Struct}
    exec("class Late(Struct):\n    word: 'Word'", scope)  # its annotations are looked up in `scope`
    late: type[Struct] = scope["Late"]  # type: ignore[assignment]  # a class, made one line above
    for _ in range(2):
        with pytest.raises(NameError):
            reading.value({"word": "x"}, late)
        assert late not in reading._learnt


# ---------------------------------------------------------------- that there is no other

_WAYS: Final = ("convert", "decode", "Decoder")
_PLAIN: Final = frozenset({"Any", "bool", "bytes", "dict", "float", "int", "list", "object", "str", "tuple"})


def _is_plain(kind: ast.expr) -> bool:
    """Say whether a type is made of nothing that has to be learnt."""
    match kind:
        case ast.Name(id=name):
            return name in _PLAIN
        case ast.Attribute(value=ast.Name(id="msgspec"), attr="Raw"):
            return True
        case ast.Subscript(value=left, slice=right) | ast.BinOp(left=left, right=right):
            return _is_plain(left) and _is_plain(right)
        case ast.Tuple(elts=kinds):
            return all(map(_is_plain, kinds))
        case _:
            return isinstance(kind, ast.Constant) and kind.value in (None, ...)


def _is_learnt(kind: ast.expr) -> bool:
    return isinstance(kind, ast.Call) and ast.unparse(kind.func) == "reading.learnt"


def _kind_of(call: ast.Call, way: str) -> ast.expr | None:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    place = {"convert": 1, "Decoder": 0}.get(way)
    given = call.args[place] if place is not None and len(call.args) > place else None
    return named.get("type", given)


def _is_reader(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr not in _WAYS:
        return False
    root = node.value.value if isinstance(node.value, ast.Attribute) else node.value
    return isinstance(root, ast.Name) and root.id == "msgspec"


def _other_doors(text: str) -> Iterator[str]:
    """Return what reads values of types that may not be known yet, or could without anybody seeing it here."""
    nodes = list(ast.walk(ast.parse(text))) if "msgspec" in text else []
    fine = set()
    for node in nodes:
        if isinstance(node, ast.Call) and _is_reader(node.func):
            kind = _kind_of(node, node.func.attr)  # type: ignore[attr-defined]  # it has one: it is a reader
            if kind is None or _is_plain(kind) or _is_learnt(kind):
                fine.add(node.func)
    for node in nodes:
        if _is_reader(node) and node not in fine:
            yield ast.unparse(node)
        if isinstance(node, ast.Import):
            yield from (ast.unparse(node) for one in node.names if one.name.startswith("msgspec") and one.asname)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "msgspec":
            hidden = {*_WAYS, "json", "msgpack", "toml", "yaml"} & {one.name for one in node.names}
            if hidden:
                yield ast.unparse(node)


@pytest.mark.parametrize(
    "text",
    [
        "msgspec.convert(said, Run)",
        "msgspec.convert(said, type=Run)",
        "msgspec.convert(said, list[Run])",
        "msgspec.convert(said, dict[str, Run | None])",
        "msgspec.json.decode(text, type=Run)",
        "msgspec.json.Decoder(Run)",
        "msgspec.msgpack.Decoder(type=Run)",
        "read = msgspec.json.decode",
        "from msgspec import convert",
        "from msgspec import json",
        "from msgspec.json import Decoder",
        "import msgspec as m",
        "import msgspec.json as j",
    ],
)
def test_another_door_is_seen(text: str) -> None:
    assert list(_other_doors(text))


@pytest.mark.parametrize(
    "text",
    [
        "reading.value(said, Run)",
        "msgspec.json.decode(text)",
        "msgspec.json.decode(text, type=dict[str, Any])",
        "msgspec.convert(said, list[dict[str, str | int]])",
        "msgspec.json.decode(text, type=list[msgspec.Raw])",
        "msgspec.json.Decoder()",
        "msgspec.json.Decoder(reading.learnt(Run))",
        "text.decode()",
        "from msgspec import Struct, field",
    ],
)
def test_what_needs_no_door_is_let_be(text: str) -> None:
    assert not list(_other_doors(text))


def test_nobody_reads_types_but_through_the_door() -> None:
    found = {
        str(path.relative_to(SOURCE)): list(_other_doors(path.read_text()))
        for path in sorted(SOURCE.rglob("*.py"))
        if path != SOURCE / DOOR
    }
    assert {name: doors for name, doors in found.items() if doors} == {}
    assert len(found) > 100


def test_the_door_takes_what_msgspec_takes_and_refuses_what_it_refuses() -> None:
    assert reading.value("7", int, strict=False) == 7
    with pytest.raises(ValidationError):
        reading.value("7", int)
    assert reading.parsed('{"a": [1]}', dict[str, list[int]]) == {"a": [1]}
    described = Annotated[str, Meta(extra={"expected": "a word"})]
    assert reading.value("x", described) == "x"
