"""Ask a program: any executable file that reads one JSON object and prints one.

The file is looked for relative to the project, then in each evaluator directory; never on PATH, where a name could mean
another program tomorrow. There is no shell. The environment is a short list and not Interlock's own: an evaluator that
prints everything it sees can then print no secret.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interlock.clients.texts import Redactor
from interlock.codec.evaluator_protocol import encode_question, failure, parse_output, shown
from interlock.core.times import format_duration
from interlock.core.traits import CONFINED, FailureCategory
from interlock.evaluators.children import MAX_OUTPUT, Ended, Fate, Output, run_child
from interlock.evaluators.confined import confined_path
from interlock.evaluators.environment import child_environment
from interlock.ports.evaluators import Answer, Evaluator, Question

_SCARCE: Final = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR}
_STDERR_SHOWN: Final = 1000


class SubprocessEvaluator:
    """Runs an evaluator as a child process of the calling thread.

    `root` is the project's directory and the evaluator's working directory; relative `dirs` are relative to it.
    `env_allow` names variables that are passed on; their values are blotted out of reasons and measurements. Setting
    `halt` stops whatever is running.
    """

    def __init__(
        self,
        root: Path,
        dirs: Sequence[Path] = (),
        *,
        env_allow: Sequence[str] = (),
        max_output: int = MAX_OUTPUT,
        halt: threading.Event | None = None,
    ) -> None:
        self._root = root.absolute()
        self._places = (self._root, *(self._root / place for place in dirs))
        self._env_allow = tuple(env_allow)
        self._max_output = max_output
        self._halt = halt

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Run the program and read its answer; see `Evaluator.evaluate`."""
        name, *arguments = question.trait.evaluator
        path = self.find(name)
        if path is None:
            return failure(FailureCategory.PERMANENT, self._not_found(name))
        name = name.removeprefix(CONFINED)
        redact = Redactor.of_environment(os.environ, self._env_allow)
        try:
            ended = run_child(
                [str(path), *arguments],
                cwd=self._root,
                env=child_environment(os.environ, self._env_allow, question),
                stdin=encode_question(question),
                timeout=timeout.total_seconds(),
                output=Output(self._max_output),
                halt=self._halt,
            )
        except (OSError, ValueError) as exc:
            return not_started(name, exc, path=path, cwd=self._root)
        trouble = trouble_of(name, ended, timeout=timeout, limit=self._max_output, redact=redact)
        return trouble or parse_output(ended.stdout, redact=redact)

    def find(self, name: str) -> Path | None:
        """Return the file that an evaluator's path means, or None when there is none."""
        if name.startswith(CONFINED):
            # Looked up again every time: a link that was harmless when the pipeline was registered may be changed.
            found = confined_path(name.removeprefix(CONFINED), map(str, self._places[1:]))
            return None if found is None else Path(found)
        candidates = [Path(os.path.normpath(place / name)) for place in self._places]
        exists = [path for path in candidates if path.exists()]
        return next((path for path in exists if path.is_file()), exists[0] if exists else None)

    def _not_found(self, name: str) -> str:
        if name.startswith(CONFINED):
            named = shown(name.removeprefix(CONFINED))
            return f"there is no evaluator {named!r} in evaluatorDirs; links that lead out of them do not count"
        near = get_close_matches(name, sorted(self._known()), n=1)
        places = ", ".join(str(place) for place in dict.fromkeys(self._places))
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"there is no evaluator {shown(name)!r} (looked in {places}; PATH is never searched){hint}"

    def _known(self) -> Iterator[str]:
        for place in self._places[1:]:
            if place.is_dir():
                for path in place.iterdir():
                    yield path.name
                    yield f"./{os.path.relpath(path, self._root)}"


def not_started(name: str, exc: OSError | ValueError, *, path: Path, cwd: Path) -> Answer:
    """Answer for a program that could not be started. That is PERMANENT, unless the machine is short of something."""
    category = FailureCategory.PERMANENT
    if isinstance(exc, OSError) and exc.errno in _SCARCE:
        category = FailureCategory.TRANSIENT
    return failure(category, f"the evaluator {shown(name)!r} could not be started: {_why(exc, path, cwd)}")


def _why(exc: OSError | ValueError, path: Path, cwd: Path) -> str:
    if not isinstance(exc, OSError):
        return str(exc)
    if not cwd.is_dir():
        return f"its working directory {cwd} does not exist"
    if path.is_dir():
        return f"{path} is a directory"
    if exc.errno == errno.EACCES:
        return f"{path} may not be executed (chmod +x it)"
    if exc.errno == errno.ENOEXEC:
        return f"{path} is neither a binary of this machine nor a script with a first line such as #!/bin/sh"
    if exc.errno == errno.ENOENT and path.exists():
        first = _first_line(path)
        if first.endswith("\r"):
            return f"{path} has Windows line ends, so its interpreter is not found (convert it to Unix line ends)"
        return f"the interpreter that {path} asks for does not exist ({shown(first)})"
    return f"{path}: {exc.strerror or exc}"


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(256).decode(errors="replace").rstrip("\n")
    except OSError:
        return ""


def trouble_of(
    name: str, ended: Ended, *, timeout: timedelta, limit: int, redact: Redactor, decided_below: int = 1
) -> Answer | None:
    """Answer for a program that ended otherwise than with an exit code below `decided_below`; None when it did."""
    what = f"the evaluator {shown(name)!r}"
    if ended.fate is Fate.TIMED_OUT:
        said = f"{what} gave no answer within {format_duration(timeout)} and was stopped"
        return failure(FailureCategory.TIMEOUT, said + stderr_tail(ended, redact))
    if ended.fate is Fate.HALTED:
        return failure(
            FailureCategory.TRANSIENT, f"{what} was stopped before it answered, because Interlock is stopping"
        )
    if ended.fate is Fate.FLOODED:
        start = shown(redact(ended.stdout[:2000].decode(errors="replace")))
        return failure(
            FailureCategory.PERMANENT, f"{what} printed more than {limit} bytes and was killed; it begins: {start}"
        )
    if ended.code is not None and 0 <= ended.code < decided_below:
        return None
    category, how = _end_of(ended.code)
    return failure(category, f"{what} {how}{stderr_tail(ended, redact)}")


def stderr_tail(ended: Ended, redact: Redactor) -> str:
    """Return the last words on stderr as the end of a sentence, or nothing."""
    words = redact(ended.stderr.decode(errors="replace")).strip()
    return f"; its last words: {words[-_STDERR_SHOWN:]}" if words else ""


def _end_of(code: int | None) -> tuple[FailureCategory, str]:
    if code is None:
        return FailureCategory.EVALUATOR_CRASH, "ended, and its exit status was lost"
    if code < 0:
        return FailureCategory.EVALUATOR_CRASH, f"was killed by {_signal_name(-code)}"
    if code >= 128:
        return FailureCategory.EVALUATOR_CRASH, f"exited with {code} ({_signal_name(code - 128)}, as shells report it)"
    meanings = {
        2: "wrong use or configuration",
        126: "a program it calls may not be executed",
        127: "a program it calls was not found",
    }
    if code in meanings:
        return FailureCategory.PERMANENT, f"exited with {code} ({meanings[code]})"
    return FailureCategory.TRANSIENT, f"exited with {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


if TYPE_CHECKING:

    def _is_an_evaluator(it: SubprocessEvaluator) -> Evaluator:
        return it
