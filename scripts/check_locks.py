"""Check the locks: everything pinned, everything hashed, nobody's machine named, nothing of pyproject.toml forgotten.

`scripts/check_locks.py [ROOT]` prints one line for each fault and exits 1 if there is any.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_HASH: Final = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_LOCATION: Final = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]*://|\bfile:|(?<!\S)(?:\.{0,2}/|~/|[a-z]:\\)|(?<!\S)(?:-i|-f|--[a-z-]*(?:index|links|host)[a-z-]*)\b"
)
_SERVED: Final = ("server", "http", "metrics", "tracing", "calendars", "postgres", "redis", "aws")
_PIN: Final = re.compile(r"==([^\s;,*]+)$")


class Pin(NamedTuple):
    """One requirement of a lock: a name at an exact version."""

    name: str
    version: str


def entries(text: str) -> Iterator[str]:
    """Yield the requirements of a lock, continuation lines joined, comments and blank lines left out."""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def read_lock(name: str, text: str) -> tuple[list[Pin], list[str]]:
    """Return the pins of a lock and what is wrong with its lines."""
    pins: list[Pin] = []
    faults = [
        f"{name}:{number}: names a place ({line.strip()}): a lock says what, never where from"
        for number, line in enumerate(text.splitlines(), 1)
        if _LOCATION.search(line)
    ]
    for entry in entries(text):
        if entry.startswith("-"):
            faults.append(f"{name}: carries the option {entry.split()[0]!r}: a lock holds requirements only")
            continue
        head = entry.split(" --hash=")[0].strip()
        try:
            requirement = Requirement(head)
        except InvalidRequirement as exc:
            faults.append(f"{name}: {head!r} is no requirement: {exc}")
            continue
        match = _PIN.fullmatch(str(requirement.specifier))
        if match is None:
            faults.append(f"{name}: {requirement.name} is not pinned to one version")
            continue
        if not _HASH.search(entry):
            faults.append(f"{name}: {requirement.name} has no hash")
        pins.append(Pin(canonicalize_name(requirement.name), match[1]))
    return pins, faults


def wanted(pyproject: dict[str, Any], build: str, functions: str) -> dict[str, list[Requirement]]:
    """Return what each lock has to satisfy: run the bare set, serve a server with any store, dev all and the tools."""
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    bare = [*project["dependencies"], *entries(build)]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    serving = [text for extra in _SERVED for text in project["optional-dependencies"].get(extra, ())]
    lists = {
        "run": bare,
        "serve": [*bare, *serving],
        "lambda": [*entries(functions)],
        "dev": [*bare, *extras, *groups["dev"]],
        "docs": groups["docs"],
        "servers": groups["servers"],
        "airflow2": groups["airflow2"],
        "airflow3": groups["airflow3"],
    }
    own = canonicalize_name(project["name"])
    return {
        lock: [req for req in map(Requirement, texts) if canonicalize_name(req.name) != own]
        for lock, texts in lists.items()
    }


def unsatisfied(lock: str, pins: list[Pin], requirements: list[Requirement]) -> Iterator[str]:
    """Yield each requirement that no pin of the lock satisfies."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    for requirement in requirements:
        found = versions.get(canonicalize_name(requirement.name), [])
        if not found:
            yield f"{lock}: lacks {requirement}, which pyproject.toml asks for: run `make lock`"
        elif not any(requirement.specifier.contains(version, prereleases=True) for version in found):
            has = f"{requirement.name} {', '.join(found)}"
            yield f"{lock}: has {has}, pyproject.toml asks for {requirement}: run `make lock`"


def strange(pins: list[Pin], served: list[Pin]) -> Iterator[str]:
    """Yield each pin of the functions' lock that a server's lock has not: tests run what a server runs."""
    for pin in sorted({*pins} - {*served}):
        yield f"requirements/lambda.lock: has {pin.name} {pin.version}, serve.lock has not: run `make lock`"


def check(root: Path) -> list[str]:
    """Return every fault of the locks below `root`."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    build, functions = ((root / f"requirements/{name}.in").read_text() for name in ("build", "lambda"))
    faults: list[str] = []
    pinned: dict[str, list[Pin]] = {}
    for lock, requirements in wanted(pyproject, build, functions).items():
        name = f"requirements/{lock}.lock"
        path = root / name
        if not path.is_file():
            faults.append(f"{name}: is missing: run `make lock`")
            continue
        pins, wrong = read_lock(name, path.read_text())
        faults += wrong
        faults += unsatisfied(name, pins, requirements)
        pinned[lock] = pins
    return [*faults, *strange(pinned.get("lambda", []), pinned.get("serve", []))]


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    faults = check(root)
    print("\n".join(faults) if faults else "locks: pinned, hashed, complete, and nobody's machine in them")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
