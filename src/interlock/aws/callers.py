"""Who asks through the function's URL: the identity that IAM has checked, and the roles that it has here.

IAM decides who comes in at all. `API_ROLES` may narrow down what they may do: a JSON object of patterns of ARNs (`*` and
`?` stand for any characters) and the roles of whoever matches, such as
`{"arn:aws:iam::123456789012:role/data-team": ["operate"]}`. A role's ARN stands for all its sessions; one session is
`arn:aws:sts::123456789012:assumed-role/data-team/anna`. Whoever assumes a role chooses the name of the session, so a pattern
spells out the role before it. Of several patterns that match, all count; who matches none may do nothing. Without the
variable whoever IAM lets in may do everything. What cannot be understood lets nobody in.

The event itself says who asks, so only Lambda may make it: grant `lambda:InvokeFunction` on this function to nobody, except
on the condition that AWS knows as `lambda:InvokedViaFunctionUrl`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from interlock.api.contract import IMPLIED, Role
from interlock.clients.texts import cleaned
from interlock.errors import Invalid, NotAllowed
from interlock.server.bodies import parsed
from interlock.server.keys import Caller

VARIABLE: Final = "API_ROLES"

_ARN: Final = re.compile(r"arn:[a-z0-9-]+:(iam|sts)::[0-9]{12}:[\x21-\x7e]{1,1900}")
_SESSION: Final = re.compile(r"(arn:[a-z0-9-]+):sts::([0-9]{12}):assumed-role/([^/]+)/.+")
_SHOWN: Final = 200
_EVERYTHING: Final = frozenset(Role)
_log: Final = logging.getLogger("interlock.server")


class Principal(Caller):
    """Somebody whom IAM let in; the name is the ARN, with the session's name where there is one."""

    __slots__ = ()

    @property
    def actor(self) -> str:
        """The name for the record."""
        return f"iam:{self.name}"

    def require(self, role: Role) -> None:
        """Raise unless the caller has a role.

        Raises:
            NotAllowed: it has not.
        """
        if role not in self.roles:
            held = ", ".join(sorted(self.roles)) or "none"
            raise NotAllowed(f"this takes the role {role}; {self.name} has {held} ({VARIABLE} of the function says so)")


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    roles: frozenset[Role]


def principal_of(event: Mapping[str, Any], roles: str) -> Principal:
    """Return who asks; `roles` is the value of `API_ROLES`.

    Raises:
        NotAllowed: IAM has not said who it is, or nobody can know what anybody may do.
    """
    arn = _within(event, "requestContext", "authorizer", "iam", "userArn")
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        raise NotAllowed(
            "IAM has not said who asks, so nothing is answered: the URL of this function must have the authorisation type "
            "AWS_IAM, and requests must be signed"
        )
    try:
        rules = _rules(roles)
    except Invalid as exc:
        _log.error("nobody is let in: %s", exc)
        raise NotAllowed(f"nobody is let in: {exc}. Correct it in the function's environment") from exc
    if rules is None:
        return Principal(arn, _EVERYTHING)
    # A session does not say what path its role has; in an account each name of a role is there once.
    names = (arn, _SESSION.sub(r"\1:iam::\2:role/\3", arn))
    return Principal(
        arn, frozenset[Role]().union(*(rule.roles for rule in rules if any(map(rule.pattern.fullmatch, names))))
    )


@cache
def _rules(text: str) -> tuple[_Rule, ...] | None:
    """Return the rules; None where there are none to go by."""
    if not text.strip():
        return None
    try:
        found = parsed(text.encode(errors="surrogatepass"))
    except Invalid as exc:
        raise Invalid(f"{VARIABLE} cannot be read ({exc})") from exc
    if not isinstance(found, dict):
        raise Invalid(f"{VARIABLE} is no JSON object of patterns and roles")
    return tuple(_rule(pattern, roles) for pattern, roles in found.items())


def _rule(pattern: str, roles: object) -> _Rule:
    shown = cleaned(pattern, _SHOWN)
    if not pattern.startswith(("arn:", "*", "?")):
        raise Invalid(f"{VARIABLE}: {shown!r} matches no ARN, which begins with arn:")
    if not isinstance(roles, list):
        raise Invalid(f"{VARIABLE}: expected a list of roles for {shown!r}")
    return _Rule(re.compile("".join(_translated(pattern)), re.DOTALL), frozenset[Role]().union(*map(_implied, roles)))


def _translated(pattern: str) -> Iterator[str]:
    for letter in pattern:
        yield {"*": ".*", "?": "."}.get(letter, re.escape(letter))


def _implied(role: object) -> frozenset[Role]:
    if not isinstance(role, str) or role not in list(Role):
        shown = cleaned(str(role), _SHOWN)
        raise Invalid(f"{VARIABLE}: {shown!r} is no role; there are: {', '.join(Role)}")
    return IMPLIED[Role(role)]


def _within(found: object, *names: str) -> object:
    for name in names:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found
