"""What the API's contract is made of: one request per operation, and how it travels over HTTP.

Routes, their decoding, the OpenAPI document, the clients and the command line's `--server` are all made out of these
requests, so that they cannot disagree. A field that the path names travels in the path; of a GET or a DELETE the others
travel in the query, of everything else in a JSON object.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Generic, NamedTuple, TypeAlias, TypeVar, get_args
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from interlock import reading
from interlock.errors import Invalid

T = TypeVar("T")
R = TypeVar("R", bound="Request[Any]")

_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_NO_WORD: Final = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_SHOWN: Final = 300
_BODILESS: Final = ("GET", "DELETE")

PipelineId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, description="The pipeline's name.")]
RunId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=1024, description="A run, such as orders:daily:2026-03-07:1.")
]
ScheduleId: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=255, description="A schedule's name; by default the one whose window opened last."),
]
Date: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=32, description="A period: 2026-03-07, or finer, such as 2026-03-07T14:00.")
]
Reason: TypeAlias = Annotated[str, Meta(max_length=4096, description="Why: recorded for good.")]
Limit: TypeAlias = Annotated[int, Meta(ge=1, description="At most so many; beyond the largest page, the largest page.")]
Cursor: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=4096, description="Go on where the last page ended: its `next`.")
]


class Role(enum.StrEnum):
    """What a key may do. `admin` may do everything, `operate` all that `read` and `push` may, and start and stop jobs."""

    READ = "read"
    PUSH = "push"
    OPERATE = "operate"
    ADMIN = "admin"


IMPLIED: Final[Mapping[Role, frozenset[Role]]] = {
    Role.READ: frozenset({Role.READ}),
    Role.PUSH: frozenset({Role.PUSH}),
    Role.OPERATE: frozenset({Role.READ, Role.PUSH, Role.OPERATE}),
    Role.ADMIN: frozenset(Role),
}
"""Which roles one holds with each."""


class Endpoint(NamedTuple):
    """Where a request goes, who may send it, and what a success looks like.

    With `bare` the answer's `items` travel as a plain array, and its `next` in the headers `Link` and `X-Next-Cursor`.
    `slow` requests wait for evaluators or jobs; there are bounds on how many are under way. What is `repeatable` is done
    once when it is asked twice, as every GET is: clients ask again when the answer was lost. Where that depends on what is
    asked, the request itself says so: see `harmless_twice`. Of a request with a `document`
    the body as a whole is that one field, whose keys are its own affair. What is `addressed` may stand in the query of a
    request with a body, so that an address that is handed on says it already.
    """

    method: str
    path: str
    role: Role
    success: int = 200
    bare: bool = False
    slow: bool = False
    repeatable: bool = False
    document: str = ""
    addressed: tuple[str, ...] = ()


class Request(Struct, Generic[T], frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One thing that can be asked; `T` is the shape of the answer. The first line of its docstring is its summary."""

    endpoint: ClassVar[Endpoint]

    @property
    def harmless_twice(self) -> bool:
        """Whether asking this very thing again, because the answer was lost, does nothing that the first did not do."""
        return self.endpoint.repeatable or self.endpoint.method == "GET"


