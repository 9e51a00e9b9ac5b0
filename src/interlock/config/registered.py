"""Pipelines that were registered through the API: the same documents as files hold, by the same rules, and stricter ones.

Whoever may register a pipeline must not be able to run a program, read a file or a database by it that the operator did not
put there for that purpose. So a registered pipeline has no trigger that runs code, and its traits are checked by

- programs named alone, such as `check-rows`, that lie in one of the project's `evaluatorDirs`, links followed;
- `push`, and http(s) addresses, which the project's network policy bounds;
- those of Interlock's own checks that read nothing but its store and such addresses.

What the archetype says is the files', and not restricted.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from interlock import plugins, reading
from interlock.clients.redaction import MASK, said_of
from interlock.codec.documents import canonical
from interlock.config.build import World, build_pipeline
from interlock.config.build_shelf import shaped, shelved_of
from interlock.config.checks import BUILTIN, Checks
from interlock.config.project import API, Project, ProjectSettings
from interlock.config.schema import PipelineFile
from interlock.config.shape import Path as Steps
from interlock.config.shape import dotted
from interlock.config.source import Source
from interlock.config.values import Refused
from interlock.core.ids import NAME_RULE, is_name
from interlock.core.pipelines import PipelineSpec
from interlock.core.traits import CONFINED
from interlock.errors import ConfigError, Problem, Unregistrable
from interlock.evaluators.confined import confined_path

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000

HARMLESS_EVALUATORS: Final = frozenset(
    {
        "data-quality",
        "disk-space",
        "http-json",
        "rule",
        "rules",
        "sensor-freshness",
        "sensor-threshold",
        "upstream-check",
        "upstream-job-log",
        "window-completeness",
    }
)
"""Checks that run no program and read no file or database of the caller's choice. Whatever is not listed is refused."""

HARMLESS_TRIGGERS: Final = frozenset({"external", "http"})
"""Triggers that run no code here. Whatever is not listed is refused."""

_RULE: Final = "registering"
_SECRET: Final = re.compile(r"\$\{[ \t]*secret:")
_DISK: Final = ("builtin:disk-space", ("builtin:disk-space",))
_FIRST: Final = (("name",), ("archetype",), ("trigger", "type"))
_BARE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", re.ASCII)


class Built(NamedTuple):
    """What became of a document: a spec, or everything that is wrong with it; `unfit` when it could never be one."""

    spec: PipelineSpec | None
    problems: tuple[Problem, ...]
    unfit: bool

    @property
    def trouble(self) -> ConfigError:
        """The problems as an error."""
        return Unregistrable(self.problems) if self.unfit else ConfigError(self.problems)


def place_of(name: str) -> str:
    """Return what stands for the file in the problems of a registered pipeline."""
    return f"{API}:{name}"


def named(document: dict[str, Any]) -> str:
    """Return the name that a document gives its pipeline, once it is of a size that can be looked into.

    Raises:
        Unregistrable: it has none, it is none, or the document is too large.
    """
    _check_size(document)
    name = document.get("name")
    if isinstance(name, str) and is_name(name):
        return name
    what = "there is no 'name'" if "name" not in document else f"name: {str(name)[:100]!r} cannot be a name"
    raise Unregistrable([Problem(API, 0, 0, f"{what}, expected {NAME_RULE}", "", "name")])


def _check_size(document: dict[str, Any]) -> None:
    # Without recursion: nothing else may look into a document before it is known how deep that leads.
    layer: list[Any] = [document]
    depth = values = 0
    while layer:
        depth, values = depth + 1, values + len(layer)
        if depth > MAX_DEPTH or values > MAX_VALUES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES} values"
            raise Unregistrable([Problem(API, 0, 0, f"the document has more than {limit}", "", "range")])
        inner = [each for each in layer if isinstance(each, dict | list)]
        layer = [item for each in inner for item in (each.values() if isinstance(each, dict) else each)]
    try:
        size = len(canonical(document))
    except ValueError as exc:
        raise Unregistrable([Problem(API, 0, 0, f"the document cannot be kept: {exc}", "", "value")]) from exc
    if size > MAX_BYTES:
        message = f"the document is {size} bytes long, expected at most {MAX_BYTES}"
        raise Unregistrable([Problem(API, 0, 0, message, "", "range")])


class Builder:
    """Builds registered pipelines against one state of the files."""

    def __init__(self, project: Project) -> None:
        shelf = {name: shelved_of(one) for name, one in project.archetypes.items()}
        self._world = World(project.settings, _Checks(project), shelf, project.calendars)

    def build(self, name: str, document: dict[str, Any]) -> Built:
        """Build one pipeline. Nothing is raised for what is wrong with it."""
        source = _Told(name, document)
        try:
            said = reading.value(document, PipelineFile)
        except msgspec.ValidationError:
            said = shaped(source, document, PipelineFile)
        spec = None
        if said is not None:
            _restrict(said, source)
            spec = build_pipeline(said, source, self._world)
        if source.problems or spec is None:
            return Built(None, tuple(sorted(set(source.problems))), source.unfit)
        traits, verify = (
            tuple([msgspec.structs.replace(each, evaluator=_confined(each.evaluator)) for each in group])
            for group in (spec.traits, spec.verify)
        )
        return Built(msgspec.structs.replace(spec, traits=traits, verify=verify), (), unfit=False)


