"""A pipeline file that does not exist yet: its text, what would be wrong with it, and putting it in place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from interlock import reading
from interlock.config.build import World, build_pipeline
from interlock.config.build_shelf import shelved_of
from interlock.config.checks import Checks
from interlock.config.project import Project
from interlock.config.schema import PipelineFile
from interlock.config.source import Source
from interlock.config.yaml12 import plain
from interlock.errors import Problem

_TRIGGER_KEY: Final = {"command": "command", "http": "url", "python": "callable"}
_BARE: Final = re.compile(r"(?:\./)?[A-Za-z][A-Za-z0-9._/-]*(?::[A-Za-z0-9._/-]+)*", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What the new file will say. `trigger` is a type and the one thing it needs."""

    name: str
    archetype: str
    tier: int
    evaluators: Mapping[str, str]
    trigger: tuple[str, str] | None

    def with_pushes(self, required: Iterable[str]) -> Draft:
        """Return the draft with every required trait that nobody gave an evaluator to taken as it is pushed."""
        unset = {trait: "push" for trait in required if trait not in self.evaluators}
        return replace(self, evaluators={**self.evaluators, **unset})

    @property
    def document(self) -> dict[str, Any]:
        """What the file would say, as JSON."""
        said: dict[str, Any] = {"name": self.name, "archetype": self.archetype, "tier": self.tier}
        if self.evaluators:
            said["traits"] = {trait: {"evaluator": evaluator} for trait, evaluator in self.evaluators.items()}
        if self.trigger is not None:
            kind, value = self.trigger
            said["trigger"] = {"type": kind, _TRIGGER_KEY[kind]: value}
        return said

    @property
    def text(self) -> str:
        """The file, as YAML that reads back as exactly these values."""
        lines = [f"name: {scalar(self.name)}", f"archetype: {scalar(self.archetype)}", f"tier: {self.tier}"]
        if self.evaluators:
            lines += ["", "traits:"]
        for trait, evaluator in self.evaluators.items():
            lines += [f"  {scalar(trait)}:", f"    evaluator: {scalar(evaluator)}"]
        if self.trigger is not None:
            kind, value = self.trigger
            lines += ["", "trigger:", f"  type: {scalar(kind)}", f"  {_TRIGGER_KEY[kind]}: {scalar(value)}"]
        return "\n".join(lines) + "\n"

    def problems(self, project: Project, path: Path) -> tuple[Problem, ...]:
        """Return everything that would be wrong with the file if it were in its place."""
        name = str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path)
        source = Source(str(path), name)
        source.raw = self.text.encode()
        world = World(
            project.settings,
            Checks(project.root, project.settings),
            {one.name: shelved_of(one) for one in project.archetypes.values()},
            project.calendars,
        )
        build_pipeline(reading.value(plain(source.raw), PipelineFile), source, world)
        return tuple(sorted(set(source.problems)))

    def write(self, path: Path) -> None:
        """Put the file in its place, whole or not at all.

        Raises:
            FileExistsError: something is there already, and stays as it is.
            OSError: it cannot be written; nothing is left behind.
        """
        # Hidden, so that nobody takes it for a pipeline. A link is what never replaces, whoever comes first.
        waiting = path.with_name(f".{os.getpid()}.{path.name}")
        try:
            handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.text)
                file.flush()
                os.fsync(handle)
            os.link(waiting, path)
        finally:
            waiting.unlink(missing_ok=True)


def scalar(text: str) -> str:
    """Write a text so that YAML reads back the same text, and no number, truth value or comment."""
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    written: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return written.strip()