class Travelling(NamedTuple):
    """A request on its way: the path with its values, the query, and the JSON body if there is one."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | None


def answer_of(kind: type[Request[Any]]) -> Any:
    """Return the type of the answer to a kind of request; None where nothing is answered."""
    for base in kind.__orig_bases__:  # type: ignore[attr-defined]  # typing keeps them there, and says so nowhere
        found = get_args(base)
        if found:
            return None if found[0] is type(None) else found[0]
    raise TypeError(f"{kind.__name__} does not say what its answer is")


def in_path(kind: type[Request[Any]]) -> tuple[str, ...]:
    """Return the names of the fields that travel in the path, in its order."""
    return tuple(_IN_PATH.findall(kind.endpoint.path))


def travelling(request: Request[Any]) -> Travelling:
    """Write a request for sending. What has its default value is left out."""
    endpoint = request.endpoint
    plain: dict[str, Any] = msgspec.to_builtins(request)
    path = _IN_PATH.sub(lambda found: quote(str(plain.pop(found[1])), safe=":@,"), endpoint.path)
    rest = {name: value for name, value in plain.items() if value is not None}
    if endpoint.method in _BODILESS:
        query = {name: _text(value) for name, value in rest.items()}
        return Travelling(endpoint.method, path, query, None)
    if endpoint.document:
        return Travelling(endpoint.method, path, {}, plain[endpoint.document])
    return Travelling(endpoint.method, path, {}, rest)


def arrived(kind: type[R], path: Mapping[str, Any], query: Mapping[str, str], body: object) -> R:
    """Read a request that has arrived. `body` is the decoded JSON, None where there was none.

    Raises:
        Invalid: something is missing, unknown, or of the wrong type or size; the message names it.
    """
    if kind.endpoint.method in _BODILESS:
        _require_known(kind, query, "query parameter")
        return _converted(kind, {**query, **path}, strict=False)
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise Invalid(f"the body must be a JSON object, not {_called(body)}")
    said = _addressed(kind, query)
    if kind.endpoint.document:
        return _converted(kind, {kind.endpoint.document: body, **path}, strict=True)
    _require_known(kind, body, "field")
    for name, value in said.items():
        if body.get(name) not in (None, value):
            raise Invalid(f"{name}: the address says {value}, and the body another: say it once")
    return _converted(kind, {**body, **said, **path}, strict=True)


def _addressed(kind: type[Request[Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """Read what the query of a request with a body says."""
    types = {field.encode_name: field.type for field in fields(kind)}
    said: dict[str, Any] = {}
    for name, text in query.items():
        if name not in kind.endpoint.addressed:
            raise Invalid(f"{name!r} is no query parameter of this route; what it takes goes into the body")
        try:
            said[name] = reading.value(text, types[name], strict=False)
        except msgspec.ValidationError as exc:
            raise Invalid(f"{name}: {exc}") from exc
    return said


def _converted(kind: type[R], found: Mapping[str, Any], *, strict: bool) -> R:
    try:
        return reading.value(dict(found), kind, strict=strict)
    except msgspec.ValidationError as exc:
        raise Invalid(_worded(kind, str(exc))) from exc


def _require_known(kind: type[Request[Any]], found: Mapping[str, Any], what: str) -> None:
    path = in_path(kind)
    names = [field.encode_name for field in fields(kind) if field.encode_name not in path]
    for name in found:
        if name not in names:
            route = f"{kind.endpoint.method} {kind.endpoint.path}"
            raise Invalid(f"{name[:100]!r} is no {what} of {route} ({_nearest(name, names)})")


def _nearest(wrong: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(wrong[:100], known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"


def _worded(kind: type[Request[Any]], message: str) -> str:
    # msgspec: "Expected `str`, got `int` - at `$.reason`", "Object missing required field `status`"
    said, _, place = message.partition(" - at `$")
    said = said.replace("Object missing required field", "missing:")
    place = place.rstrip("`").removeprefix(".")
    wrong = _NO_WORD.fullmatch(said)
    said = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"  # it quotes what was sent, however long that is
    if not place:
        return said
    hint = "" if wrong is None else f" ({_nearest(wrong[1], _words_of(kind, place))})"
    return f"{place}: {said[0].lower()}{said[1:]}{hint}"


def _words_of(kind: type[Request[Any]], name: str) -> list[str]:
    """Return the words that a field may be, as far as it may be words."""
    from msgspec import inspect

    field = next((field for field in fields(kind) if field.encode_name == name), None)
    if field is None:
        return []
    found = inspect.type_info(field.type)
    words: list[str] = []
    if isinstance(found, inspect.Metadata):  # a description is wrapped around its type
        found = found.type
    for each in found.types if isinstance(found, inspect.UnionType) else (found,):
        if isinstance(each, inspect.EnumType):
            words += [str(member.value) for member in each.cls]
        elif isinstance(each, inspect.LiteralType):
            words += [str(value) for value in each.values]
    return words


def _called(value: object) -> str:
    names = {list: "an array", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
