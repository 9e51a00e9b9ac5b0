from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.clients.texts import cleaned, redacted

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT, st.integers(10, 60), st.booleans())
def test_a_cleaned_text_is_one_short_line_without_control_characters(text: str, limit: int, end: bool) -> None:
    """BUG-120."""
    made = cleaned(text, limit, end=end)
    assert len(made.encode()) <= limit
    assert len(made.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in made)


@given(st.text(st.sampled_from("abc é☃"), max_size=20))
def test_a_clean_text_stays_as_it_is(text: str) -> None:
    assert cleaned(text, 100) == text.strip()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("one\r\n\r\ntwo\n", "one | two"),
        ("a\x00\x07b", "a b"),
        ("abc\u202edef", "abc def"),
    ],
)
def test_terminal_commands_are_taken_out(text: str, clean: str) -> None:
    assert cleaned(text, 100) == clean


def test_the_beginning_or_the_end_is_kept() -> None:
    assert cleaned("0123456789", 8) == "01234…"
    assert cleaned("0123456789", 8, end=True) == "…56789"


@given(st.lists(st.text("ab", min_size=4, max_size=8)), st.text("ab", max_size=30))
def test_no_secret_survives(secrets: list[str], text: str) -> None:
    made = redacted(text, secrets)
    assert not any(secret in made for secret in secrets)


def test_texts_too_short_to_be_secrets_stay() -> None:
    assert redacted("a 1 b", ["1", ""]) == "a 1 b"


@pytest.mark.parametrize(
    ("secret", "repeated", "shown"),
    [
        ('open "sesame"\nnow', r'{"error": "no open \"sesame\"\nnow"}', '{"error": "no ***"}'),
        ("BEGIN\nMIIBVgIBADAN\nEND\n", "line 2 is bad: MIIBVgIBADAN", "line 2 is bad: ***"),
        ("hunter2 & co", "no token=hunter2+%26+co", "no token=***"),
    ],
)
def test_a_secret_is_found_as_targets_repeat_it(secret: str, repeated: str, shown: str) -> None:
    """G7: within JSON, one line of a key, within a query."""
    assert redacted(repeated, [secret]) == shown


@pytest.mark.parametrize("after", ["", "x", "xy"])
@pytest.mark.parametrize("user", ["ann", "anne", "annie"])
def test_a_secret_within_a_repeated_basic_header_is_found(user: str, after: str) -> None:
    """G7: wherever it begins among the letters of base64."""
    header = b64encode(f"{user}:correct-horse{after}".encode()).decode()
    made = redacted(f"401 for {header}", ["correct-horse"])
    assert made.startswith("401 for ")
    assert "***" in made
    assert len(made) < len(f"401 for {header}") - 10


def test_a_short_word_in_base64_is_no_reason_to_blot_out_half_a_text() -> None:
    assert redacted("see Zm9vIQ==", ["foo!"]) == "see Zm9vIQ=="
