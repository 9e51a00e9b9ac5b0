"""What was registered joins what the files say. Where both have a name, the file wins."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from interlock.codec.documents import mapping
from interlock.config.project import API, LoadedPipeline, Project, Registered
from interlock.errors import Problem
from interlock.ports.registrations import Unreadable
from interlock.stores.kernel import Kernel
from interlock.stores.registrations import RegistrationRows

if TYPE_CHECKING:
    from interlock.runtime.catalog import FileCatalog

_UNSET: Final = -1


def with_registered(project: Project, kernel: Kernel) -> Project:
    """Return a project with what is registered now in place of what was registered when it was made.

    A registration that cannot be built any more (its archetype is gone, its evaluator was removed) is among the broken.

    Raises:
        StoreError: the registrations cannot be read.
    """
    files = without_registered(project)
    rows = RegistrationRows(kernel)
    if not rows.generation():
        return files
    from interlock.config.registered import Builder, place_of

    builder = Builder(files)
    pipelines, broken = dict(files.pipelines), dict(files.broken)
    registered: dict[str, Registered] = {}
    for each in rows.registrations():
        shadowed = each.name in files.pipelines or each.name in files.broken
        if isinstance(each, Unreadable):
            registered[each.name] = Registered(shadowed=shadowed)
            if not shadowed:
                broken[each.name] = (Problem(place_of(each.name), 0, 0, each.trouble, "register it anew", "store"),)
            continue
        registered[each.name] = Registered(by=each.actor, at=each.at, version=each.version, shadowed=shadowed)
        if shadowed:
            continue
        built = builder.build(each.name, mapping(each.document))
        if built.spec is None:
            broken[each.name] = built.problems
        else:
            pipelines[each.name] = LoadedPipeline(spec=built.spec, source=API)
    return replace(
        files,
        pipelines=MappingProxyType(dict(sorted(pipelines.items()))),
        broken=MappingProxyType(dict(sorted(broken.items()))),
        registered=MappingProxyType(registered),
    )


def without_registered(project: Project) -> Project:
    """Return what the files alone say."""
    if not project.registered:
        return project
    added = {name for name, one in project.registered.items() if not one.shadowed}
    return replace(
        project,
        pipelines=MappingProxyType({name: one for name, one in project.pipelines.items() if name not in added}),
        broken=MappingProxyType({name: those for name, those in project.broken.items() if name not in added}),
        registered=MappingProxyType({}),
    )


class Registry:
    """Keeps a catalog in line with the files and with what is registered. Safe to call from many threads."""

    def __init__(self, catalog: FileCatalog, kernel: Kernel) -> None:
        self._catalog = catalog
        self._kernel = kernel
        self._rows = RegistrationRows(kernel)
        self._generation = _UNSET
        self._lock = threading.Lock()

    def swap(self, files: Project) -> None:
        """Go by another state of the files from now on.

        Raises:
            StoreError: the registrations cannot be read; nothing was changed.
        """
        with self._lock:
            self._join(files, self._rows.generation())

    def require_open(self) -> None:
        """Refuse nothing: here pipelines may be registered and removed."""

    def follow(self) -> int:
        """Look whether anything was registered or removed, by anybody, and go by it; return the count of changes so far.

        Raises:
            StoreError: the registrations cannot be read; nothing was changed.
        """
        with self._lock:
            generation = self._rows.generation()
            if generation != self._generation:
                self._join(self._catalog.project, generation)
            return generation

    def _join(self, project: Project, generation: int) -> None:
        # The count was taken before the rows: whatever comes in between makes the next look join them again.
        self._catalog.swap(with_registered(project, self._kernel))
        self._generation = generation
