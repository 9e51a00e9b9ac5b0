"""From the files of a project to resolved values, or to everything that is wrong with all of them.

Each file is read, parsed and checked by itself, so that none hides the errors of another; then names are looked up across
files. The plain way (compose, convert, build) is the fast one; only a file that it refuses is gone through with care.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeVar, overload

import msgspec

from interlock import reading
from interlock.config.build import World, build_pipeline
from interlock.config.build_calendars import build_calendar, compose
from interlock.config.build_project import build_settings
from interlock.config.build_shelf import build_archetype, shaped
from interlock.config.build_stores import set_other_stores_aside
from interlock.config.cache import KINDS, PLACE, Cache
from interlock.config.checks import Checks
from interlock.config.discover import PROJECT_FILES, project_file, yaml_files
from interlock.config.project import LoadedPipeline, Project, ProjectSettings
from interlock.config.settings import Settings
from interlock.config.source import Source, Stamp
from interlock.errors import ConfigError, Problem

_NO_SETTINGS: Final = Settings()

T = TypeVar("T")


class _Read(NamedTuple):
    """One file as far as it could be read; `said` is a part of it when there are problems, None when nothing is left."""

    source: Source
    said: Any

    @property
    def name(self) -> str:
        """The name inside, or the file's own where that cannot be read."""
        return (self.said.name if self.said is not None else "") or Path(self.source.name).stem


@overload
def load_project(root: Path, *, settings: Settings = ...) -> Project: ...
@overload
def load_project(root: Path, *, settings: Settings = ..., tolerant: Literal[False]) -> Project: ...
@overload
def load_project(
    root: Path, *, settings: Settings = ..., tolerant: Literal[True]
) -> tuple[Project, tuple[Problem, ...]]: ...


def load_project(
    root: Path, *, settings: Settings = _NO_SETTINGS, tolerant: bool = False
) -> Project | tuple[Project, tuple[Problem, ...]]:
    """Load a project from the directory of its project file.

    With `tolerant`, whatever is sound is returned together with the problems of the rest: nine good pipelines work beside
    a broken one. A pipeline counts as broken as well when its archetype or its calendar is.

    Raises:
        ConfigError: anything is wrong with any file (all of it is listed); with `tolerant`, only the project file is
            looked at so strictly.
    """
    root = Path(os.path.abspath(root))  # noqa: PTH100  (symbolic links stay: people know the path that they wrote)
    with _no_garbage_collection():
        return _load(root, settings, tolerant=tolerant)


def _load(root: Path, settings: Settings, *, tolerant: bool) -> Project | tuple[Project, tuple[Problem, ...]]:
    loader = _Loader(root, Cache(None if settings.no_cache else root / PLACE))
    main = loader.read(str(project_file(root)), "project")
    if main.said is None:
        loader.read_all([root / name for name in ("archetypes",)], "archetype")
        loader.read_all([root / name for name in ("calendars",)], "calendar")
        loader.read_all([root / name for name in ("pipelines",)], "pipeline")
        raise ConfigError(loader.problems())
    resolved = build_settings(main.said, main.source, root, settings)
    if tolerant and main.source.problems:
        raise ConfigError(loader.problems())
    project = _assemble(loader, main, resolved, tolerant=tolerant)
    loader.cache.save()
    problems = loader.problems()
    if tolerant:
        return project, problems
    if problems:
        raise ConfigError(problems)
    return project


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Hold the cyclic collector back.

    Loading makes a million objects and no cycle; looking for some took a quarter of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Loader:
    """Reads files, each at most once, and keeps them with their problems."""

    def __init__(self, root: Path, cache: Cache) -> None:
        self.root = root
        self.cache = cache
        self._inside = f"{root}/"
        self._sources: list[Source] = []

    def read(self, path: str, kind: str, stamp: Stamp | None = None) -> _Read:
        source = Source(path, path.removeprefix(self._inside))
        self._sources.append(source)
        if stamp is None:
            stamp = _stamp(path)
        said = None if stamp is None else self.cache.get(source.name, kind, stamp)
        if said is None and source.read() is not None:
            said = self._parse(source, kind)
            # What belongs to a plug-in is no part of the struct that would be remembered.
            if not source.problems and source.stamp is not None and not source.other_stores:
                self.cache.put(source.name, kind, source.stamp, said)
        return _Read(source, said)

    def _parse(self, source: Source, kind: str) -> Any:
        from interlock.config.yaml12 import Doubt, plain

        assert source.raw is not None  # noqa: S101  (for the type checker: read has just said so)
        try:
            return reading.value(plain(source.raw), KINDS[kind])
        except (Doubt, msgspec.ValidationError):
            source.findings()
            data = set_other_stores_aside(source) if kind == "project" else source.data
            return shaped(source, data, KINDS[kind])

    def read_all(self, directories: Iterable[Path], kind: str) -> list[_Read]:
        """Read every YAML file of some directories; a file that is found twice counts once."""
        found: dict[str, Stamp | None] = {}
        for directory in directories:
            try:
                for path, stamp in yaml_files(str(directory)):
                    if path not in found and not self._is_project_file(path):
                        found[path] = stamp
            except OSError as exc:
                if directory.exists():
                    source = Source(str(directory), str(directory).removeprefix(self._inside))
                    message = f"the directory cannot be read: {exc.strerror}"
                    source.problems.append(Problem(source.name, 0, 0, message, "", "file"))
                    self._sources.append(source)
        return [self.read(path, kind, stamp) for path, stamp in found.items()]

    def _is_project_file(self, path: str) -> bool:
        return path.removeprefix(self._inside) in PROJECT_FILES

    def problems(self) -> tuple[Problem, ...]:
        return tuple(sorted({problem for source in self._sources for problem in source.problems}))


