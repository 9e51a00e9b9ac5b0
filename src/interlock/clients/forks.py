"""Who may use a connection: the process that made it."""

from __future__ import annotations

import os

from interlock.errors import StoreError


class Opener:
    """The process that opened a store. A child forked from it has its connections too, and would spoil them for both.

    Two processes with one connection read each other's answers; with one SQLite connection they corrupt the file.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is that process, and no child of it."""
        return os.getpid() == self._pid

    def refuse_fork(self, store: str) -> None:
        """Refuse a child the use of what its parent opened.

        Raises:
            StoreError: this is a child.
        """
        if not self.is_here:
            raise StoreError(
                f"{store} was opened by process {self._pid} and this is its fork {os.getpid()}. "
                "Nothing was read or written. Open the store again in the child"
            )
