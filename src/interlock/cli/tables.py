"""Which table `interlock deploy` means: its options, and trouble with it in their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from interlock.errors import StoreError

if TYPE_CHECKING:
    from interlock.config.stores import DynamoSpec

F = TypeVar("F", bound=Callable[..., Any])

_WORDS: Final = {
    "dynamodb.tableName": "--table",
    "dynamodb.region": "--region",
    "dynamodb.endpoint": "--endpoint",
    "dynamodb.profile": "--profile",
    "the dynamodb block of the project file": "--region, --endpoint and --profile",
    " in the project file": "",
}
"""What the store says to whoever has a project file, and what is said here: no project file says which table is meant."""


def table_options(function: F) -> F:
    """Add the options that say which table is meant."""
    for name, text, check in (
        ("--endpoint", "The address of a stand-in for DynamoDB, or of a private endpoint.", _address),
        ("--profile", "A profile of the AWS configuration files.", None),
        ("--region", "Its region; that of the AWS environment by default.", None),
    ):
        function = click.option(name, default="", help=text, callback=check)(function)
    return click.option("--table", required=True, callback=_named, help="The table that the functions use.")(function)


def table_of(where: dict[str, str]) -> DynamoSpec:
    """Return the table that the options say."""
    from interlock.config.stores import DynamoSpec

    return DynamoSpec(
        table_name=where["table"], region=where["region"], endpoint=where["endpoint"], profile=where["profile"]
    )


@contextmanager
def in_words_of_options() -> Iterator[None]:
    """Tell trouble with the table by the names of the options that say which it is."""
    try:
        yield
    except StoreError as exc:
        words = str(exc)
        for key, option in _WORDS.items():
            words = words.replace(key, option)
        exc.args = (words,)
        raise


def _named(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it names no table. Is a variable empty?")
    return value


def _address(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        parts = urlsplit(value)
        good = not value or (parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        good = False
    if not good:  # it is not shown: there may be a password in it
        raise click.BadParameter("it is no address. Write one such as http://localhost:8000, or leave it out")
    return value
