"""Reading all of a partition or a listing, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from interlock.stores.kernel import Kernel, Page, Record, cursor_of

_PAGE: Final = 500


def row_pages(kernel: Kernel, pk: str, prefix: str = "") -> Iterator[list[Record]]:
    """Yield the rows of a partition whose names begin with a prefix, by name, some at a time."""
    after: str | None = None
    while True:
        page = kernel.rows(pk, prefix, Page(limit=_PAGE, after=after))
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1].sk


def rows_in(kernel: Kernel, pk: str, prefix: str = "") -> list[Record]:
    """Return all rows of a partition whose names begin with a prefix, by name."""
    return [record for page in row_pages(kernel, pk, prefix) for record in page]


def listed(kernel: Kernel, kind: str, after: str | None = None, *, backwards: bool = False) -> Iterator[Record]:
    """Yield the rows of a listing in order, behind a cursor or from an end. Whoever needs no more may stop."""
    while True:
        page = kernel.listing(kind, Page(limit=_PAGE, after=after, backwards=backwards))
        yield from page
        if len(page) < _PAGE:
            return
        after = cursor_of(page[-1])
