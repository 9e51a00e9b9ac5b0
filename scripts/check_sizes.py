"""Check that no file is longer than 400 lines and no function longer than 40.

A file's length is its physical lines. A function's length is its lines from `def` to its last, its own docstring and
its decorators not counted: a contract may be as long as it needs to be, and a table of parameters is not logic. What is
nested in a function counts as part of it.

`scripts/check_sizes.py [ROOT]` prints one line for each fault and exits 1 if there is any.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

FOLDERS: Final = ("src", "tests", "bench", "scripts")
SUFFIXES: Final = (".py", ".sh", ".sql")
LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 40

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: Function) -> int:
    """Count the lines of a function, its decorators and its docstring left out."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def functions(source: str) -> Iterator[Function]:
    """Yield every function and method of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def faults_of(name: str, source: str) -> Iterator[str]:
    """Yield what is too long in one file."""
    lines = len(source.splitlines())
    if lines > LONGEST_FILE:
        yield f"{name}: {lines} lines, at most {LONGEST_FILE}: split it by what it knows"
    if not name.endswith(".py"):
        return
    for function in functions(source):
        if (size := length(function)) > LONGEST_FUNCTION:
            yield f"{name}:{function.lineno}: {function.name} has {size} lines, at most {LONGEST_FUNCTION}"


def check(root: Path) -> list[str]:
    """Return every fault below `root`, in the order of the files' names."""
    paths = sorted(
        path
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and "__pycache__" not in path.parts
    )
    return [fault for path in paths for fault in faults_of(path.relative_to(root).as_posix(), path.read_text())]


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    faults = check(root)
    print("\n".join(faults) if faults else f"sizes: files ≤ {LONGEST_FILE} lines, functions ≤ {LONGEST_FUNCTION}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
