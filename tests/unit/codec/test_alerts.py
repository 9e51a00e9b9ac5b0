"""What an alert looks like to machines."""

from __future__ import annotations

import json

import pytest

from interlock.codec.alerts import alert_json
from interlock.codec.documents import document
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.commands import RaiseAlert
from interlock.core.events import TriggerInDoubt
from interlock.core.lifecycle import decide
from interlock.core.runs import RunStatus
from interlock.testing.builders import NOON, a_key, a_run, a_spec


@pytest.mark.parametrize("kind", list(AlertType))
def test_every_alert_carries_its_type_its_id_and_its_slot(kind: AlertType) -> None:
    """T-104."""
    alert = Alert(alert_id="a/1", alert_type=kind, level=AlertLevel.ERROR, run=a_key(), at=NOON, message="m")
    said = json.loads(alert_json(alert))
    assert (said["alertType"], said["alertId"], said["pipelineId"], said["date"]) == (
        kind,
        "a/1",
        "example",
        "2026-03-07",
    )


def test_the_same_fact_has_the_same_alert_id_and_another_attempt_another() -> None:
    """T-105."""

    def told(attempt: int) -> str:
        run = a_run(status=RunStatus.TRIGGERING, attempt=attempt)
        decision = decide(run, TriggerInDoubt(at=NOON, attempt=attempt, reason="silence"), a_spec())
        (command,) = decision.commands
        assert isinstance(command, RaiseAlert)
        return command.alert.alert_id

    assert told(1) == told(1) != told(2)


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), b"bytes", "\ud800"])
def test_what_is_not_json_is_refused_and_never_becomes_an_empty_message(value: object) -> None:
    """BUG-34."""
    with pytest.raises(ValueError, match="not JSON"):
        document({"detail": value})
