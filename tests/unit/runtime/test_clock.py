"""Waiting for an instant."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import cast

from interlock.runtime.clock import SystemClock, SystemPacer
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock


def test_the_system_clock_is_aware_and_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta()
    assert abs(now.timestamp() - time.time()) < 5


def test_an_instant_that_has_passed_is_not_waited_for() -> None:
    pacer = SystemPacer(SystemClock())
    began = time.monotonic()
    pacer.until(datetime(2020, 1, 1, tzinfo=UTC))
    assert time.monotonic() - began < 1


def test_a_poke_ends_the_wait() -> None:
    clock = SystemClock()
    pacer = SystemPacer(clock)
    threading.Timer(0.05, pacer.poke).start()
    began = time.monotonic()
    pacer.until(clock.now() + timedelta(seconds=50))
    assert time.monotonic() - began < 20


def test_a_clock_that_is_set_back_does_not_keep_the_pacer_asleep() -> None:
    """The wait ends by elapsed time, even if the wall clock never gets there."""
    stopped = cast("SystemClock", FakeClock(NOON))
    began = time.monotonic()
    SystemPacer(stopped).until(NOON + timedelta(seconds=1.2))
    assert time.monotonic() - began < 10