class _Told(Source):
    """A document instead of a file: problems name the key at fault, since there are no lines."""

    __slots__ = ("_document", "unfit")

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        super().__init__("", place_of(name))
        self._document = document
        self.unfit = False

    @property
    def data(self) -> Any:
        """The document."""
        return self._document

    def fail(self, path: Steps, message: str, hint: str = "", rule: str = "value", *, on_key: bool = False) -> None:  # noqa: ARG002
        """Note one problem with the value at a path."""
        place = dotted(path) if path else ""
        text = message if not place or message.startswith(place) else f"{place}: {message}"
        self.unfit = self.unfit or path in _FIRST
        self.problems.append(Problem(self.name, 0, 0, said_of(path, text), hint, rule))


class _Checks(Checks):
    """The questions about evaluators, asked more strictly."""

    def __init__(self, project: Project) -> None:
        super().__init__(project.root, project.settings)
        self._settings: ProjectSettings = project.settings

    def _check_evaluator(self, words: tuple[str, ...]) -> None:
        if not words or not words[0].strip():
            super()._check_evaluator(words)
        first = words[0]
        if len(words) > 1:
            hint = "give it a config instead"
            raise Refused("a registered pipeline gives its evaluators no arguments", hint, _RULE)
        if first == "push" or first.startswith(("http://", "https://")):
            super()._check_evaluator(words)
        elif first.startswith(BUILTIN):
            super()._check_evaluator(words)
            if first.removeprefix(BUILTIN) not in HARMLESS_EVALUATORS:
                raise Refused(f"a registered pipeline may not be checked by {first}", _choices(), _RULE)
        else:
            self._check_named(first)

    def _check_named(self, name: str) -> None:
        if not _BARE.fullmatch(name):
            message = (
                f"a registered pipeline may not be checked by {name[:100]!r}: only the name of a program is allowed"
            )
            raise Refused(message, f"one in evaluatorDirs, such as check-rows; {_choices()}", _RULE)
        dirs = self._settings.evaluator_dirs
        if not dirs:
            hint = "list a directory under evaluatorDirs, and put the program into it"
            raise Refused(f"no programs are allowed for registered pipelines, so {name!r} is none", hint, _RULE)
        path = confined_path(name, map(str, dirs))
        if path is None:
            hint = "put it there, executable; links that lead out of it do not count"
            raise Refused(f"there is no program {name!r} in evaluatorDirs", hint, "evaluator")
        if not os.access(path, os.X_OK):
            raise Refused(f"the evaluator {name!r} is not executable", f"chmod +x {name}", "evaluator")


def _confined(evaluator: tuple[str, ...]) -> tuple[str, ...]:
    return (CONFINED + evaluator[0],) if _BARE.fullmatch(evaluator[0]) and evaluator[0] != "push" else evaluator


def _choices() -> str:
    return f"allowed are push, http(s) addresses, and {', '.join(BUILTIN + one for one in sorted(HARMLESS_EVALUATORS))}"


def _restrict(said: PipelineFile, source: _Told) -> None:
    for path in _masked(source.data):
        hint = "put the secret itself there, or better ${env:NAME}"
        source.fail(path, f"{MASK} stands where a secret was blotted out when this was shown", hint, _RULE)
    for path in _secrets_in(source.data):
        message = (
            "a registered pipeline may not use the project's secrets: whoever registers it says where they are sent"
        )
        source.fail(path, message, "put the pipeline into a file", _RULE)
    for index, check in enumerate(said.verify):
        if not isinstance(check, str) and check.evaluator in _DISK and "path" in check.config:
            message = "a registered pipeline may not choose the path that builtin:disk-space looks at"
            source.fail(("verify", index, "config", "path"), message, "leave it out", _RULE)
    for trait, entry in said.traits.items():
        if entry.evaluator in _DISK and "path" in entry.config:
            message = "a registered pipeline may not choose the path that builtin:disk-space looks at"
            source.fail(("traits", trait, "config", "path"), message, "leave it out", _RULE)
    kind = None if said.trigger is UNSET else said.trigger.get("type")
    known = sorted(HARMLESS_TRIGGERS)
    if isinstance(kind, str) and kind in plugins.available("trigger") and kind not in known:
        message = f"a registered pipeline may not have a trigger of the type {kind!r}"
        source.fail(("trigger", "type"), message, f"allowed are {', '.join(known)}; others belong into a file", _RULE)


def _secrets_in(value: Any, path: Steps = ()) -> list[Steps]:
    if isinstance(value, str):
        return [path] if _SECRET.search(value) else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in _secrets_in(item, (*path, key))]


def _masked(value: Any, path: Steps = ()) -> list[Steps]:
    if isinstance(value, str):
        return [path] if MASK in value else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in _masked(item, (*path, key))]
