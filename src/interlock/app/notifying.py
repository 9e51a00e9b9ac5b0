"""Telling people."""

from __future__ import annotations

from interlock.app.hands import Hands, Silence
from interlock.core.commands import RaiseAlert
from interlock.errors import SinkError


def raise_alert(command: RaiseAlert, hands: Hands) -> Silence:
    """Deliver an alert to every sink; LATER when any of them failed and may succeed another time.

    One failing sink does not keep the alert from the others. A repeated delivery carries the same `alert_id`.
    """
    failed = False
    for sink in hands.sinks:
        try:
            sink.deliver(command.alert, timeout=hands.sink_timeout)
        except SinkError as exc:
            failed = failed or exc.retryable
        except Exception:  # noqa: BLE001  (a sink that breaks its promise must not keep the alert from the others)
            failed = True
    return Silence.LATER if failed else Silence.SETTLED
