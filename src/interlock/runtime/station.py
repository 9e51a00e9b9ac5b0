"""What all the work of a watcher shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from interlock.app.advance import Advanced
from interlock.app.hands import Hands, Together
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.app.postponing import about_run
from interlock.core.alerts import Alert, AlertType
from interlock.core.ids import PipelineName, RunKey
from interlock.core.runs import SUCCEEDED, RunStatus
from interlock.runtime.lanes import Lanes, side_by_side
from interlock.telemetry.about import about

News = Callable[[str], None]

ITSELF: Final = "interlock"
"""What alerts about Interlock as a whole are about."""


class Station:
    """The hands, which change with the files; the lanes; and how to say that there is something new.

    `together` calls the channels of one alert at once.
    """

    def __init__(
        self,
        hands: Hands,
        lanes: Lanes,
        *,
        poke: Callable[[], None],
        news: News,
        together: Together = side_by_side,
    ) -> None:
        self.hands = hands
        self.together = together
        self.lanes = lanes
        self.poke = poke
        self.news = news
        # Plain words and no locks: signals' handlers set them.
        self.stopping = False
        self.hurried = False
        self.broken_off = False
        # Pipelines of which a run has ended here, until somebody tidies up after them.
        self.ended: set[PipelineName] = set()

    def alert(self, kind: AlertType, subject: str, message: str, *, key: RunKey | None = None) -> None:
        """Tell people of something about Interlock itself, or about what it cannot work on."""
        alert = about_run(kind, subject, message, key, self.hands)
        raise_alert(alert, self.hands)
        self.alerted(alert)

    def alerted(self, alert: Alert) -> None:
        """Say that people are being told something."""
        with about(run=alert.run_id):
            self.news(f"alert {alert.level} {alert.alert_type}: {alert.message}")
        self.poke()

    def mended(self, kind: AlertType, subject: str, resolution: str) -> None:
        """Tell people, if they know of it, that it is so no longer."""
        resolve_alert(alert_id(kind, subject), resolution, self.hands.clock.now(), self.hands)
        self.poke()

    def tell(self, advanced: Advanced) -> None:
        """Say what has just happened to a run, if it is worth a line."""
        if advanced.changed and advanced.run.ended:
            self.ended.add(advanced.run.key.slot.pipeline)
        line = line_of(advanced) if advanced.changed else ""
        if line:
            with about(run=advanced.run.key.run_id):
                self.news(line)


def alert_id(kind: AlertType, subject: str = ITSELF) -> str:
    """Name a fact about Interlock itself, or about what it cannot work on."""
    return f"{kind}/{subject}"


def line_of(advanced: Advanced) -> str:
    """Return the line for people about a run whose status has just changed; nothing where it is not worth one."""
    run = advanced.run
    if run.since != run.updated_at:
        return ""
    match run.status:
        case RunStatus.RUNNING:
            return f"started {run.key} attempt {run.attempt} as {run.job_id}"
        case RunStatus.FAILED | RunStatus.CANCELLED:
            failure = run.last_failure
            return f"{run.status.lower()} {run.key}" + (f": {failure.reason}" if failure is not None else "")
        case RunStatus.PENDING if run.last_failure is not None:
            return f"retrying {run.key}: {run.last_failure.reason}"
        case _:
            return f"completed {run.key}" if run.status in SUCCEEDED else ""
