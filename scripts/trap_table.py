"""Make the page of traps from its list of hazards and the numbers that the tests carry.

A test says in its docstring which hazards it stands against (`T-80`, `BUG-45`, `LAT-21`, `AWS-04`). Every hazard of
`docs/reference/traps.yaml` needs such a test, or a reason why it cannot arise; a test may not carry a number that the
list does not have.

`scripts/trap_table.py` writes docs/reference/traps.md; with `--check` it writes nothing, and fails if the page is not what
it would write. Either way every hazard left alone is named and the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

DATA: Final = "docs/reference/traps.yaml"
PAGE: Final = "docs/reference/traps.md"
TEST_FOLDERS: Final = ("tests", "src/interlock/testing")
SHOWN: Final = 3

_NUMBER: Final = re.compile(r"\b(?:T|BUG|LAT|AWS)-\d{2,3}\b")
_HEAD: Final = """\
# Traps

Systems of this kind have been built before, and have failed in known ways. This page lists those ways and what stands
against each: a test that would fail if the hazard came back, or the reason why it cannot arise in this version. It is
made by `make golden` from [traps.yaml](traps.yaml) and the numbers in the docstrings of the tests.
"""


class Trap(NamedTuple):
    """One hazard, and why it needs no test if it needs none."""

    number: str
    hazard: str
    reason: str


class NamedTest(NamedTuple):
    """One test that stands against a hazard."""

    file: str
    name: str

    @property
    def sentence(self) -> str:
        """The law that the test states, as it reads."""
        return self.name.removeprefix("test_").replace("_", " ")


class Part(NamedTuple):
    """Hazards that threaten the same promise."""

    title: str
    traps: tuple[Trap, ...]


def read_parts(text: str) -> tuple[Part, ...]:
    """Read the list of hazards."""
    return tuple(
        Part(
            part["part"],
            tuple(Trap(number, entry["hazard"], entry.get("reason", "")) for number, entry in part["traps"].items()),
        )
        for part in yaml.safe_load(text)
    )


def numbers_in(name: str, source: str) -> Iterator[tuple[str, NamedTest]]:
    """Yield each number that a test of a module carries in its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for number in _NUMBER.findall(ast.get_docstring(node) or ""):
                yield number, NamedTest(name, node.name)


def find_tests(root: Path) -> Mapping[str, Sequence[NamedTest]]:
    """Return the tests that stand against each number, in the order of files and lines."""
    found: defaultdict[str, list[NamedTest]] = defaultdict(list)
    for folder in TEST_FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for number, test in numbers_in(path.relative_to(root).as_posix(), path.read_text()):
                if test not in found[number]:
                    found[number].append(test)
    return dict(found)


def faults(parts: Sequence[Part], tests: Mapping[str, Sequence[NamedTest]]) -> list[str]:
    """Return every hazard that is left alone, and every number that nobody knows."""
    known = {trap.number for part in parts for trap in part.traps}
    alone = [
        f"{DATA}: {trap.number} has no test that carries its number, and no reason ({trap.hazard})"
        for part in parts
        for trap in part.traps
        if not trap.reason and trap.number not in tests
    ]
    unknown = [
        f"{test.file}: {test.name} carries {number}, which {DATA} does not list"
        for number, named in sorted(tests.items())
        if number not in known
        for test in named
    ]
    return alone + unknown


def page(parts: Sequence[Part], tests: Mapping[str, Sequence[NamedTest]]) -> str:
    """Return the page."""
    lines = [_HEAD]
    for part in parts:
        lines += [f"## {part.title}", "", "| | Hazard | What stands against it |", "|---|---|---|"]
        lines += [f"| {t.number} | {t.hazard} | {_answer(t, tests.get(t.number, ()))} |" for t in part.traps]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _answer(trap: Trap, tests: Sequence[NamedTest]) -> str:
    said = [f"{test.sentence} (`{test.file}`)" for test in tests[:SHOWN]]
    if len(tests) > SHOWN:
        said.append(f"and {len(tests) - SHOWN} more")
    if trap.reason:
        said.append(f"*{trap.reason}*")
    return "<br>".join(said)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    options: Any = parser.parse_args(arguments)
    root: Path = options.root
    parts, tests = read_parts((root / DATA).read_text()), find_tests(root)
    wrong = faults(parts, tests)
    wanted, target = page(parts, tests), root / PAGE
    if not options.check:
        target.write_text(wanted)
    elif not target.is_file() or target.read_text() != wanted:
        wrong.append(f"{PAGE}: is not what the tests and {DATA} say: run `make golden`")
    print("\n".join(wrong) if wrong else f"traps: {sum(len(part.traps) for part in parts)} hazards, none left alone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
