"""The only place where names meet classes: a project becomes working hands."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from interlock.app.channels import Alerting
from interlock.app.hands import Hands
from interlock.clients.aws import AwsDoor
from interlock.config.project import Project
from interlock.evaluators.context import CheckContext
from interlock.ports.telemetry import SILENT, Telemetry
from interlock.ports.triggers import Trigger
from interlock.runtime.afterwards import Afterwards
from interlock.runtime.catalog import FileCatalog, ProjectCatalog
from interlock.runtime.channels import alerting_of
from interlock.runtime.clock import SystemClock
from interlock.runtime.deployed import NoRegistry
from interlock.runtime.keyed import StoreName
from interlock.runtime.observing import Observers
from interlock.runtime.pool import Pool
from interlock.runtime.registered import Registry
from interlock.runtime.ringing import RingingKernel
from interlock.runtime.secrets import Secrets
from interlock.runtime.stores import open_kernel
from interlock.runtime.triggers import TriggerFactory
from interlock.runtime.upstream import UpstreamRuns
from interlock.sinks.context import SinkContext
from interlock.stores.agendas import AgendaRows
from interlock.stores.controls import ControlRows
from interlock.stores.dispatches import DispatchRows
from interlock.stores.kernel import Kernel
from interlock.stores.marks import MarkingKernel
from interlock.stores.members import MemberRows
from interlock.stores.pushes import PushRows
from interlock.stores.registrations import RegistrationRows
from interlock.stores.repository import Repository
from interlock.stores.sensors import SensorRows
from interlock.stores.threads import ThreadRows
from interlock.triggers.context import TriggerContext

if TYPE_CHECKING:
    from interlock.clients.http import HttpClient, HttpReply
    from interlock.evaluators.router import RoutingEvaluator

STATE_DIR: Final = ".interlock"
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class LazyHttp:
    """The HTTP client, imported and made when the first request is sent: most commands send none."""

    def __init__(self, allow: tuple[str, ...]) -> None:
        self._allow = allow
        self._lock = threading.Lock()
        self._client: HttpClient | None = None
        self._closed = False

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        timeout: timedelta,
    ) -> HttpReply:
        """Send one request; see `clients.http.HttpClient.send`."""
        return self.client().send(method, url, headers=headers, body=body, timeout=timeout)

    def client(self) -> HttpClient:
        """Return the client.

        Raises:
            MissingExtra: the optional dependency it stands on is not installed.
        """
        with self._lock:
            if self._client is None:
                from interlock.clients.http import HttpClient

                self._client = HttpClient(allow=self._allow)
                if self._closed:
                    self._client.close()  # it is made all the same, and refuses every request with the right words
            return self._client

    def close(self) -> None:
        """Close the client, also one that is only made later."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()


