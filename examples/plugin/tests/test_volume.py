"""A day is compared with the same weekday of the weeks before it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.codec.documents import mapping
from interlock.core.traits import TraitStatus
from interlock.testing.conformance.checks import TIMEOUT, CheckContract, a_question
from interlock.testing.conformance.contexts import a_check_context
from interlock_example_plugin.volume import UsualVolume, VolumeConfig


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root

    def check(self, sizes: dict[str, int], **config: object) -> UsualVolume:
        for day, size in sizes.items():
            (self.root / f"{day}.csv").write_bytes(b"x" * size)
        shape = msgspec.convert({"path": "%Y-%m-%d.csv", **config}, VolumeConfig)
        return UsualVolume(shape, a_check_context(self.root))

    def good(self) -> UsualVolume:
        return self.check({"2026-03-07": 90, "2026-02-28": 100, "2026-02-21": 80})

    def bad(self) -> UsualVolume:
        return self.check({"2026-03-07": 40, "2026-02-28": 100, "2026-02-21": 100})

    def blind(self) -> UsualVolume:
        return self.check({"2026-03-07": 90})


class TestUsualVolume(CheckContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        return Bench(tmp_path)


def test_the_same_weekday_counts_and_no_other(tmp_path: Path) -> None:
    check = Bench(tmp_path).check({"2026-03-07": 50, "2026-02-28": 100, "2026-03-06": 10_000, "2026-02-21": 60})
    answer = check.evaluate(a_question(), timeout=TIMEOUT)
    assert answer.value is not None
    assert mapping(answer.value) == {"bytes": 50, "usualBytes": 80.0, "weeks": 2}
    assert answer.status is TraitStatus.PASS


def test_no_file_is_a_no(tmp_path: Path) -> None:
    answer = Bench(tmp_path).check({"2026-02-28": 100}).evaluate(a_question(), timeout=TIMEOUT)
    assert (answer.status, answer.reason) == (TraitStatus.FAIL, f"there is no {tmp_path / '2026-03-07.csv'}")


def test_a_path_without_a_day_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="same file for every day"):
        msgspec.convert({"path": "orders.csv"}, VolumeConfig)
