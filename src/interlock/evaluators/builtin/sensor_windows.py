"""`builtin:window-completeness`: have all parts of a period arrived?"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from interlock.codec.documents import document
from interlock.core.traits import TraitStatus
from interlock.evaluators.builtin.sensed import MISSING, Sensed, field_of, garbled, kind_of, number_of, show
from interlock.evaluators.builtin.sensor_checks import OneSensor
from interlock.evaluators.context import CheckContext
from interlock.ports.evaluators import Answer
from interlock.ports.sensors import Sensor

MOST_WINDOWS: Final = 10_000

_LISTED: Final = 20


class WindowsConfig(Sensed, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `window-completeness` takes."""

    expected_windows: Annotated[
        tuple[str | int, ...],
        Meta(max_length=MOST_WINDOWS, description="The parts that must be among the sensor's `windows`."),
    ] = ()
    expected_count: (
        Annotated[int, Meta(ge=1, description="How many there must be, by its `windows` or its `count`.")] | None
    ) = None
    min_percent: Annotated[float, Meta(gt=0, le=100, description="How much of what is expected is enough.")] = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.expected_windows) is (self.expected_count is not None):
            raise ValueError("add expectedWindows or expectedCount, and not both")
        if len(set(self.expected_windows)) < len(self.expected_windows):
            raise ValueError("expectedWindows: one is named twice")


class WindowCompleteness(OneSensor):
    """Passes when enough of what is expected has arrived; names what is missing. A window counts once."""

    Config = WindowsConfig

    def __init__(self, config: WindowsConfig, context: CheckContext) -> None:
        super().__init__(config, context)
        self._config = config

    def judge(self, sensor: Sensor) -> Answer:
        """Compare its windows; see `OneSensor.judge`."""
        key, told = sensor.id.key, field_of(sensor, "windows")
        if not (told is MISSING or told is None or isinstance(told, list)):
            return garbled(f"windows of the sensor {key} is {kind_of(told)} ({show(told)}), not a list")
        windows = told if isinstance(told, list) else []
        odd = next((one for one in windows if isinstance(one, bool) or not isinstance(one, str | int)), None)
        if odd is not None or None in windows:
            return garbled(
                f"windows of the sensor {key} holds {kind_of(odd)} ({show(odd)}), not a text or whole number"
            )
        if self._config.expected_count is None:
            return self._by_name(key, set(windows))
        return self._by_count(sensor, len(set(windows)), self._config.expected_count)

    def _by_name(self, key: str, windows: set[str | int]) -> Answer:
        expected = self._config.expected_windows
        missing = [window for window in expected if window not in windows]
        there = len(expected) - len(missing)
        value = {"missing": missing, "actual": there, "expected": len(expected)}
        if self._enough(there, len(expected)):
            return Answer(status=TraitStatus.PASS, value=document(value))
        named = ", ".join(map(str, missing[:_LISTED]))
        named += f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        reason = f"the sensor {key} has {there} of {len(expected)} windows{self._percent()}; missing: {named}"
        return Answer(status=TraitStatus.FAIL, value=document(value), reason=reason)

    def _by_count(self, sensor: Sensor, windows: int, expected: int) -> Answer:
        key, told = sensor.id.key, field_of(sensor, "count")
        count = 0 if told is MISSING or told is None else number_of(told)
        if count is None:
            return garbled(f"count of the sensor {key} is not numeric: it is {kind_of(told)} ({show(told)})")
        actual = max(windows, count)
        value = {"windowCount": actual, "expected": expected}
        if self._enough(actual, expected):
            return Answer(status=TraitStatus.PASS, value=document(value))
        reason = f"the sensor {key} has {actual} of {expected} windows{self._percent()}"
        return Answer(status=TraitStatus.FAIL, value=document(value), reason=reason)

    def _enough(self, there: float, expected: int) -> bool:
        return there * 100 >= expected * self._config.min_percent

    def _percent(self) -> str:
        return f" ({self._config.min_percent:g} % are enough)" if self._config.min_percent < 100 else ""