class Interlock:
    """A project at work: its store, its hands, and everything that must be closed again. Use it in a `with` statement.

    The watchers are woken when it closes, if anything was written that may want their attention; a process
    that goes on for longer calls `ring` whenever it has written something.

    `patience` is how long whoever asks for a run waits for it: for its traits, and the call of its trigger.
    With `measured`, what is done is counted, and shown by `observers`; `telemetry` are others who are told of every step.
    A `kernel` that is given stays open afterwards. With a `catalog` that counts and nothing else does: no files are gone by,
    no pipeline can be registered, sinks are made when they are first used, and telling is left to who is woken for it.
    """

    patience = timedelta(minutes=10)

    def __init__(
        self,
        project: Project,
        *,
        env: Mapping[str, str] | None = None,
        stream: TextIO | None = None,
        measured: bool = False,
        telemetry: Sequence[Telemetry] = (),
        kernel: Kernel | None = None,
        catalog: ProjectCatalog | None = None,
    ) -> None:
        self.project = project
        self._later = catalog is not None
        self.clock = SystemClock()
        self.env = os.environ if env is None else env
        self._stream = sys.stderr if stream is None else stream
        self._stack = ExitStack()
        self.observers = Observers(project.settings, self.env, telemetry)
        with ExitStack() as stack:
            stack.callback(self.observers.close)
            self.kernel = RingingKernel(self._marked(open_kernel(project, env=self.env) if kernel is None else kernel))
            self.committed = self.kernel.committed
            stack.callback(self.ring)
            if kernel is None:
                stack.callback(self.kernel.close)
            self.store = Repository(self.kernel)
            self.pushes = PushRows(self.kernel)
            self.sensors = SensorRows(self.kernel)
            self.registrations = RegistrationRows(self.kernel)
            self.catalog, self.registry = self._catalog(catalog)
            self.registry.follow()
            self._reach_out(stack)
            self._evaluator = self._routing()
            self.hands = self._hands(stack)
            self._observe(measured=measured)
            self.afterwards = Afterwards(self.hands, self.ring)
            stack.callback(self.afterwards.close)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ring(self) -> None:
        """Wake the watchers, if anything was written since the last time that may want their attention.

        Those of this machine; and those of others, where the store can do it.
        """
        if self.kernel.written:
            from interlock.runtime.bell import place_of, ring  # what only looks needs no sockets

            self.kernel.written = False
            ring(place_of(state_dir(self.project)))
            if self.kernel.chime is not None:
                self.kernel.chime.ring()

    def break_off(self) -> None:
        """Break off every question to an evaluator, now and from now on. Starts and looks go on."""
        self._asking.close()
        self._evaluator.close()

    def go_by(self, alerting: Alerting) -> None:
        """Tell people by these channels from now on: the files have changed."""
        self.hands = self.hands._replace(alerting=alerting)

    def alerting_of(self, project: Project) -> Alerting:
        """Make the channels and subscribers that a later state of the project's files names.

        Raises:
            ConfigError: one of them cannot be used.
        """
        threads = ThreadRows(self.kernel)
        context = SinkContext(
            stream=self._stream, root=self.project.root, http=self._http, aws=self._aws, threads=threads
        )
        made = alerting_of(project.settings, context, self.env, self._secrets, later=self._later)
        return made._replace(prompt=not self._later)

    def measured(self, trigger: Trigger, kind: str) -> Trigger:
        """Return a trigger that was made elsewhere, measured like all others where anybody measures."""
        telemetry = self.store.telemetry
        if telemetry is SILENT:
            return trigger
        from interlock.runtime.measured import MeasuredTrigger

        return MeasuredTrigger(trigger, kind, telemetry)

    def _marked(self, kernel: Kernel) -> Kernel:
        # What is to be archived is marked in the commit that writes it, by whatever process: so nothing is missed.
        return MarkingKernel(kernel, self.clock.now) if self.project.settings.archiver.enabled else kernel

    def _catalog(self, given: ProjectCatalog | None) -> tuple[ProjectCatalog, Registry | NoRegistry]:
        if given is not None:
            return given, NoRegistry()
        files = FileCatalog(self.project)
        return files, Registry(files, self.kernel)

    def _observe(self, *, measured: bool) -> None:
        hands = self.hands
        if measured:
            from interlock.runtime.sampling import Sampled

            archived = self.project.settings.archiver.enabled
            sampled = Sampled(self.kernel, self.store, hands.dispatches, hands.members, self.clock, archived)
            self.observers.measure(self.committed, sampled, hands.alerting)
        telemetry = self.observers.joined()
        if telemetry is None:
            return
        from interlock.runtime.measured import MeasuredEvaluator, measured_triggers

        self.store.telemetry = telemetry
        self.hands = hands._replace(
            evaluator=MeasuredEvaluator(self._evaluator, telemetry),
            trigger_for=measured_triggers(hands.trigger_for, telemetry),
        )

    def _reach_out(self, stack: ExitStack) -> None:
        settings = self.project.settings
        self._http = LazyHttp(allowed_addresses(self.project))
        stack.callback(self._http.close)
        # Evaluators have a client of their own: when Interlock stops, questions are broken off and starts are not.
        self._asking = LazyHttp(allowed_addresses(self.project))
        self._aws = AwsDoor(settings.aws)
        stack.callback(self._aws.close)
        self._secrets = Secrets(settings.secrets, self.env, self._aws, self.clock)

    def _hands(self, stack: ExitStack) -> Hands:
        pool = Pool()
        stack.callback(pool.close)
        stack.callback(self.break_off)
        return Hands(
            clock=self.clock,
            store=self.store,
            dispatches=DispatchRows(self.kernel),
            agendas=AgendaRows(self.kernel),
            controls=ControlRows(self.kernel),
            members=MemberRows(self.kernel),
            catalog=self.catalog,
            evaluator=self._evaluator,
            trigger_for=TriggerFactory(self._trigger_context(), self.env, self._secrets, StoreName(self.kernel)),
            together=pool,
            alerting=self.alerting_of(self.project),
        )

    def _routing(self) -> RoutingEvaluator:
        from interlock.evaluators.router import RoutingEvaluator

        settings = self.project.settings
        context = CheckContext(
            clock=self.clock,
            root=self.project.root,
            runs=UpstreamRuns(self.store, self.catalog, self.clock),
            http=self._asking.client,
            sensors=self.sensors,
            env=self.env,
            env_allow=settings.env_allow,
        )
        return RoutingEvaluator(
            context, self.pushes, dirs=settings.evaluator_dirs, base_url=settings.evaluator_base_url
        )

    def _trigger_context(self) -> TriggerContext:
        return TriggerContext(
            state_dir=state_dir(self.project),
            root=self.project.root,
            env_allow=self.project.settings.env_allow,
            http=self._http,
            aws=self._aws,
            public_url=self.project.settings.server.public_url,
            known_secrets=self._secrets.known,
            now=self.clock.now,
        )


def state_dir(project: Project) -> Path:
    """Return the directory in which Interlock keeps what is its own."""
    return project.root / STATE_DIR


def allowed_addresses(project: Project) -> tuple[str, ...]:
    """Return which private addresses may be reached: what the project lists, with `loopback` spelt out."""
    listed = project.settings.network_allow
    return tuple(address for entry in listed for address in (_LOOPBACK if entry == "loopback" else (entry,)))
