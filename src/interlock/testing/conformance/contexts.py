"""The surroundings that plug-ins are given, made for tests: a project's directory, noon, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.core.ids import Slot
from interlock.evaluators.context import CheckContext
from interlock.sinks.context import SinkContext
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock
from interlock.triggers.context import TriggerContext

if TYPE_CHECKING:
    from interlock.clients.http import HttpSender


class NoRuns:
    """A world in which nothing ever ran."""

    def latest(self, slot: Slot) -> None:
        """Return None."""

    def never(self, slot: Slot) -> str:  # noqa: ARG002  (the port's shape)
        """Rule nothing out."""
        return ""


def a_trigger_context(root: Path) -> TriggerContext:
    """Return what a trigger of the project in `root` is given."""
    return TriggerContext(state_dir=root / ".interlock", root=root)


def a_check_context(root: Path) -> CheckContext:
    """Return what a check of the project in `root` is given."""
    return CheckContext(clock=FakeClock(NOON), root=root, runs=NoRuns(), http=_no_http, env={})


def a_sink_context(root: Path) -> SinkContext:
    """Return what a sink of the project in `root` is given; what it writes for people is kept in its `stream`."""
    return SinkContext(stream=io.StringIO(), root=root)


def _no_http() -> HttpSender:
    raise AssertionError("a test that needs requests brings what sends them")
