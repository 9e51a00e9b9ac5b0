"""Kill a watcher of a busy fleet at random points, again and again, and show what became of every slot and every start.

    python scripts/kill_watcher.py [KILLS] [SEED]

The fleet: shell evaluators that say no now and then, jobs that fail at first, and new pipelines while it goes on. Each job
writes one line when it really starts. At the end every slot must have completed, and no attempt may have started twice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final, NamedTuple

INTERLOCK: Final = [str(Path(sys.executable).with_name("interlock"))]
NEW_EACH_ROUND: Final = 3
ARCHETYPE: Final = "name: two-checks\nrequiredTraits:\n  - type: first\n  - type: second\n"
PIPELINE: Final = """\
name: {name}
archetype: two-checks
traits:
  first: {{evaluator: ./evaluators/first, timeout: 20}}
  second: {{evaluator: ./evaluators/second, timeout: 20}}
trigger: {{type: command, command: [./job]}}
retry: {{maxAttempts: 3, backoffSeconds: 1, backoffMultiplier: 1.0}}
watch: {{interval: 1s}}
"""
# One check in three says no; the second always says yes. A job's first attempt fails for every third pipeline.
FIRST: Final = """\
#!/bin/sh
[ $(($(od -An -N1 -tu1 /dev/urandom) % 3)) -gt 0 ] && said=PASS || said=FAIL
echo "{\\"status\\":\\"$said\\"}"
"""
SECOND: Final = '#!/bin/sh\necho \'{"status":"PASS"}\'\n'
JOB: Final = """\
#!/bin/sh
echo "$INTERLOCK_RUN_ID/$INTERLOCK_ATTEMPT" >> starts
sleep 0.$(($(od -An -N1 -tu1 /dev/urandom) % 9))
case "$INTERLOCK_RUN_ID" in *[0369]:daily:*) [ "$INTERLOCK_ATTEMPT" -gt 1 ];; *) true;; esac
"""


class Evidence(NamedTuple):
    """What was found: slots there should be, slots that completed, starts of attempts, and those that happened twice."""

    kills: int
    slots: int
    completed: int
    attempts: int
    starts: int
    doubled: tuple[str, ...]
    unfinished: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether no slot was lost and no job started twice."""
        return not self.doubled and not self.unfinished and self.completed == self.slots > 0


def play(kills: int, seed: int, root: Path) -> Evidence:
    """Play the whole story in a folder."""
    dice = Random(seed)
    _project(root)
    for number in range(kills):
        _more_pipelines(root, number)
        watcher = _watch(root)
        with contextlib.suppress(subprocess.TimeoutExpired):
            watcher.wait(timeout=dice.uniform(0.25, 2.5))
        os.kill(watcher.pid, signal.SIGKILL)
        watcher.wait()
    return _judged(root, kills)


def _judged(root: Path, kills: int) -> Evidence:
    names = sorted(path.stem for path in (root / "pipelines").glob("*.yaml"))
    deadline = monotonic() + 240
    watcher = _watch(root)
    try:
        while monotonic() < deadline:
            ended = _statuses(root)
            if len(ended) == len(names) and set(ended.values()) <= {"COMPLETED", "FAILED", "CANCELLED"}:
                break
    finally:
        watcher.send_signal(signal.SIGTERM)
        watcher.wait(timeout=60)
    ended = _statuses(root)
    starts = Counter((root / "starts").read_text().split())
    return Evidence(
        kills=kills,
        slots=len(names),
        completed=sum(status == "COMPLETED" for status in ended.values()),
        attempts=len(starts),
        starts=sum(starts.values()),
        doubled=tuple(sorted(attempt for attempt, times in starts.items() if times > 1)),
        unfinished=tuple(f"{name}: {ended.get(name, 'no run')}" for name in names if ended.get(name) != "COMPLETED"),
    )


def _project(root: Path) -> None:
    for folder in ("archetypes", "pipelines", "evaluators"):
        (root / folder).mkdir()
    (root / "interlock.yaml").write_text("watcher: {reload: 1s}\nalerts:\n  - {type: file, path: alerts.jsonl}\n")
    (root / "archetypes" / "two-checks.yaml").write_text(ARCHETYPE)
    for name, text in (("evaluators/first", FIRST), ("evaluators/second", SECOND), ("job", JOB)):
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    (root / "starts").touch()


def _more_pipelines(root: Path, round_number: int) -> None:
    for place in range(NEW_EACH_ROUND):
        name = f"p{round_number * NEW_EACH_ROUND + place:04d}"
        (root / "pipelines" / f"{name}.yaml").write_text(PIPELINE.format(name=name))


def _watch(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*INTERLOCK, "watch"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _statuses(root: Path) -> dict[str, str]:
    from interlock.stores.repository import Repository
    from interlock.stores.sqlite.kernel import SqliteKernel

    with contextlib.closing(SqliteKernel(root / ".interlock" / "interlock.db", read_only=True)) as kernel:
        store = Repository(kernel)
        found: dict[str, str] = {}
        for path in (root / "pipelines").glob("*.yaml"):
            runs = store.runs_of(path.stem, limit=1)
            if runs:
                found[path.stem] = str(runs[0].status)
    return found


def main(arguments: list[str]) -> int:
    kills = int(arguments[0]) if arguments else 50
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    with tempfile.TemporaryDirectory() as folder:
        began = monotonic()
        evidence = play(kills, seed, Path(folder))
        for name, value in evidence._asdict().items():
            print(f"{name:12} {value}")
        print(f"{'seconds':12} {monotonic() - began:.0f}")
    return 0 if evidence.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
