"""Laws of `builtin:command-exit`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.programs import BASH, write
from tests.unit.evaluators.worlds import World

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer


def ask(root: Path, command: object, timeout: float = 20.0, **config: Any) -> Answer:
    env = {"PATH": os.environ["PATH"], "TOKEN": "s3cret-token", "OTHER": "other-secret"}
    world = World(root, env=env, env_allow=("TOKEN",))
    return world.ask("builtin:command-exit", config={"command": command, **config}, timeout=timeout, date="2026-03-07")


@pytest.mark.parametrize("command", ["test -d .", ["test", "-d", "."], "./sub/check 'a b'", ["./sub/check", "a b"]])
def test_exit_zero_is_yes_for_a_text_and_for_a_list(tmp_path: Path, command: object) -> None:
    write(tmp_path, BASH + 'test "$#:$1" = "1:a b"', "sub/check")
    answer = ask(tmp_path, command)
    assert answer.status is TraitStatus.PASS, answer.reason
    assert answer.value is not None
    assert mapping(answer.value) == {"exitCode": 0}


@pytest.mark.parametrize("code", [1, 2, 5, 125])
def test_another_exit_is_a_plain_no(tmp_path: Path, code: int) -> None:
    write(tmp_path, BASH + f"echo not yet >&2; exit {code}")
    answer = ask(tmp_path, "./check")
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.EVALUATOR, None)
    assert answer.reason == f"the command exited with {code}: not yet"


def test_which_codes_mean_yes_may_be_said(tmp_path: Path) -> None:
    write(tmp_path, BASH + "exit 3")
    assert ask(tmp_path, "./check", passExitCodes=[0, 3]).status is TraitStatus.PASS
    write(tmp_path, BASH + "exit 0")
    assert ask(tmp_path, "./check", passExitCodes=[1]).status is TraitStatus.FAIL


@pytest.mark.parametrize(
    ("body", "category"),
    [
        ("exit 126", FailureCategory.PERMANENT),
        ("exit 127", FailureCategory.PERMANENT),
        ("exit 139", FailureCategory.EVALUATOR_CRASH),
        ("kill -9 $$", FailureCategory.EVALUATOR_CRASH),
        ("sleep 600", FailureCategory.TIMEOUT),
    ],
)
def test_a_command_that_did_not_decide_is_could_not_tell(tmp_path: Path, body: str, category: FailureCategory) -> None:
    write(tmp_path, BASH + body)
    answer = ask(tmp_path, "./check", timeout=0.5 if "sleep" in body else 20)
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.RUNNER, category)


def test_a_command_may_print_without_end_as_long_as_it_ends(tmp_path: Path) -> None:
    write(tmp_path, BASH + "head -c 5000000 /dev/zero | tr '\\0' x; echo the end; exit 1")
    answer = ask(tmp_path, "./check")
    assert answer.status is TraitStatus.FAIL
    assert answer.reason.endswith("xxthe end")
    assert len(answer.reason) < 1200


@pytest.mark.parametrize("command", ["no-such-command-anywhere", "./gone", "", [], "'", "x {{nope}}"])
def test_a_command_that_cannot_be_run_is_permanent(tmp_path: Path, command: object) -> None:
    answer = ask(tmp_path, command)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)


@pytest.mark.parametrize("codes", [[], [126], [-1], ["0"]])
def test_exit_codes_that_never_decide_are_refused(tmp_path: Path, codes: object) -> None:
    answer = ask(tmp_path, "true", passExitCodes=codes)
    assert answer.category is FailureCategory.PERMANENT
    assert "passExitCodes" in answer.reason


def test_the_slot_is_put_into_arguments_and_no_shell_reads_them(tmp_path: Path) -> None:
    write(tmp_path, BASH + 'test "$1" = "2026-03-07;\\$(touch pwned)"')
    assert ask(tmp_path, ["./check", "{{date}};$(touch pwned)"]).status is TraitStatus.PASS
    assert not (tmp_path / "pwned").exists()


def test_the_environment_is_the_short_list_and_secrets_stay_out_of_the_reason(tmp_path: Path) -> None:
    """T-73."""
    write(tmp_path, BASH + 'echo "$TOKEN-$OTHER-$INTERLOCK_TRAIT" >&2; exit 1')
    started = time.monotonic()
    answer = ask(tmp_path, "./check")
    assert answer.reason.endswith("${TOKEN}--source-freshness")
    assert time.monotonic() - started < 10
