"""What a function reads from its environment: only what `interlock.aws.functions` says it does, and all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from interlock.aws import functions
from interlock.aws.functions import Function
from interlock.aws.patience import LONGEST
from interlock.errors import ConfigError


class Environment(Struct, frozen=True, kw_only=True):
    """The variables, by the names in `interlock.aws.functions`. Empty: not given."""

    table: str
    alert_topic: str = ""
    lifecycle_topic: str = ""
    state_machine: str = ""
    failure_queue: str = ""
    evaluator_url: str = ""
    public_url: str = ""
    api_roles: str = ""
    longest_wait: timedelta = LONGEST

    @classmethod
    def of(cls, function: Function, environ: Mapping[str, str]) -> Environment:
        """Read them.

        Raises:
            ConfigError: one is missing that the function cannot do without, or cannot be understood.
        """
        missing = [
            name for name in function.environment if name in functions.REQUIRED and not environ.get(name, "").strip()
        ]
        if missing:
            raise ConfigError(
                f"the function {function.name} cannot work without {', '.join(missing)}: set them in its environment. The "
                "Terraform module does"
            )

        def given(name: str) -> str:
            return environ.get(name, "") if name in function.environment else ""

        return cls(
            table=given(functions.TABLE),
            alert_topic=given(functions.ALERT_TOPIC),
            lifecycle_topic=given(functions.LIFECYCLE_TOPIC),
            state_machine=given(functions.STATE_MACHINE),
            failure_queue=given(functions.FAILURE_QUEUE),
            evaluator_url=given(functions.EVALUATOR_URL),
            public_url=given(functions.PUBLIC_URL),
            api_roles=given(functions.API_ROLES),
            longest_wait=_seconds(functions.LONGEST_WAIT, given(functions.LONGEST_WAIT)),
        )


def _seconds(name: str, text: str) -> timedelta:
    if not text:
        return LONGEST
    if not (text.isascii() and text.isdecimal() and len(text) <= 5) or int(text) > 86_400:
        raise ConfigError(f"{name} is {text!r}: expected whole seconds, 0 to 86400")
    return timedelta(seconds=int(text))
