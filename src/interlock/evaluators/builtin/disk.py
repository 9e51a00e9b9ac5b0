"""`builtin:disk-space`: is there room where the job writes?"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.codec.evaluator_protocol import failure
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.context import CheckContext, expand
from interlock.ports.evaluators import Answer, Question


class DiskConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `disk-space` takes."""

    path: Annotated[str, Meta(description="Any path on the file system in question, relative to the project.")] = "."
    min_free_bytes: Annotated[int, Meta(ge=0, description="How many bytes must be free for us.")] | None = None
    min_free_percent: (
        Annotated[float, Meta(ge=0, le=100, description="How much of the whole must be free for us, in percent.")]
        | None
    ) = None

    def __post_init__(self) -> None:
        if self.min_free_bytes is None and self.min_free_percent is None:
            raise ValueError("no rule is given: add minFreeBytes or minFreePercent")


class DiskSpace:
    """Passes when the file system has room enough, by every rule that is given."""

    Config = DiskConfig

    def __init__(self, config: DiskConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (one system call)
        """Ask the file system; see `Check.evaluate`."""
        path = self._context.root / expand(self._config.path, question, self._context)
        try:
            usage = shutil.disk_usage(path)
        except OSError as exc:
            return failure(FailureCategory.PERMANENT, f"{path} cannot be looked at: {exc.strerror}")
        percent = usage.free * 100 / usage.total if usage.total else 0.0
        short = []
        if self._config.min_free_bytes is not None and usage.free < self._config.min_free_bytes:
            short.append(f"{usage.free} bytes are free of the {self._config.min_free_bytes} wanted")
        if self._config.min_free_percent is not None and percent < self._config.min_free_percent:
            short.append(f"{percent:.1f} % is free of the {self._config.min_free_percent} % wanted")
        return Answer(
            status=TraitStatus.FAIL if short else TraitStatus.PASS,
            value=document({"freeBytes": usage.free, "totalBytes": usage.total, "freePercent": round(percent, 2)}),
            reason=f"on the file system of {path} {' and '.join(short)}" if short else "",
        )
