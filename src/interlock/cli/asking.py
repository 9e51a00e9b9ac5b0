"""Where a command is carried out: on the project here, or by the server that `--server` names."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import click

from interlock.cli.context import opened, opening_store, sound_project_of, tell_broken
from interlock.cli.parameters import actor
from interlock.errors import ConfigError
from interlock.ports.clock import Clock

if TYPE_CHECKING:
    from interlock.api.contract import Request
    from interlock.client.client import Client
    from interlock.config.project import Project
    from interlock.runtime.wiring import Interlock
    from interlock.stores.repository import Repository

T = TypeVar("T")

SERVER: Final = "INTERLOCK_SERVER"
API_KEY: Final = "INTERLOCK_API_KEY"
_DESK: Final = "interlock.desk"
_CLIENT: Final = "interlock.client"


def ask(ctx: click.Context, request: Request[T]) -> T:
    """Have a request carried out, here or by the chosen server, and return its answer.

    Raises:
        InterlockError: it was not done; the same error in both cases.
    """
    if server_of(ctx):
        return client_of(ctx).ask(request)
    from interlock.operations.performing import perform

    return perform(request, desk_of(ctx))


def server_of(ctx: click.Context) -> str:
    """Return the address of the chosen server; nothing when the project here is meant."""
    params = ctx.find_root().params
    if params.get("project") is not None and not params.get("server"):
        return ""
    return str(params.get("server") or os.environ.get(SERVER, ""))


def client_of(ctx: click.Context) -> Client:
    """Return the client of the chosen server, until the command ends."""
    root = ctx.find_root()
    if _CLIENT not in root.meta:
        from interlock.client.client import Client

        root.meta[_CLIENT] = root.with_resource(Client(server_of(ctx), api_key=os.environ.get(API_KEY, "")))
    client: Client = root.meta[_CLIENT]
    return client


def desk_of(ctx: click.Context) -> LocalDesk:
    """Return the desk of the project here, until the command ends."""
    root = ctx.find_root()
    if _DESK not in root.meta:
        root.meta[_DESK] = LocalDesk(root)
    desk: LocalDesk = root.meta[_DESK]
    return desk


def require_here(ctx: click.Context) -> None:
    """Refuse a server for a command that works on what is here.

    Raises:
        ConfigError: one was chosen by an option; one of the environment is let be.
    """
    if ctx.find_root().params.get("server"):
        raise ConfigError(f"interlock {ctx.info_name} works on the files here: leave --server out")


class LocalDesk:
    """The desk of one command: everything is opened when it is first needed, and closed when the command ends."""

    def __init__(self, root: click.Context, *, hushed: bool = False) -> None:
        self._root = root
        self._hushed = hushed
        self._project: Project | None = None
        self._store: Repository | None = None
        self._work: Interlock | None = None

    @property
    def actor(self) -> str:
        """Who is at the keyboard."""
        return actor()

    @property
    def clock(self) -> Clock:
        """The real time."""
        from interlock.runtime.clock import SystemClock

        return SystemClock()

    @property
    def project(self) -> Project:
        """What the files say. What cannot be used of them is told, once."""
        if self._project is None:
            from interlock.cli.progress import patience, watched

            with patience("reading the files of the project", quiet=not watched()):
                self._project = sound_project_of(self._root)
            if not self._hushed:
                tell_broken(self._project)
        return self._project

    @property
    def store(self) -> Repository:
        """The store, for looking: it is not even created for that."""
        if self._work is not None:
            return self._work.store
        if self._store is None:
            from interlock.runtime.reading import open_for_reading

            project = self.project
            with opening_store(self._root):
                self._store = self._root.with_resource(open_for_reading(project))
        return self._store

    @property
    def work(self) -> Interlock:
        """The project at work."""
        if self._work is None:
            self._work = opened(self._root, self.project)
        return self._work


class Glance:
    """Requests that only look, carried out on files and a store that are read now and let go of afterwards.

    What cannot be used of the files is not told: the command shows it by itself. Use it in a `with` statement.
    """

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self._page = click.Context(ctx.command, parent=ctx)
        self._desk = LocalDesk(self._page, hushed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._page.close()

    def ask(self, request: Request[T]) -> T:
        """Have a request carried out, here or by the chosen server.

        Raises:
            InterlockError: it was not done; the same error in both cases.
        """
        if server_of(self._ctx):
            return client_of(self._ctx).ask(request)
        from interlock.operations.performing import perform

        return perform(request, self._desk)
