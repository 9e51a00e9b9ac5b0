"""The process's own settings, out of its environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """What the environment says. An empty variable counts as one that is not set.

    `project` (INTERLOCK_PROJECT) is the project's directory or file; `evaluator_base_url` (EVALUATOR_BASE_URL) is where
    evaluators given as a bare name are asked, and goes before the project file's `evaluatorBaseUrl`; `no_cache`
    (INTERLOCK_NO_CACHE) reads every file afresh.
    """

    project: Path | None = None
    evaluator_base_url: str = ""
    no_cache: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings out of an environment."""
        project = environ.get("INTERLOCK_PROJECT", "")
        return cls(
            project=Path(project) if project else None,
            evaluator_base_url=environ.get("EVALUATOR_BASE_URL", ""),
            no_cache=environ.get("INTERLOCK_NO_CACHE", "") not in ("", "0"),
        )
