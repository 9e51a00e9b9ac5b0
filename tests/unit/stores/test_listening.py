"""A listener goes on after whatever goes wrong, and is quiet once it was ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event

import pytest

from interlock.errors import StoreUnavailable
from interlock.stores.listening import Listener, Listeners

LIMIT = 30


class Radio(Listener):
    """Plays a script: each connection does the next thing, and the last of them stays until it is ended."""

    def __init__(self, heard: Callable[[], None], *script: Callable[[Radio], None]) -> None:
        super().__init__(heard)
        self.script = iter(script)
        self.on_air = Event()

    def hear(self) -> None:
        next(self.script, Radio.stay)(self)

    def lose(self) -> None:
        self.tuned()
        raise StoreUnavailable("the connection is lost")

    def ring(self) -> None:
        self.tell()
        raise StoreUnavailable("the connection is lost")

    def stay(self) -> None:
        self.tuned()
        self.on_air.set()
        self._ended.wait(LIMIT)


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    listeners = Listeners()
    yield listeners
    listeners.close()
    assert not listeners.listening


def test_a_ring_may_have_been_missed_while_a_connection_was_lost(listeners: Listeners) -> None:
    """So whoever listens is told when there is one again, and not when there is the first."""
    heard: list[str] = []
    radio = Radio(lambda: heard.append("ring"), Radio.lose, Radio.stay)
    listeners.start(radio)
    assert radio.on_air.wait(LIMIT)
    assert heard == ["ring"]


def test_what_goes_wrong_in_whoever_is_called_ends_no_listening(listeners: Listeners) -> None:
    """Else one bad moment would make a watcher deaf for good."""

    def hurt() -> None:
        raise RuntimeError("not my day")

    radio = Radio(hurt, Radio.ring, Radio.stay)
    listeners.start(radio)
    assert radio.on_air.wait(LIMIT)
    assert listeners.listening


def test_where_nothing_can_ever_be_heard_no_thread_stays(listeners: Listeners) -> None:
    """As behind a connection pooler."""
    radio = Radio(lambda: None, lambda _: None)
    end = listeners.start(radio)
    radio._thread.join(LIMIT)
    assert not listeners.listening
    end()


def test_nobody_is_told_after_the_end(listeners: Listeners) -> None:
    """And ending twice is harmless."""
    heard: list[str] = []
    radio = Radio(lambda: heard.append("ring"), Radio.stay)
    end = listeners.start(radio)
    assert radio.on_air.wait(LIMIT)
    end()
    end()
    radio.tell()
    assert (heard, radio.alive) == ([], False)


def test_none_begins_when_all_have_been_ended(listeners: Listeners) -> None:
    """A closed store listens no more."""
    listeners.close()
    radio = Radio(lambda: None, Radio.stay)
    listeners.start(radio)()
    assert not radio.alive
