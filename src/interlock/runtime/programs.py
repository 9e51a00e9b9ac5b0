"""The programs that a project's pipelines call: could each of them be started here?"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from interlock import reading
from interlock.codec.documents import mapping
from interlock.config.project import Project
from interlock.core.pipelines import TriggerSpec
from interlock.core.templates import has_placeholder
from interlock.core.traits import CONFINED
from interlock.triggers.command import CommandConfig

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHEBANG: Final = 256  # Linux reads no more of a first line


class Unusable(NamedTuple):
    """A program that could not be started, and why."""

    program: str
    why: str


def unusable_programs(
    project: Project, environ: Mapping[str, str], kind: Literal["evaluator", "trigger"]
) -> tuple[int, tuple[Unusable, ...]]:
    """Return how many programs of a kind the pipelines call, and those of them that could not be started."""
    search = environ.get("PATH", os.defpath)
    found = {_Call(*call) for call in (_evaluators(project) if kind == "evaluator" else _triggers(project))}
    judged = ((call, _trouble(call, search)) for call in sorted(found))
    return len(found), tuple(Unusable(call.word, why) for call, why in judged if why)


class _Call(NamedTuple):
    """A program as it is written, and the directories that it is relative to; none for one that PATH finds."""

    word: str
    places: tuple[str, ...]


def _evaluators(project: Project) -> Iterator[_Call]:
    dirs = tuple(map(str, project.settings.evaluator_dirs))
    places = (str(project.root), *dirs)
    for loaded in project.pipelines.values():
        for trait in loaded.spec.checks:
            word = trait.evaluator[0]
            if word.startswith(CONFINED):
                yield _Call(word.removeprefix(CONFINED), dirs)
                continue
            if word == "push" or _SCHEME.match(word):
                continue
            call = _Call(word, places)
            # A bare name that is no file is asked over HTTP where there is an address to put in front of it.
            if not project.settings.evaluator_base_url or _file_of(call) is not None:
                yield call


def _triggers(project: Project) -> Iterator[_Call]:
    for loaded in project.pipelines.values():
        trigger = loaded.spec.trigger
        if trigger is not None and trigger.type == "command":
            yield from _command(project, trigger)


def _command(project: Project, trigger: TriggerSpec) -> Iterator[_Call]:
    config = reading.value(mapping(trigger.config), CommandConfig)
    word = config.argv()[0]
    if has_placeholder(word) or has_placeholder(config.cwd):
        return
    yield _Call(word, (os.path.join(project.root, config.cwd),) if "/" in word else ())  # noqa: PTH118


def _trouble(call: _Call, search: str) -> str:
    if not call.places:
        # Jobs find the running Python, too, where PATH has no other.
        everywhere = f"{search}{os.pathsep}{Path(sys.executable).parent}"
        return "" if shutil.which(call.word, path=everywhere) else "it is not on PATH"
    path = _file_of(call)
    if path is None:
        return "there is no such file"
    if not os.access(path, os.X_OK):
        return "it is not executable"
    return _interpreter_trouble(path, search)


def _file_of(call: _Call) -> Path | None:
    candidates = [Path(place) / call.word for place in call.places]
    return next((each for each in candidates if each.is_file()), None)


def _interpreter_trouble(path: Path, search: str) -> str:
    try:
        with path.open("rb") as file:
            first = file.readline(_SHEBANG)
    except OSError as exc:
        return f"it cannot be read: {exc.strerror}"
    if not first.startswith(b"#!"):
        known = b"\x7fELF" in first or first[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
        return "" if known else "it begins neither with #! nor as a compiled program does"
    words = first[2:].decode(errors="replace").split()
    if first.endswith(b"\r\n"):
        return "its first line ends as on Windows, so that its interpreter is not found"
    if not words:
        return "its first line names no interpreter"
    if not os.access(words[0], os.X_OK):
        return f"its interpreter {words[0]} does not exist"
    if Path(words[0]).name != "env":
        return ""
    program = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
    return "" if shutil.which(program, path=search) else f"its interpreter {program!r} is not on PATH"
