"""`builtin:command-exit`: does a command that knows nothing of Interlock say yes by its exit code?"""

from __future__ import annotations

import shlex
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.codec.evaluator_protocol import encode_question, failure, harmless, shown
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import ConfigError
from interlock.evaluators.children import Ended, Output, run_child
from interlock.evaluators.context import CheckContext, expand
from interlock.evaluators.environment import child_environment
from interlock.evaluators.subprocess import not_started, trouble_of
from interlock.ports.evaluators import Answer, Question

_DECIDED_BELOW: Final = 126
_WORDS: Final = 1000


class CommandConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `command-exit` takes."""

    command: Annotated[
        str | list[str],
        Meta(
            description="The command and its arguments: a list, or a text that is split as a shell would, without one."
            " {{date}}, {{hour}}, {{schedule}}, {{pipeline}} and ${env:NAME} are replaced in each argument."
        ),
    ]
    pass_exit_codes: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=_DECIDED_BELOW)], ...],
        Meta(min_length=1, description="Which exit codes mean yes; any other below 126 means no."),
    ] = (0,)

    def __post_init__(self) -> None:
        if not _split(self.command):
            raise ValueError("command: it is empty")


class CommandExit:
    """Runs a command in the project's directory and reads its exit code.

    The first word is a path relative to the project if it holds a slash; otherwise it is looked up on PATH, since what is
    asked here are the tools of the machine. 126, 127, signals and a timeout are no answer, as with every evaluator.
    """

    Config = CommandConfig

    def __init__(self, config: CommandConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Run the command; see `Check.evaluate`."""
        root, redact = self._context.root, self._context.redact
        argv = [expand(word, question, self._context) for word in _split(self._config.command)]
        name = _split(self._config.command)[0]
        path = self._program(argv[0])
        if path is None:
            return failure(FailureCategory.PERMANENT, f"there is no command {shown(name)!r} (looked on PATH)")
        try:
            ended = run_child(
                [str(path), *argv[1:]],
                cwd=root,
                env=child_environment(self._context.env, self._context.env_allow, question),
                stdin=encode_question(question),
                timeout=timeout.total_seconds(),
                output=Output(tail=True),
                halt=self._context.halt,
            )
        except (OSError, ValueError) as exc:
            return not_started(name, exc, path=path, cwd=root)
        trouble = trouble_of(name, ended, timeout=timeout, limit=0, redact=redact, decided_below=_DECIDED_BELOW)
        return trouble or self._decided(ended)

    def _program(self, name: str) -> Path | None:
        if "/" in name:
            return self._context.root / name
        found = shutil.which(name, path=self._context.env.get("PATH"))
        return Path(found) if found else None

    def _decided(self, ended: Ended) -> Answer:
        words = (ended.stderr.strip() or ended.stdout.strip()).decode(errors="replace")
        said = harmless(self._context.redact(words)[-_WORDS:], _WORDS)
        passed = ended.code in self._config.pass_exit_codes
        return Answer(
            status=TraitStatus.PASS if passed else TraitStatus.FAIL,
            value=document({"exitCode": ended.code}),
            reason="" if passed else f"the command exited with {ended.code}" + (f": {said}" if said else ""),
        )


def _split(command: str | list[str]) -> list[str]:
    if isinstance(command, list):
        return command
    try:
        return shlex.split(command)
    except ValueError as exc:
        raise ConfigError(f"its config cannot be used: command: {exc}") from exc
