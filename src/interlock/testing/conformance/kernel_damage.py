"""What holds when a stored row cannot be decoded any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Check, Delete, Kernel, Page, Put
from interlock.testing.conformance.kernel_values import HOUR, NOON, TICK, a_record, keep, places

Spoil = Callable[[str, str], None]


class DamageContract:
    """One bad row is named wherever it is read, and is in nobody else's way."""

    @pytest.fixture
    def spoil(self) -> Spoil:
        """Return a function that damages the body of one stored row, behind the kernel's back. Must be overridden."""
        raise LookupError(
            f"{type(self).__name__} must override the fixture `spoil` to give a function that damages a row by its keys"
        )

    def test_a_damaged_row_is_named_and_never_skipped(self, kernel: Kernel, spoil: Spoil) -> None:
        """T-118, BUG-54: absence would be a lie, and so would a shorter list."""
        keep(kernel, *(a_record(sk=name, kind="k") for name in ("a", "bad", "c")))
        spoil("p", "bad")
        for look in (
            lambda: kernel.get("p", "bad"),
            lambda: kernel.rows("p", "", Page()),
            lambda: kernel.listing("k", Page()),
        ):
            with pytest.raises(UnreadableRecord, match="the row 'bad' of 'p'"):
                look()
        assert kernel.get("p", "a") == a_record(sk="a", kind="k")

    def test_a_damaged_row_does_not_hide_the_other_due_rows(self, kernel: Kernel, spoil: Spoil) -> None:
        """LAT-27: wherever in the order it stands; and it is due itself, so that somebody hears of it."""
        rows = [a_record(f"p{number}", sk, wake_at=NOON + number * TICK) for number in range(3) for sk in "ab"]
        keep(kernel, *rows)
        for bad in (rows[0], rows[3], rows[5]):
            spoil(bad.pk, bad.sk)
            assert kernel.due(NOON + HOUR, 10) == places(rows)
            assert kernel.due(NOON, 10) == places(rows[:2])
            assert kernel.due(NOON + HOUR, 3) == places(rows[:3])

    def test_a_damaged_row_keeps_its_version(self, kernel: Kernel, spoil: Spoil) -> None:
        """Comparisons do not read bodies: it can be replaced from a copy, guarded and removed."""
        row = a_record(sk="bad", wake_at=NOON)
        keep(kernel, row, a_record(sk="good"))
        spoil("p", "bad")
        assert kernel.commit("p", [Put(row)]) is False
        assert kernel.commit("p", [Check("bad", 1), Put(a_record(sk="good", version=2))]) is True
        assert kernel.commit("p", [Put(replace(row, version=2))]) is True
        assert kernel.get("p", "bad") == replace(row, version=2)
        spoil("p", "bad")
        assert kernel.commit("p", [Delete("bad", 2)]) is True
        assert kernel.due(NOON, 10) == []

    def test_a_damaged_row_is_purged_like_any_other(self, kernel: Kernel, spoil: Spoil) -> None:
        """Garbage need not be readable."""
        keep(kernel, a_record(sk="bad", expires_at=NOON), a_record(sk="later", expires_at=NOON + TICK))
        spoil("p", "bad")
        assert kernel.purge(NOON, 10) == 1
        assert kernel.rows("p", "", Page()) == [a_record(sk="later", expires_at=NOON + TICK)]
