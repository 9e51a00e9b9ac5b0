"""Looking at a project's store and nothing else: no evaluator, trigger or sink is built, and nothing is ever written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interlock.config.project import Project
from interlock.errors import StoreEmpty
from interlock.stores.kernel import Kernel
from interlock.stores.repository import Repository


@contextmanager
def open_for_reading(project: Project) -> Iterator[Repository]:
    """Open the store for looking only. One that does not exist yet reads as empty, and is not created.

    Raises:
        StoreError: it exists and cannot be read; the message says why and what to do.
    """
    kernel = _kernel(project)
    try:
        yield Repository(kernel)
    finally:
        kernel.close()


def with_registered_here(project: Project) -> Project:
    """Return a project with what is registered in its store, which is not created for that.

    Raises:
        StoreError: it exists and cannot be read.
    """
    if _holds_nothing(project.settings.sqlite_path):
        return project
    from interlock.runtime.registered import with_registered

    kernel = _kernel(project)
    try:
        return with_registered(project, kernel)
    finally:
        kernel.close()


def _kernel(project: Project) -> Kernel:
    path = project.settings.sqlite_path
    if not _holds_nothing(path):
        from interlock.stores.sqlite import SqliteKernel

        try:
            return SqliteKernel(path, read_only=True)
        except StoreEmpty:
            # Another process may be making it just now: until its tables are there, it holds nothing.
            if not path.exists():
                raise  # a link that leads nowhere
    from interlock.stores.memory import MemoryKernel

    return MemoryKernel()


def _holds_nothing(path: Path) -> bool:
    """Say whether there is no store yet: no file, or an empty one, which a full disk may have left."""
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return not path.is_symlink()
    except OSError:
        return False
