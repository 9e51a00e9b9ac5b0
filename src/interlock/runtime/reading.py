"""Looking at a project's store and nothing else: no evaluator, trigger or sink is built, and nothing is ever written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from interlock.config.project import Project
from interlock.runtime.stores import open_to_read
from interlock.stores.repository import Repository


@contextmanager
def open_for_reading(project: Project) -> Iterator[Repository]:
    """Open the store for looking only. One that does not exist yet reads as empty, and is not created.

    Raises:
        StoreError: it exists and cannot be read; the message says why and what to do.
    """
    kernel = open_to_read(project)
    try:
        yield Repository(kernel)
    finally:
        kernel.close()


def with_registered_here(project: Project) -> Project:
    """Return a project with what is registered in its store, which is not created for that.

    Raises:
        StoreError: it exists and cannot be read.
    """
    kernel = open_to_read(project)
    try:
        from interlock.runtime.registered import with_registered

        return with_registered(project, kernel)
    finally:
        kernel.close()
