"""A bench for the triggers of AWS, over the scripted AWS of `tests.servers.aws_stub`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec
import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_faults import Fault as Scripted
from tests.servers.aws_jobs import Behaviour
from tests.servers.aws_stub import ACCESS_KEY, AwsStub
from tests.servers.dynamodb import MiniStackServer

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.ports.triggers import Trigger
from interlock.testing.conformance.remote_triggers import SECRET, Fault, Verb
from interlock.testing.conformance.triggers import TIMEOUT, Kind
from interlock.triggers.context import TriggerContext

_SCRIPTS: Final = {
    Fault.LOST_ANSWER: (Scripted.LOST_ANSWER, True),
    Fault.LOST_REQUEST: (Scripted.LOST_REQUEST, False),
    Fault.FROZEN: (Scripted.FROZEN, True),
    Fault.THROTTLED: (Scripted.THROTTLED, False),
    Fault.UNAUTHORIZED: (Scripted.EXPIRED, False),
    Fault.BROKEN: (Scripted.BROKEN, True),
    Fault.SKEWED: (Scripted.SKEWED, False),
    Fault.GARBAGE: (Scripted.GARBAGE, True),
}


@contextmanager
def on_ministack(server: MiniStackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggerContext]:
    """Give triggers a door to MiniStack, which takes any credentials."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    with closing(AwsDoor(AwsOptions(endpoint=server.url, region=server.region))) as door:
        yield TriggerContext(state_dir=Path("/"), root=Path("/"), aws=door)


def word(kind: Kind) -> str:
    """Return the word by which the stub knows what a job is to do: put it anywhere into the request that starts it."""
    return f"kind-{kind.name}"


class AwsBench:
    """Subclass it: say what the trigger is called, which service it asks by which operations, and how it is configured.

    Close it after the test. Its credentials, which every call is signed with, hold the secret of the contract.
    """

    can_find = True
    can_cancel = True
    sees_vanished = True
    faults = frozenset(Fault)

    type: ClassVar[str]
    service: ClassVar[str]
    start: ClassVar[str]
    looks: ClassVar[tuple[str, ...]]
    stops: ClassVar[tuple[str, ...]]
    trigger_type: ClassVar[Any]

    def __init__(self, stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}-key")
        monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}-token")
        self.stub = stub
        self.options = AwsOptions(endpoint=stub.url, region=REGION)
        self.door = AwsDoor(self.options)
        self.context = TriggerContext(state_dir=Path("/"), root=Path("/"), aws=self.door)
        self.prepare()

    def prepare(self) -> None:
        """Let the stub's jobs do what the word in their request says; override this where the service has no jobs."""
        for kind in Kind:
            self.stub.behave(self.service, Behaviour(kind=kind), where=word(kind))

    def config(self, kind: Kind) -> Any:
        """Return the configuration of a job that does so; override this, and put `word(kind)` into it."""
        raise RuntimeError(f"{type(self).__name__} does not say what its jobs are configured with")

    def trigger(self, kind: Kind) -> Trigger:
        made: Trigger = self.trigger_type(self.config(kind), self.context)
        return made

    def starts(self) -> int:
        return self.stub.starts(self.service)

    @contextmanager
    def broken(self, fault: Fault, verb: Verb) -> Iterator[None]:
        operations = {Verb.START: (self.start,), Verb.LOOK: self.looks, Verb.STOP: self.stops, Verb.ALL: ("*",)}[verb]
        scripted, acts = _SCRIPTS[fault]
        with ExitStack() as stack:
            for operation in operations:
                stack.enter_context(self.stub.fault(operation, scripted, acts=acts))
            yield

    def forget(self) -> None:
        self.stub.forget(self.service)

    @contextmanager
    def held(self, kind: Kind) -> Iterator[Callable[[], None]]:
        with self.stub.hold(self.start) as script:

            def acted() -> None:
                assert script.arrived.wait(TIMEOUT.total_seconds()), f"no {self.start} of a job that {kind.value}"

            yield acted

    def child(self, kind: Kind) -> dict[str, Any]:
        aws = {"endpoint": self.options.endpoint, "region": self.options.region}
        return {"type": self.type, "config": msgspec.to_builtins(self.config(kind)), "aws": aws}

    def close(self) -> None:
        """Let go of every connection."""
        self.door.close()
