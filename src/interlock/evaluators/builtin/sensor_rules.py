"""`builtin:rule` and `builtin:rules`: what sensors must be like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

from interlock.codec.documents import document
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import UnreadableRecord
from interlock.evaluators.builtin.comparing import AGES, Check, Outcome, compare, wrong_value
from interlock.evaluators.builtin.sensed import (
    MISSING,
    SKEW,
    PerPeriod,
    SensorKey,
    Skew,
    field_of,
    find,
    no_field,
    nothing_yet,
    plain,
    require_key,
)
from interlock.evaluators.context import CheckContext, seconds
from interlock.ports.evaluators import Answer, Question
from interlock.ports.sensors import Sensor

MOST_RULES: Final = 100


class RuleItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One rule."""

    sensor: SensorKey
    field: Annotated[
        str,
        Meta(
            max_length=200, description="A field of it, or a path with dots. Ages need none: the sensor's own is meant."
        ),
    ] = ""
    check: Annotated[Check, Meta(description="What must hold.")]
    value: Annotated[
        Any | UnsetType,
        Meta(
            description="A number for gt, gte, lt and lte; two for between; a list for in; a pattern for matches; a"
            " duration for ages; a text, number or truth value for equals and ne."
        ),
    ] = UNSET
    per_period: PerPeriod = False

    def __post_init__(self) -> None:
        require_key("sensor", self.sensor)
        wrong = wrong_value(self.check, self.value)
        if wrong:
            raise ValueError(f"value: {wrong}")
        if not self.field and self.check not in (*AGES, "exists"):
            raise ValueError(f"field: {self.check} needs the field that it looks at")


class RuleConfig(RuleItem, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `rule` takes."""

    skew: Skew = SKEW

    def __post_init__(self) -> None:
        super().__post_init__()
        seconds("skew", self.skew)


class RulesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `rules` takes."""

    rules: Annotated[
        tuple[RuleItem, ...], Meta(min_length=1, max_length=MOST_RULES, description="The rules, as of `rule`.")
    ]
    mode: Annotated[Literal["all", "any", "at_least"], Meta(description="How many of them must hold.")] = "all"
    at_least: Annotated[int, Meta(ge=1, description="How many, with `mode: at_least`.")] | None = None
    skew: Skew = SKEW

    def __post_init__(self) -> None:
        seconds("skew", self.skew)
        if (self.mode == "at_least") is (self.at_least is None):
            raise ValueError("atLeast: it is needed with `mode: at_least`, and with no other mode")
        if self.at_least is not None and self.at_least > len(self.rules):
            raise ValueError(f"atLeast: {self.at_least} of {len(self.rules)} rules can never hold")

    @property
    def needed(self) -> int:
        """How many rules must hold."""
        return {"all": len(self.rules), "any": 1}.get(self.mode, self.at_least or 1)


class _Judged(NamedTuple):
    rule: RuleItem
    outcome: Outcome
    sensor: Sensor | None

    def shown(self) -> dict[str, Any]:
        rule = self.rule
        seen = {} if self.sensor is None else {"updatedAt": self.sensor.updated_at.isoformat()}
        return {
            "sensor": rule.sensor,
            "field": rule.field,
            "check": rule.check,
            **({} if rule.value is UNSET else {"value": rule.value}),
            "found": plain(self.outcome.found),
            "status": self.outcome.status,
            "reason": self.outcome.reason,
            **seen,
        }


class SensorRule:
    """Passes when one rule holds."""

    Config = RuleConfig

    def __init__(self, config: RuleConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (the store minds its own time)
        """Look the sensor up; see `Check.evaluate`."""
        (judged,) = _judge([self._config], question, self._context, seconds("skew", self._config.skew))
        return _answer(judged.outcome.status, judged.shown(), judged.outcome.reason)


class SensorRules:
    """Passes when enough rules hold. What could not be told of some counts only where it could make the difference."""

    Config = RulesConfig

    def __init__(self, config: RulesConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (as above)
        """Look the sensors up; see `Check.evaluate`."""
        judged = _judge(self._config.rules, question, self._context, seconds("skew", self._config.skew))
        passed = sum(each.outcome.status is TraitStatus.PASS for each in judged)
        untold = sum(each.outcome.status is TraitStatus.ERROR for each in judged)
        needed = self._config.needed
        value = {"passed": passed, "needed": needed, "rules": [each.shown() for each in judged]}
        if passed >= needed:
            return _answer(TraitStatus.PASS, value, "")
        status = TraitStatus.ERROR if passed + untold >= needed else TraitStatus.FAIL
        reasons = "; ".join(each.outcome.reason for each in judged if each.outcome.reason)
        return _answer(status, value, f"{passed} of {needed} rules hold: {reasons}")


def _judge(rules: Sequence[RuleItem], question: Question, context: CheckContext, skew: timedelta) -> list[_Judged]:
    """Judge all rules at one instant, each sensor read once."""
    found: dict[tuple[str, bool], Sensor | UnreadableRecord | None] = {}
    for rule in rules:
        wanted = rule.sensor, rule.per_period
        if wanted not in found:
            try:
                found[wanted] = find(context, question, rule.sensor, per_period=rule.per_period)
            except UnreadableRecord as exc:
                found[wanted] = exc
    # Only now, so that nothing that was read can be younger than the instant by which it is judged.
    now = context.clock.now()
    return [_judged(rule, found[rule.sensor, rule.per_period], question, now, skew) for rule in rules]


def _judged(
    rule: RuleItem, sensor: Sensor | UnreadableRecord | None, question: Question, now: datetime, skew: timedelta
) -> _Judged:
    if isinstance(sensor, UnreadableRecord):
        return _Judged(rule, Outcome(TraitStatus.ERROR, f"the sensor {rule.sensor} cannot be judged: {sensor}"), None)
    if sensor is None:
        reason = nothing_yet(question, rule.sensor, per_period=rule.per_period)
        return _Judged(rule, Outcome(TraitStatus.FAIL, reason), None)
    if rule.field:
        subject, found = f"{rule.field} of the sensor {rule.sensor}", field_of(sensor, rule.field)
        if found is MISSING:
            return _Judged(rule, Outcome(TraitStatus.FAIL, no_field(sensor, rule.field)), sensor)
    else:
        subject, found = f"the sensor {rule.sensor}", sensor.updated_at
    outcome = compare(rule.check, rule.value, found, subject, now, skew)
    if isinstance(outcome.found, datetime):
        outcome = outcome._replace(found=outcome.found.isoformat())
    return _Judged(rule, outcome, sensor)


def _answer(status: TraitStatus, value: dict[str, Any], reason: str) -> Answer:
    # What a sensor holds does not change by asking again: people are told at once, and the next write asks again.
    category = FailureCategory.PERMANENT if status is TraitStatus.ERROR else None
    return Answer(status=status, value=document(value), reason=reason, category=category)
