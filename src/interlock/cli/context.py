"""What commands share: finding the project, opening its store and hands, and two options that most of them take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

import click

from interlock.cli.output import tell
from interlock.config.settings import Settings
from interlock.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from interlock.config.project import Project
    from interlock.ports.telemetry import Telemetry
    from interlock.runtime.wiring import Interlock

F = TypeVar("F", bound=Callable[..., Any])

_UNREAD: Final = "interlock.unread"
"""Where a context keeps why its store could not be read, until that is told."""


def project_root(ctx: click.Context) -> Path:
    """Return the directory of the project that this command is about.

    Raises:
        ConfigError: there is none here or above.
    """
    from interlock.config.discover import find_project

    settings = Settings.of(os.environ)
    # Out of the parameters, which are there while a shell completes, too: no callback has run by then.
    chosen: Path | None = ctx.find_root().params.get("project") or settings.project
    return find_project(Path.cwd(), chosen)


def project_of(ctx: click.Context) -> Project:
    """Load the project that this command is about.

    Raises:
        ConfigError: there is none, or its files have errors: all of them.
    """
    from interlock.config.load import load_project

    return load_project(project_root(ctx), settings=Settings.of(os.environ))


def sound_project_of(ctx: click.Context) -> Project:
    """Load what is sound of the project, to look at it while a part is broken: `broken` holds the rest.

    What was registered with a server of the project belongs to it, as far as the store can be read.

    Raises:
        ConfigError: there is none, or the project file itself has errors.
    """
    from interlock.config.load import load_project
    from interlock.runtime.reading import with_registered_here

    project = load_project(project_root(ctx), settings=Settings.of(os.environ), tolerant=True)[0]
    try:
        return with_registered_here(project)
    except StoreError as exc:
        # Where the command wants more of the store than that, it ends with the same words: they are told once.
        ctx.meta[_UNREAD] = exc
        ctx.call_on_close(lambda: _tell_unread(ctx))
        return project


@contextmanager
def opening_store(ctx: click.Context) -> Iterator[None]:
    """Surround the opening of the store: what is wrong with it is told once, and waited for once.

    Raises:
        StoreUnavailable: it was not there a moment ago.
    """
    before = ctx.meta.get(_UNREAD)
    try:
        if isinstance(before, StoreUnavailable):
            raise before
        yield
    except StoreError:
        ctx.meta.pop(_UNREAD, None)
        raise
    _tell_unread(ctx)


def _tell_unread(ctx: click.Context) -> None:
    error = ctx.meta.pop(_UNREAD, None)
    if error is not None:
        tell(f"interlock: what was registered through the API is not known: {error}")


def opened(
    ctx: click.Context, project: Project, *, telemetry: Sequence[Telemetry] = (), stream: TextIO | None = None
) -> Interlock:
    """Open the project's store and hands until the command ends.

    `telemetry` is told of every step, and `stream` is where alerts are written for people: stderr by default.
    """
    from interlock.runtime.wiring import Interlock

    with opening_store(ctx):
        work: Interlock = ctx.with_resource(Interlock(project, telemetry=telemetry, stream=stream))
    return work


def tell_broken(project: Project) -> None:
    """Tell which pipelines cannot be used, if there are any."""
    if project.broken:
        tell(f"interlock: these cannot be used: {', '.join(sorted(project.broken))}. Why: interlock validate")


def pipeline_argument(function: F) -> F:
    """Add the argument that names a pipeline, completed from the project's files."""
    return click.argument("pipeline", shell_complete=pipeline_names)(function)


def json_option(function: F) -> F:
    """Add the option for machine-readable output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")(function)


def pipeline_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the names of pipelines that begin with a text, for a shell that completes it."""
    try:
        return sorted(name for name in sound_project_of(ctx).pipelines if name.startswith(incomplete))
    except Exception:  # noqa: BLE001  (a completion that fails offers nothing; the command itself will say why)
        return []
