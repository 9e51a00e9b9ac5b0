"""Finds the samples of a page of Markdown, and runs them as a reader would: one after another, in one folder.

A fenced block of language `console` is a session. A line that begins with `$ ` is a command, the lines up to the next are
what it prints (stdout and stderr together): `...` on a line of its own stands for any number of lines, within a line for any
text. A command without expected lines may print what it likes. It has to exit with 0, or with the code that a comment at its
end names: `# exit 1`.

A fenced block with a `title="path"` is a file, written when its turn comes, executable if it begins with `#!`; after a YAML file
the project is validated. An HTML comment `<!-- $ command -->` is a command that readers do not see.

The command `interlock serve &` starts a server on a port of its own, which `INTERLOCK_SERVER` names to every later command.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE: Final = re.compile(r"^(?P<ticks>```+)(?P<language>[\w-]*)(?P<attributes>[^\n]*)$")
_HIDDEN: Final = re.compile(r"^<!-- \$ (?P<command>.+) -->$")
_TITLE: Final = re.compile(r'title="(?P<path>[^"]+)"')
_EXIT: Final = re.compile(r"#\s*exit (?P<code>\d+)\s*$")
_DEADLINE: Final = 60
_SERVE: Final = "interlock serve &"


class Command(NamedTuple):
    """A command and what the page says of it. `expected` is None when the page does not say what it prints."""

    line: int
    text: str
    expected: str | None

    @property
    def exit_code(self) -> int:
        """The code that it has to exit with."""
        match = _EXIT.search(self.text)
        return int(match["code"]) if match else 0


class Block(NamedTuple):
    """A fenced block; `path` is empty unless it is a file."""

    line: int
    language: str
    path: str
    text: str


Sample: TypeAlias = Command | Block


def samples(page: str) -> Iterator[Sample]:
    """Yield the samples of a page, in order."""
    lines = page.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if hidden := _HIDDEN.match(line):
            yield Command(number, hidden["command"], None)
        elif fence := _FENCE.match(line):
            opened, body = number, []
            while lines[number].strip() != fence["ticks"]:
                body.append(lines[number])
                number += 1
            number += 1
            if fence["language"] == "console":
                yield from _commands(opened, body)
            else:
                title = _TITLE.search(fence["attributes"])
                yield Block(opened, fence["language"], title["path"] if title else "", "\n".join(body) + "\n")


def _commands(opened: int, body: list[str]) -> Iterator[Command]:
    starts = [index for index, line in enumerate(body) if line.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise AssertionError(f"line {opened}: a console block begins with a command")
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        printed = body[start + 1 : end]
        yield Command(opened + start + 1, body[start][2:], "\n".join(printed) if printed else None)


def matches(expected: str, printed: str) -> bool:
    """Say whether a program printed what a page shows."""
    pieces = []
    for line in expected.splitlines():
        if line.strip() == "...":
            pieces.append(r"(?:.*\n)*?")
        else:
            pieces.append(".*".join(map(re.escape, line.rstrip().split("..."))) + r"[ \t]*\n")
    text = printed if printed.endswith("\n") or not printed else printed + "\n"
    return re.fullmatch("".join(pieces), text) is not None


class Session:
    """A reader at a terminal: remembers the folder between commands, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pwd = folder / ".pwd"
        self._home = folder / "home"
        self._home.mkdir()
        self.cwd = folder / "work"
        self.cwd.mkdir()
        self._server: subprocess.Popen[bytes] | None = None
        self._server_url = ""

    def play(self, sample: Sample) -> None:
        """Do what a sample shows, and fail unless what happens is what it says."""
        if isinstance(sample, Command) and sample.text == _SERVE:
            self._serve()
        elif isinstance(sample, Command):
            self._run(sample)
        elif sample.path:
            self._write(sample)

    def close(self) -> None:
        """Stop the server, if the page has started one."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(_DEADLINE)

    def _serve(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = self._folder / "server.log"
        with log.open("wb") as out:
            self._server = subprocess.Popen(
                [str(Path(sys.executable).with_name("interlock")), "serve", "--addr", f"127.0.0.1:{port}"],
                cwd=self.cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._server_url = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + _DEADLINE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if self._server.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"the server does not answer:\n{log.read_text()}")
            time.sleep(0.05)

    def _run(self, command: Command) -> None:
        script = f"{command.text}\nstatus=$?\npwd > {str(self._pwd)!r}\nexit $status\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.cwd,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
        said = f"line {command.line}: $ {command.text}\nexit code {done.returncode}, printed:\n{done.stdout}"
        if done.returncode != command.exit_code:
            raise AssertionError(f"{said}\nThe page says exit code {command.exit_code}.")
        if command.expected is not None and not matches(command.expected, done.stdout):
            raise AssertionError(f"{said}\nThe page says:\n{command.expected}")
        self.cwd = Path(self._pwd.read_text().strip())

    def _write(self, block: Block) -> None:
        path = self.cwd / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if block.text.startswith("#!"):
            path.chmod(0o755)
        if block.language == "yaml":
            self._run(Command(block.line, "interlock validate", None))

    def _environment(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        return {
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            **({"INTERLOCK_SERVER": self._server_url} if self._server_url else {}),
        }
