from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.alert_lives import Life

from interlock.core.alerts import NoticeKind
from interlock.core.deliveries import DeliveryState


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_whatever_happens_to_an_alert_keeps_the_laws_and_comes_to_rest(seed: int) -> None:
    """BUG-48, T-44."""
    life = Life(seed, punctual=False).live(60).quiet()
    assert life.record.held_until is None


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_whoever_was_told_of_an_alert_is_told_of_its_end(seed: int) -> None:
    life = Life(seed).live(60).quiet()
    for each in life.record.deliveries:
        seen = [kind for name, _, kind in life.arrived if name == each.target.name]
        if not life.record.open and seen and each.state is not DeliveryState.GIVEN_UP:
            assert seen[-1] is NoticeKind.RESOLVED


def test_lives_are_full_of_everything_that_can_happen() -> None:
    seen = {kind for seed in range(40) for _, _, kind in Life(seed).live(80).arrived}
    assert seen == set(NoticeKind)
