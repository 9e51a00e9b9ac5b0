"""Projects that move from one store to another, by the real command line and on real servers."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cli import Said, a_project, begin, interlock, starts
from tests.acceptance.living import Living, Stub, until
from tests.acceptance.providers import store_lines

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]

DIGEST = re.compile(r"sha256-sum:[0-9a-f]{64}")


def blocks(request: pytest.FixtureRequest, *providers: str) -> str:
    """Return where each of some providers is, without saying which is used."""
    lines = [store_lines(provider, request).splitlines() for provider in providers]
    return "".join(f"{line}\n" for block in lines for line in block if not line.startswith("provider:"))


def use(root: Path, provider: str) -> None:
    """Change the one line."""
    file = root / "interlock.yaml"
    file.write_text(re.sub(r"(?m)^provider:.*$", f"provider: {provider}", file.read_text()))


def exported(root: Path, *options: str) -> Said:
    said = interlock("store", "export", *options, cwd=root)
    assert said.code == 0, said.err
    return said


def lines_of(said: Said) -> list[str]:
    """Return the rows of an export, in an order that all stores have in common."""
    return sorted(line for line in said.out.splitlines() if json.loads(line)["line"] == "record")


def a_past(root: Path, request: pytest.FixtureRequest, *providers: str) -> Path:
    """Make a project whose store holds runs that ended well and badly, and one that waits."""
    a_project(root)
    file = root / "interlock.yaml"
    file.write_text(file.read_text() + blocks(request, *providers))
    assert interlock("run", "orders", cwd=root).code == 0
    assert interlock("replay", "orders", "--date", "2026-03-07", "--reason", "again", cwd=root).code == 0
    assert interlock("pause", "orders", "--for", "1h", "--reason", "we move", cwd=root).code == 0
    assert interlock("sensor", "put", "orders", "rows", "--data", '{"n": 12.50, "é": null}', cwd=root).code == 0
    return root


def test_a_project_goes_round_all_providers_and_is_the_same_row_by_row(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """G3: whatever store it has been in, every row is as it was, by number and by digest."""
    root = a_past(tmp_path / "project", request, "postgres", "redis", "dynamodb")
    first = exported(root)
    rows, digest = lines_of(first), DIGEST.search(first.err)
    assert digest is not None
    for provider in ("postgres", "redis", "dynamodb"):
        moved = interlock("store", "migrate", "--to", provider, cwd=root)
        assert (moved.code, moved.out) == (0, f"provider: {provider}\n"), moved.err
        assert digest[0] in moved.err
        use(root, provider)
        assert lines_of(exported(root)) == rows
        checked = interlock("store", "check", "--json", cwd=root)
        assert checked.code == 0, checked.out
        assert checked.document["rows"] == len(rows)
    (root / ".interlock" / "interlock.db").rename(tmp_path / "old.db")
    assert interlock("store", "migrate", "--to", "sqlite", cwd=root).code == 0
    use(root, "sqlite")
    assert lines_of(exported(root)) == rows
    assert [run["status"] for run in _runs(root)] == ["COMPLETED", "COMPLETED"]
    assert len(starts(root)) == 2, "nothing was started by moving"


def test_the_store_that_was_left_is_kept_and_closed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """G2: nothing may start a job from both."""
    root = a_past(tmp_path / "project", request, "redis")
    before = lines_of(exported(root))
    assert interlock("store", "migrate", "--to", "redis", cwd=root).code == 0
    for verb in (["run", "orders"], ["status"], ["resume", "orders"], ["watch", "--once"], ["doctor"]):
        said = interlock(*verb, cwd=root)
        assert said.code == 3, said
        assert "was moved to redis" in said.err + said.out
    assert lines_of(exported(root)) == before
    again = interlock("store", "migrate", "--to", "redis", cwd=root)
    assert again.code == 7
    assert "was moved to redis" in again.err
    assert interlock("store", "migrate", "--abandon", cwd=root).code == 7
    assert len(starts(root)) == 2


@pytest.fixture
def living(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Living]:
    with Stub() as stub:
        project = Living(tmp_path / "living", stub, store="provider: sqlite\n" + blocks(request, "redis"))
        project.pipeline()
        yield project


def test_a_job_that_runs_while_its_project_moves_is_not_started_again(living: Living) -> None:
    """G2: state moves wholly. What waits goes on waiting, what runs goes on running."""
    living.pipeline("later")
    living.all_good()
    with living.watched():
        running = living.until_status("RUNNING")
        living.until_status("RUNNING", "later")
        busy = interlock("store", "migrate", "--to", "redis", cwd=living.root)
        assert busy.code == 7
        assert "somebody is at work" in busy.err
    living.complete(living.runs("later")[0])
    living.sense(rows="bad")
    assert interlock("rerun", "later", "--reason", "move", "--no-wait", cwd=living.root).code == 1
    started = len(living.stub.asked)
    assert interlock("store", "migrate", "--to", "redis", cwd=living.root).code == 0
    use(living.root, "redis")
    assert living.runs() == [running]
    assert living.runs("later")[0]["status"] == "PENDING"
    with living.watched():
        living.sense(rows="good")
        until(lambda: len(living.stub.asked) > started)
        living.until_status("RUNNING", "later", number=2)
        living.complete(running)
        living.until_status("COMPLETED")
        living.complete(living.runs("later")[0])
        living.until_status("COMPLETED", "later", number=2)
    assert len(living.stub.asked) == started + 1
    assert interlock("store", "check", cwd=living.root).code == 0


def test_a_move_that_was_killed_is_gone_on_with(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Wherever: nobody works on either meanwhile, and in the end everything is there once."""
    root = a_past(tmp_path / "project", request, "postgres")
    rows = lines_of(exported(root))
    moving = begin("store", "migrate", "--to", "postgres", cwd=root)
    until(lambda: "is being moved to postgres" in interlock("status", cwd=root).err, lambda: "the store to be closed")
    moving.kill()
    moving.communicate()
    assert moving.returncode == -signal.SIGKILL
    closed = interlock("run", "orders", cwd=root)
    assert closed.code == 3
    assert "migrate --abandon" in closed.err
    use(root, "postgres")
    half = interlock("status", cwd=root)
    assert half.code == 3
    assert "an import from the provider sqlite" in half.err
    use(root, "sqlite")
    assert interlock("store", "migrate", "--to", "postgres", cwd=root).code == 0
    use(root, "postgres")
    assert lines_of(exported(root)) == rows


def _runs(root: Path) -> list[dict[str, str]]:
    runs: list[dict[str, str]] = interlock("history", "orders", "--json", cwd=root).document["items"]
    return runs
