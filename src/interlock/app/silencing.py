"""Silences: matching alerts are kept, and not told before the silence is over."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from interlock.app.hands import Hands
from interlock.app.notifying import change
from interlock.app.routing import matches, pipeline_of
from interlock.core import dispatching
from interlock.core.alerts import Alert
from interlock.core.dispatching import AlertRecord, Dispatch
from interlock.errors import NotFound
from interlock.ports.controls import Silence

_PAGE: Final = 100


def covers(silence: Silence, alert: Alert) -> bool:
    """Say whether a silence is about an alert, whatever the time."""
    if silence.pipeline and not matches(silence.pipeline, pipeline_of(alert)):
        return False
    if silence.tier is not None and silence.tier != alert.tier:
        return False
    if silence.owner and silence.owner != alert.owner:
        return False
    return silence.alert_type is None or silence.alert_type is alert.alert_type


def silence_over(alert: Alert, silences: tuple[Silence, ...], at: datetime) -> Silence | None:
    """Return the silence in force over an alert: of several the one that lasts longest."""
    found = [each for each in silences if each.at <= at < each.until and covers(each, alert)]
    return max(found, key=lambda each: (each.until, each.silence_id), default=None)


def silence_named(silence: Silence) -> Silence:
    """Return the silence under its name, which is derived from everything it says."""
    digest = blake2b(repr(replace(silence, silence_id="")).encode(errors="surrogatepass"), digest_size=5)
    return replace(silence, silence_id=digest.hexdigest())


def begin_silence(silence: Silence, hands: Hands) -> Silence:
    """Keep a silence under its name, and return it.

    Raises:
        ValueError: it says no reason, or is over before it begins.
    """
    if not silence.reason.strip():
        raise ValueError("a silence needs a reason: whoever finds an alert missing will look for it")
    if silence.until <= silence.at:
        raise ValueError(f"the silence would be over at {silence.until.isoformat()}, before it begins")
    named = silence_named(silence)
    hands.controls.put_silence(named)
    return named


def end_silence(silence_id: str, hands: Hands) -> int:
    """End a silence now, and let what waited for its end be due. Return how many alerts that were.

    Doing it twice is harmless: after a crash in the middle, doing it again frees the rest.

    Raises:
        NotFound: there is no such silence, and nothing waits for its end.
    """
    at = hands.clock.now()
    found = next((each for each in hands.controls.silences(at) if each.silence_id == silence_id), None)
    if found is not None:
        hands.controls.put_silence(replace(found, until=max(at, found.at)))
    freed = _let_speak(silence_id, hands)
    if found is None and not freed:
        raise NotFound(f"no silence is named {silence_id!r}; those in force: interlock silence list")
    return freed


def _let_speak(silence_id: str, hands: Hands) -> int:
    def spoken(before: Dispatch | None) -> Dispatch | None:
        if not isinstance(before, AlertRecord) or before.silenced_by != silence_id:
            return before
        return dispatching.unsilenced(before, hands.clock.now())

    freed = set[str]()
    while page := [
        each for each in hands.dispatches.silenced(silence_id, limit=_PAGE) if each.dispatch_id not in freed
    ]:
        for record in page:
            change(record.dispatch_id, spoken, hands)
            freed.add(record.dispatch_id)
    return len(freed)
