"""Is there what a file refers to? Evaluators on disk, plugins and their configuration, placeholders.

One `Checks` serves one load: what it has found out about a path or a plugin it remembers for that load and no longer, so
that a removed file is noticed the next time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args
from urllib.parse import urlsplit

import msgspec

from interlock import plugins, reading
from interlock.config.project import ProjectSettings
from interlock.config.shape import Path as Steps
from interlock.config.shape import Violation, convert_error, violations
from interlock.config.values import Refused, meant
from interlock.core.templates import CALLBACK, is_reference
from interlock.core.templates import check as check_template
from interlock.errors import ConfigError, MissingExtra

BUILTIN: Final = "builtin:"
_PYTHON: Final = re.compile(r"python:[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f]")


class _Missing(NamedTuple):
    refused: Refused


class Checks:
    """The questions that one load asks about the world outside its files."""

    def __init__(self, root: Path, settings: ProjectSettings) -> None:
        self._root = str(root)
        self._dirs = tuple(str(place) for place in settings.evaluator_dirs)
        self._places = (self._root, *self._dirs)
        self._base_url = settings.evaluator_base_url
        self._env_allow = settings.env_allow
        self._secrets = tuple(settings.secrets)
        self._without = () if settings.server.public_url else (CALLBACK,)
        self._evaluators: dict[tuple[str, ...], Refused | None] = {}
        self._plugins: dict[tuple[str, str], _Loaded | _Missing] = {}

    # ------------------------------------------------------------ evaluators

    def evaluator(self, words: tuple[str, ...]) -> None:
        """Check that an evaluator exists and may be run.

        Raises:
            Refused: it does not, or may not, or has no known shape.
        """
        if words not in self._evaluators:
            try:
                self._check_evaluator(words)
                self._evaluators[words] = None
            except Refused as exc:
                self._evaluators[words] = exc
        refused = self._evaluators[words]
        if refused is not None:
            raise refused

    def _check_evaluator(self, words: tuple[str, ...]) -> None:
        if not words or not words[0].strip():
            raise Refused(
                "the evaluator is empty", "name a file, builtin:NAME, an http(s) address or push", "evaluator"
            )
        if any("\0" in word for word in words):
            raise Refused("the evaluator holds a NUL character", rule="evaluator")
        first, *arguments = words
        scheme = _SCHEME.match(first)
        if first != "push" and scheme is None:
            self._check_file(first)
            return
        if arguments:
            raise Refused(f"the evaluator {first!r} takes no arguments", "give it a config instead", "evaluator")
        if first.startswith(BUILTIN):
            self.plugin("evaluator", first.removeprefix(BUILTIN))
        elif first.startswith("python:"):
            if not _PYTHON.fullmatch(first):
                raise Refused(f"{first!r} names no function, expected python:module:function", rule="evaluator")
        elif first.startswith(("http://", "https://")):
            _check_url(first)
        elif scheme is not None:
            known = ("builtin:", "python:", "http:", "https:")
            raise Refused(
                f"nothing is known of evaluators that begin with {scheme[0]!r}",
                meant(scheme[0], known) + "; a file needs './' in front",
                "evaluator",
            )

    def _check_file(self, name: str) -> None:
        path = self._find(name)
        if path is None:
            if self._base_url:
                return
            hint = meant_file(name, self._places) if len(name) < 200 else ""
            if " " in name:
                hint = "to give arguments, write a list: [./evaluators/check, --flag]"
            raise Refused(f"there is no evaluator {name!r} (PATH is never searched)", hint, "evaluator")
        if not name.startswith("/") and not any(_inside(path, place) for place in self._places):
            raise Refused(
                f"the evaluator {name!r} is outside of the project and of its evaluatorDirs",
                "list its directory under evaluatorDirs, or give its absolute path",
                "evaluator",
            )
        if os.path.isdir(path):  # noqa: PTH112  (texts: this runs for every trait of every pipeline)
            raise Refused(f"the evaluator {name!r} is a directory, expected an executable file", rule="evaluator")
        if not os.path.isfile(path):  # noqa: PTH113
            raise Refused(f"the evaluator {name!r} is not a regular file", rule="evaluator")
        if not os.access(path, os.X_OK):
            raise Refused(f"the evaluator {name!r} is not executable", f"chmod +x {name}", "evaluator")

    def _find(self, name: str) -> str | None:
        """Return the path that a name means, by the same order as the runner's: the project, then evaluatorDirs."""
        candidates = [os.path.normpath(os.path.join(place, name)) for place in self._places]  # noqa: PTH118
        there = [path for path in candidates if os.path.exists(path)]  # noqa: PTH110
        return next((path for path in there if os.path.isfile(path)), there[0] if there else None)  # noqa: PTH113

    # ------------------------------------------------------------ plugins

    def plugin(self, kind: str, name: str) -> _Loaded:
        """Return a plugin's `Config` and `normal_form`.

        Raises:
            Refused: there is no such plugin, or what it needs is not installed, or it does not load.
        """
        key = kind, name
        if key not in self._plugins:
            self._plugins[key] = _load(kind, name)
        found = self._plugins[key]
        if isinstance(found, _Missing):
            raise found.refused
        return found

    def config(self, kind: str, name: str, config: dict[str, Any]) -> list[Violation]:
        """Return everything wrong with the configuration of a plugin that exists."""
        plugin = self.plugin(kind, name)
        try:
            reading.value(config, plugin.shape)
        except ValueError as exc:
            found = violations(config, plugin.shape)[1]
            if not found:
                path, text = convert_error(exc)
                found = [Violation(path, text)]
            return found + plugin.written_out(config)
        try:
            plugin.normal_form(config)
        except ValueError as exc:
            return [Violation((), str(exc)), *plugin.written_out(config)]
        return plugin.written_out(config)

    # ------------------------------------------------------------ placeholders

    def placeholders(self, value: object, path: Steps = (), *, of_evaluator: bool = False) -> Iterator[Violation]:
        """Yield every placeholder in the texts of a value that nothing can be put in the place of.

        Evaluators have the environment that the project allows, and neither its secrets nor a job that reports its end.
        """
        if isinstance(value, str):
            if "$" in value or "{" in value:
                try:
                    known, without = ((), (CALLBACK,)) if of_evaluator else (self._secrets, self._without)
                    check_template(value, env_allow=self._env_allow, secrets=known, without=without)
                except ValueError as exc:
                    yield Violation(path, str(exc), rule="template")
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from self.placeholders(item, (*path, key), of_evaluator=of_evaluator)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.placeholders(item, (*path, index), of_evaluator=of_evaluator)