def _stamp(path: str) -> Stamp | None:
    try:
        return Stamp.of(os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def _assemble(loader: _Loader, main: _Read, settings: ProjectSettings, *, tolerant: bool) -> Project:
    archetypes = loader.read_all(settings.archetype_dirs, "archetype")
    calendars = loader.read_all(settings.calendar_dirs, "calendar")
    pipelines = loader.read_all(settings.pipeline_dirs, "pipeline")
    for kind, reads in (("archetype", archetypes), ("calendar", calendars), ("pipeline", pipelines)):
        _check_names(kind, reads)
    shelved, broken_archetypes = _build_all(archetypes, build_archetype)
    dated, broken_calendars = compose(*_build_all(calendars, build_calendar))
    world = World(settings, Checks(loader.root, settings), shelved, dated, broken_archetypes, broken_calendars)
    loaded, broken = _build_pipelines(pipelines, world, tolerant=tolerant)
    return Project(
        root=loader.root,
        file=main.source.name,
        settings=settings,
        pipelines=MappingProxyType(loaded),
        archetypes=MappingProxyType({name: one.archetype for name, one in sorted(shelved.items())}),
        calendars=MappingProxyType(dict(sorted(dated.items()))),
        broken=MappingProxyType(broken),
    )


def _build_all(reads: Sequence[_Read], build: Callable[[Any, Source], T | None]) -> tuple[dict[str, T], frozenset[str]]:
    """Build archetypes or calendars; return them by name, and the names of those that have problems."""
    built: dict[str, T] = {}
    broken = set()
    for read in reads:
        one = None if read.said is None else build(read.said, read.source)
        if one is None or read.source.problems:
            broken.add(read.name)
        else:
            built[read.name] = one
    return built, frozenset(broken)


def _build_pipelines(
    reads: Sequence[_Read], world: World, *, tolerant: bool
) -> tuple[dict[str, LoadedPipeline], dict[str, tuple[Problem, ...]]]:
    loaded: dict[str, LoadedPipeline] = {}
    broken: dict[str, tuple[Problem, ...]] = {}
    for read in reads:
        source = read.source
        spec = None if read.said is None else build_pipeline(read.said, source, world)
        if spec is not None:
            loaded[spec.name] = LoadedPipeline(spec=spec, source=source.name)
            continue
        if tolerant and not source.problems:
            # In a strict load the cause alone is said: one broken archetype is one fact, not three thousand.
            _blame(read, world)
        broken[read.name] = (*broken.get(read.name, ()), *sorted(source.problems))
    return dict(sorted(loaded.items())), dict(sorted(broken.items()))


def _blame(read: _Read, world: World) -> None:
    if read.said.archetype in world.broken_archetypes:
        message = f"its archetype {read.said.archetype!r} cannot be used"
        read.source.fail(("archetype",), message, "see the problems of the archetype's own file", "blocked")
        return
    for key, days in (("exclusions", read.said.exclusions), ("include", read.said.include)):
        named = days and days.calendar
        for name in (named,) if isinstance(named, str) else named or ():
            if name in world.broken_calendars:
                message = f"its calendar {name!r} cannot be used"
                read.source.fail((key, "calendar"), message, "see the problems of the calendar's own file", "blocked")


def _check_names(kind: str, reads: Sequence[_Read]) -> None:
    """Note a problem at every file whose name another file of the same kind has too."""
    by_name: dict[str, list[_Read]] = {}
    for read in reads:
        if read.said is not None and read.said.name:
            by_name.setdefault(read.said.name, []).append(read)
    for name, same in by_name.items():
        for read in same if len(same) > 1 else ():
            others = ", ".join(sorted(other.source.name for other in same if other is not read))
            message = f"two {kind}s are named {name!r}: the other is in {others}"
            read.source.fail(("name",), message, "rename or remove one", "duplicate-name")
