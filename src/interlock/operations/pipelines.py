"""Finding a pipeline by its name, or saying which one may have been meant."""

from __future__ import annotations

from typing import Final

from interlock.config.project import Project
from interlock.core.pipelines import PipelineSpec
from interlock.errors import ConfigError, NotFound
from interlock.stores.repository import Repository

_LISTED: Final = 20


def pipeline_of(project: Project, name: str) -> PipelineSpec:
    """Return one pipeline of the project. One broken file does not keep the others from working.

    Raises:
        ConfigError: this pipeline's own files have errors.
        NotFound: there is none of that name; the nearest is named.
    """
    if name in project.broken:
        raise ConfigError(project.broken[name])
    found = project.pipelines.get(name)
    if found is None:
        raise no_pipeline(project, name)
    return found.spec


def known_name(project: Project, store: Repository, name: str) -> str:
    """Return the name of a pipeline that the files define, or that the store remembers: removing a file keeps its history.

    Raises:
        NotFound: nobody ever heard of it; the nearest name is given.
    """
    defined = name in project.pipelines or name in project.broken
    if defined or store.runs_of(name, limit=1) or store.timeline(name, limit=1):
        return name
    raise no_pipeline(project, name)


def no_pipeline(project: Project, name: str) -> NotFound:
    """Say that nothing has this name, and what may have been meant."""
    from difflib import get_close_matches

    names = sorted({*project.pipelines, *project.broken})
    near = get_close_matches(name, names, n=1)
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    hint = f"did you mean {near[0]}?" if near else f"there are: {listed or 'none'}"
    return NotFound(f"no pipeline is named {name!r} ({hint})")
