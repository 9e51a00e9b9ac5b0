"""Waking watchers of the same machine."""

from __future__ import annotations

import os
import socket
import threading
from datetime import timedelta
from pathlib import Path

import psutil

from interlock.runtime.bell import Bell, place_of, ring

LONG = timedelta(seconds=10)
NONE = timedelta()


def test_a_ring_wakes_every_watcher_there(tmp_path: Path) -> None:
    with Bell(tmp_path / "bells") as one, Bell(tmp_path / "bells") as two:
        assert ring(tmp_path / "bells") == 2
        assert one.wait(LONG)
        assert two.wait(LONG)


def test_many_rings_are_heard_as_one(tmp_path: Path) -> None:
    with Bell(tmp_path) as bell:
        for _ in range(5000):  # more than a socket holds: it is awake all the same
            assert ring(tmp_path) == 1
        assert bell.wait(LONG)
        assert not bell.wait(NONE)


def test_a_ring_ends_a_wait_that_has_begun(tmp_path: Path) -> None:
    with Bell(tmp_path) as bell:
        waiting = threading.Thread(target=ring, args=(tmp_path,))
        waiting.start()
        assert bell.wait(LONG)
        waiting.join()


def test_a_poke_from_this_process_is_heard_without_any_socket_on_disk() -> None:
    with Bell() as bell:
        bell.poke()
        assert bell.wait(LONG)
        assert not bell.wait(NONE)


def test_where_nobody_listens_a_ring_reaches_nobody(tmp_path: Path) -> None:
    assert ring(tmp_path / "bells") == 0
    assert ring(tmp_path) == 0


def test_the_socket_of_a_watcher_that_died_is_removed(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "1-1.sock"))
    dead.close()
    with Bell(tmp_path):
        assert ring(tmp_path) == 1
        assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_socket_of_ours_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "2-2.sock").mkdir()
    assert ring(tmp_path) == 0
    assert (tmp_path / "notes.txt").exists()


def test_a_directory_that_cannot_be_written_only_costs_the_rings(tmp_path: Path) -> None:
    (tmp_path / "bells").write_text("a file where the directory should be")
    with Bell(tmp_path / "bells") as bell:
        bell.poke()
        assert bell.wait(LONG)


def test_nothing_is_left_open_or_on_disk(tmp_path: Path) -> None:
    before = psutil.Process().num_fds()
    with Bell(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().num_fds() == before


def test_a_project_deep_down_has_its_bells_where_addresses_are_short(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 6)
    place = place_of(deep)
    assert len(os.fsencode(place)) < 100
    assert place == place_of(deep)
    assert place != place_of(deep / "other")
    with Bell(place) as bell:
        assert ring(place) == 1
        assert bell.wait(LONG)
    place.rmdir()


def test_a_place_that_everybody_may_write_to_is_not_believed(tmp_path: Path) -> None:
    with Bell(tmp_path):
        tmp_path.chmod(0o777)
        assert ring(tmp_path) == 0


def test_a_wait_for_nothing_or_less_returns_at_once() -> None:
    with Bell() as bell:
        assert not bell.wait(timedelta(seconds=-5))
