"""Where an operation is carried out: whose project, by whose leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from interlock.config.project import Project
from interlock.ports.clock import Clock
from interlock.stores.repository import Repository

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock


class Desk(Protocol):
    """What operations work with. What only looks takes `store`, which may be open for reading alone; what acts, `work`."""

    @property
    def actor(self) -> str:
        """Who asks, for the record, such as `cli:anna` or `api:airflow`."""
        ...

    @property
    def project(self) -> Project:
        """What the files say now, with what was registered."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def store(self) -> Repository:
        """The store, for looking."""
        ...

    @property
    def work(self) -> Interlock:
        """The project at work, for asking, starting and writing."""
        ...


class WorkDesk:
    """The desk of a process that has everything open all the time."""

    def __init__(self, work: Interlock, actor: str) -> None:
        self.work = work
        self.actor = actor

    @property
    def project(self) -> Project:
        """What the files say now, with what was registered by whomever."""
        self.work.registry.follow()  # one row: another server of the same store may have registered something
        return self.work.catalog.project

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.work.clock

    @property
    def store(self) -> Repository:
        """The store."""
        return self.work.store


if TYPE_CHECKING:

    def _is_a_desk(it: WorkDesk) -> Desk:
        return it
