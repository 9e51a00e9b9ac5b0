"""Writing for people and for programs. Answers go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TextIO

import click
import msgspec

from interlock.codec import wire
from interlock.operations.wording import moment, plain, span

__all__ = (
    "API_VERSION",
    "coloured",
    "emit_json",
    "faint",
    "finish",
    "moment",
    "plain",
    "say",
    "span",
    "strong",
    "styled",
    "table",
    "tell",
)

API_VERSION: Final = "interlock/v1"

_COLOURS: Final = {
    "READY": "green",
    "PASS": "green",
    "COMPLETED": "green",
    "succeeded": "green",
    "NOT_READY": "yellow",
    "PENDING": "yellow",
    "STALE": "yellow",
    "FAIL": "red",
    "ERROR": "red",
    "FAILED": "red",
    "failed": "red",
    "CANCELLED": "red",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}

_COLOUR: Final = re.compile(r"(\x1b\[[0-9;]{0,16}m)")

_VOICES: Final[list[Callable[[str], None]]] = []


def emit_json(kind: str, content: object) -> None:
    """Print one JSON document: an object with `apiVersion`, `kind` and the fields of `content`, or its `items`."""
    plain = wire.to_builtins(content)
    body: dict[str, Any] = {"items": list(plain)} if isinstance(plain, list | tuple) else dict(plain)
    document = {"apiVersion": API_VERSION, "kind": kind, **body}
    say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def say(text: str = "") -> None:
    """Print one line for people. A reader who has gone away changes nothing: the exit code still tells the answer."""
    try:
        click.echo(tame(text))
    except BrokenPipeError:
        _silence(sys.stdout)


def tell(text: str) -> None:
    """Print one line beside the answer, on stderr, or by the voice that was lent for it."""
    if _VOICES:
        _VOICES[0](text)
        return
    try:
        click.echo(tame(text), err=True)
    except BrokenPipeError:
        _silence(sys.stderr)


def tame(text: str) -> str:
    """Return a text without anything that a terminal obeys but line breaks and colours.

    What others wrote is made plain where it is put in; this is for what was forgotten, and for what a server makes up. JSON
    stays the same JSON.
    """
    if text.isprintable():
        return text
    parts = _COLOUR.split(text)  # every second one is a colour
    return "".join(part if place % 2 else _tamed(part) for place, part in enumerate(parts))


def _tamed(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def speak_through(voice: Callable[[str], None] | None) -> None:
    """Let `tell` speak with another voice, until the next command line."""
    _VOICES[:] = [] if voice is None else [voice]


def finish() -> bool:
    """Write out what is still buffered; False when it cannot be written, so that the answer did not arrive."""
    try:
        if sys.stdout is not None:  # None: it was closed before we began
            sys.stdout.flush()
    except OSError as exc:
        _silence(sys.stdout)
        return isinstance(exc, BrokenPipeError)
    return True


def _silence(stream: TextIO) -> None:
    # Python flushes once more at its end, and would complain, and leave with a code of its own.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def styled(word: str) -> str:
    """Colour a status word; plain where nobody sees colours."""
    colour = _COLOURS.get(word)
    return click.style(word, fg=colour, bold=True) if colour and coloured() else word


def strong(text: str) -> str:
    """Make a heading stand out."""
    return click.style(text, bold=True) if coloured() else text


def faint(text: str) -> str:
    """Make an aside stand back."""
    return click.style(text, dim=True) if coloured() else text


def coloured() -> bool:
    """Say whether stdout is a terminal that wants colours."""
    context = click.get_current_context(silent=True)
    wanted = context.color if context is not None else None
    return sys.stdout is not None and sys.stdout.isatty() if wanted is None else wanted


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows in columns, as wide as their contents; colours do not count for width."""
    lines = [tuple(map(strong, headers)), *(tuple(map(_in_one_line, row)) for row in rows)]
    widths = [max(len(click.unstyle(line[column])) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _in_one_line(cell: str) -> str:
    return cell if "\n" not in cell and "\r" not in cell else " ".join(cell.split())
