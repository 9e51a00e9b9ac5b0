"""`builtin:file-freshness`: are there files, young enough, large enough, and enough of them?"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.context import CheckContext, Span, expand, seconds
from interlock.evaluators.workers import too_late
from interlock.ports.evaluators import Answer, Question

_SKEW: Final = timedelta(minutes=1)


class FilesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `file-freshness` takes."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            description="A path or pattern (*, ?, [..], **), relative to the project; {{date}}, {{hour}}, {{schedule}} and"
            " {{pipeline}} are replaced.",
        ),
    ]
    max_age: Annotated[
        Span | None, Meta(description="How old a file may be. Left out, it is enough that the file is there.")
    ] = None
    min_bytes: Annotated[int, Meta(ge=0, description="How large a file must be to count.")] = 0
    min_count: Annotated[int, Meta(ge=1, description="How many files must count.")] = 1

    def __post_init__(self) -> None:
        if self.max_age is not None:
            seconds("maxAge", self.max_age)


class _File(NamedTuple):
    path: str
    age: timedelta
    size: int


class FileFreshness:
    """Counts the files that fit the pattern and are young and large enough. Only regular files count, through links too.

    A file dated more than a minute in the future makes its age meaningless, and the answer ERROR: a clock is wrong.
    """

    Config = FilesConfig

    def __init__(self, config: FilesConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Look at the files; see `Check.evaluate`."""
        pattern = expand(self._config.path, question, self._context)
        deadline = monotonic() + timeout.total_seconds()
        found: list[_File] = []
        for path in self._paths(pattern):
            if monotonic() > deadline:
                return too_late(f"the search for {pattern}", timeout)
            try:
                file = self._look(path)
            except OSError as exc:
                return _error(FailureCategory.PERMANENT, f"{path} cannot be looked at: {exc.strerror}")
            if file is not None:
                found.append(file)
        return self._judged(pattern, found)

    def _paths(self, pattern: str) -> Iterator[str]:
        root = glob.escape(str(self._context.root))
        return glob.iglob(os.path.join(root, pattern), recursive=True, include_hidden=False)  # noqa: PTH118, PTH207  (may be absolute)

    def _look(self, path: str) -> _File | None:
        try:
            seen = os.stat(path)  # noqa: PTH116  (one of perhaps a million)
        except FileNotFoundError:
            return None  # it was moved away while we looked
        if not stat.S_ISREG(seen.st_mode):
            return None
        age = self._context.clock.now() - datetime.fromtimestamp(seen.st_mtime, UTC)
        return _File(path, age, seen.st_size)

    def _judged(self, pattern: str, found: list[_File]) -> Answer:
        limit = None if self._config.max_age is None else seconds("maxAge", self._config.max_age)
        ahead = min(found, key=lambda file: file.age, default=None)
        if limit is not None and ahead is not None and ahead.age < -_SKEW:
            early = format_duration(timedelta(seconds=-int(ahead.age.total_seconds())))
            return _error(
                FailureCategory.PERMANENT, f"{ahead.path} is dated {early} in the future, so no age means anything"
            )
        large = [file for file in found if file.size >= self._config.min_bytes]
        counted = [file for file in large if limit is None or file.age <= limit]
        enough = len(counted) >= self._config.min_count
        return Answer(
            status=TraitStatus.PASS if enough else TraitStatus.FAIL,
            value=document(_measured(counted if enough else found, count=len(counted))),
            reason="" if enough else self._why_not(pattern, found, large, counted),
        )

    def _why_not(self, pattern: str, found: list[_File], large: list[_File], counted: list[_File]) -> str:
        if not found:
            return f"no file fits {pattern}"
        said = f"{len(counted)} of the {self._config.min_count} files wanted ({len(found)} fit {pattern}"
        if len(large) < len(found):
            said += f"; {len(found) - len(large)} smaller than {self._config.min_bytes} bytes"
        if len(counted) < len(large):
            said += f"; {len(large) - len(counted)} older than {self._config.max_age}, the newest {_age(large)} s old"
        return said + ")"


def _measured(files: list[_File], *, count: int) -> dict[str, Any]:
    if not files:
        return {"count": 0, "totalBytes": 0}
    newest = min(files, key=lambda file: (file.age, file.path))
    return {
        "count": count,
        "totalBytes": sum(file.size for file in files),
        "newestAgeSeconds": _age(files),
        "newestPath": os.fsencode(newest.path).decode(errors="replace"),
    }


def _age(files: list[_File]) -> int:
    return max(0, int(min(file.age for file in files).total_seconds()))


def _error(category: FailureCategory, reason: str) -> Answer:
    return Answer(status=TraitStatus.ERROR, reason=reason, category=category)
