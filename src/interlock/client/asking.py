"""What the verbs of a client stand on: something that can have a request answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from interlock.api.contract import Request
from interlock.client.settings import Seconds

T = TypeVar("T")
Item_co = TypeVar("Item_co", covariant=True)


class Page(Protocol[Item_co]):
    """Some of a list, and where the rest of it is."""

    @property
    def items(self) -> tuple[Item_co, ...]:
        """Some of it, in its order."""
        ...

    @property
    def next(self) -> str | None:
        """What the next page begins at; None when this is the last."""
        ...


class Asking(ABC):
    """Has requests answered, and blocks until they are."""

    @abstractmethod
    def ask(self, request: Request[T], *, timeout: Seconds | None = None) -> T:
        """Have any request of `interlock.api` answered, within `timeout` seconds if they are given.

        Raises:
            InterlockError: it was not done, or nobody knows; the message says which.
        """


class AsyncAsking(ABC):
    """Has requests answered, and lets others go on meanwhile."""

    @abstractmethod
    async def ask(self, request: Request[T], *, timeout: Seconds | None = None) -> T:  # noqa: ASYNC109  (all tries' time)
        """Have any request of `interlock.api` answered, within `timeout` seconds if they are given.

        Raises:
            InterlockError: it was not done, or nobody knows; the message says which.
        """


def pages(fetch: Callable[[str | None], Page[T]], *, backwards: bool = False) -> Iterator[T]:
    """Go through all pages of a list, and through each from its end where that comes first."""
    cursor = None
    while True:
        page = fetch(cursor)
        yield from reversed(page.items) if backwards else page.items
        if page.next is None or page.next == cursor:
            return
        cursor = page.next


async def async_pages(
    fetch: Callable[[str | None], Awaitable[Page[T]]], *, backwards: bool = False
) -> AsyncIterator[T]:
    """Go through all pages of a list, and through each from its end where that comes first."""
    cursor = None
    while True:
        page = await fetch(cursor)
        for item in reversed(page.items) if backwards else page.items:
            yield item
        if page.next is None or page.next == cursor:
            return
        cursor = page.next
