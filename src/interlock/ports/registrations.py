"""Pipelines that somebody registered through the API: no file defines them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from interlock.core.documents import Document
from interlock.core.ids import PipelineName


class Registration(Struct, frozen=True, kw_only=True):
    """One registered pipeline: its document as it was handed in, who did it, and how often it has changed since."""

    name: PipelineName
    document: Document
    at: datetime
    actor: str
    version: int = 1


class Unreadable(Struct, frozen=True, kw_only=True):
    """A registration that is there and cannot be read: it is damaged, or of a later Interlock."""

    name: PipelineName
    trouble: str


class Registrations(Protocol):
    """Keeps them. `generation` moves with every change, in the same commit: whoever knows it knows whether to read again."""

    def generation(self) -> int:
        """Return how many changes there have been; zero while nothing was ever registered."""
        ...

    def registrations(self) -> tuple[Registration | Unreadable, ...]:
        """Return all of them, by name, each by itself. Taken after `generation` they are at least as new as that."""
        ...

    def register(self, name: PipelineName, document: Document, at: datetime, actor: str) -> Registration:
        """Keep a document and its line in the pipeline's timeline; the same document again changes nothing.

        One that cannot be read is replaced.

        Raises:
            Contention: others kept registering first; nothing was written.
        """
        ...

    def withdraw(self, name: PipelineName, at: datetime, actor: str) -> bool:
        """Remove a registration, readable or not, and tell the pipeline's timeline; False when there is none.

        Raises:
            Contention: others kept registering first; nothing was written.
        """
        ...
