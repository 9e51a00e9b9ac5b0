"""Every way of asking an evaluator keeps the same promises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path

import pytest
from tests.contract.evaluator_behaviours import as_module, as_program, as_reply
from tests.unit.evaluators.servers import Seen, Server, serving
from tests.unit.evaluators.worlds import World

from interlock.clients.http import HttpClient
from interlock.evaluators.http import HttpEvaluator
from interlock.evaluators.inprocess import InProcessEvaluator
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Evaluator, Question
from interlock.testing.conformance.evaluators import Behaviour, EvaluatorContract
from interlock.testing.evaluators import a_question

CONFIG = {"maxLagSeconds": 300}


class TestSubprocess(EvaluatorContract):
    @pytest.fixture(autouse=True)
    def _project(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def asked(self, behaviour: Behaviour) -> tuple[Evaluator, Question]:
        as_program(behaviour, self.root)
        return SubprocessEvaluator(self.root), a_question("./check", config=CONFIG)


class TestRouted(TestSubprocess):
    """The router adds nothing and loses nothing."""

    def asked(self, behaviour: Behaviour) -> tuple[Evaluator, Question]:
        as_program(behaviour, self.root)
        return World(self.root).router, a_question("./check", config=CONFIG)


class TestHttp(EvaluatorContract):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with ExitStack() as self.stack:
            yield

    def asked(self, behaviour: Behaviour) -> tuple[Evaluator, Question]:
        def respond(seen: Seen) -> tuple[int, dict[str, str], bytes]:
            if behaviour is Behaviour.HANGS:
                server.hang()
            return as_reply(behaviour, seen)

        server: Server = self.stack.enter_context(serving(respond))
        return HttpEvaluator(HttpClient(allow=["127.0.0.1"])), a_question(f"{server.url}/check", config=CONFIG)


class TestInProcess(EvaluatorContract):
    @pytest.fixture(autouse=True)
    def _project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(sys, "path", list(sys.path))
        self.root = tmp_path
        self.module = f"contract_{blake2b(str(tmp_path).encode(), digest_size=8).hexdigest()}"
        yield
        sys.modules.pop(self.module, None)

    def asked(self, behaviour: Behaviour) -> tuple[Evaluator, Question]:
        as_module(behaviour, self.root, self.module)
        return InProcessEvaluator(self.root), a_question(f"python:{self.module}:check", config=CONFIG)