class _Loaded:
    """What loading needs of a plugin: the shape of its configuration, the form placeholders are put into, what it can do."""

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin
        self.shape: Any = plugin.Config
        self.normal_form: Callable[[dict[str, Any]], object] = getattr(plugin, "normal_form", dict)
        self._secrets = tuple(_secret_keys(self.shape))

    def written_out(self, config: Mapping[str, Any]) -> list[Violation]:
        """Return the secrets that stand in a configuration themselves."""
        return [_written_out(key) for key in self._secrets if _is_written_out(config.get(key))]

    def can(self, verb: str) -> bool:
        """Say whether it has a method of this name."""
        return callable(getattr(self._plugin, verb, None))


def _load(kind: str, name: str) -> _Loaded | _Missing:
    try:
        return _Loaded(plugins.load(kind, name))
    except MissingExtra as exc:
        return _Missing(Refused(str(exc).partition(": ")[0], f"pip install 'interlock[{exc.extra}]'", "plugin"))
    except ConfigError as exc:
        choices = plugins.available(kind)
        message = f"no {kind} is named {name!r}" if name not in choices else str(exc)
        return _Missing(Refused(message, meant(name, choices) if name not in choices else "", "plugin"))
    except Exception as exc:  # noqa: BLE001  (whatever a plugin of somebody else's raises while it is imported)
        return _Missing(Refused(f"the {kind} {name!r} cannot be loaded: {type(exc).__name__}: {exc}", rule="plugin"))


def _secret_keys(shape: Any) -> Iterator[str]:
    """Yield the keys of a configuration whose values no file may hold."""
    for key in msgspec.structs.fields(shape):
        if _is_secret(key.type):
            yield key.encode_name


def _is_secret(kind: Any) -> bool:
    extra = (getattr(each, "extra", None) or {} for each in getattr(kind, "__metadata__", ()))
    return any(each.get("secret") for each in extra) or any(map(_is_secret, get_args(kind)))


def _is_written_out(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not is_reference(value)


def _written_out(key: str) -> Violation:
    message = f"a secret is written out under {key}, where everybody who reads the project can see it"
    return Violation((key,), message, "name it under `secrets` in the project file, and write ${secret:NAME}", "secret")


def _check_url(text: str) -> None:
    try:
        parts = urlsplit(text)
        bad = not parts.hostname or _SPACE.search(text) is not None or (parts.port == 0)
    except ValueError:
        bad = True
    if bad:
        raise Refused(f"{text!r} is not an address, expected such as https://host/path", rule="evaluator")


def _inside(path: str, place: str) -> bool:
    return path.startswith(place.rstrip("/") + "/")


def meant_file(name: str, places: tuple[str, ...]) -> str:
    """Return a hint with the nearest file that does exist in any of the places."""
    known: list[str] = []
    for place in places:
        known += _files(place, name)
    near = meant(name, known)
    return near if near.startswith("did you mean") else ""


def _files(place: str, name: str) -> list[str]:
    directory = os.path.dirname(name)  # noqa: PTH120
    try:
        names = sorted(os.listdir(os.path.normpath(os.path.join(place, directory))))[:1000]  # noqa: PTH118, PTH208
    except OSError:
        return []
    return [os.path.join(directory, one) for one in names]  # noqa: PTH118
