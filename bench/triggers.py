"""What a start, a search and a look cost through a trigger, beside the same calls made without Interlock.

    python -m bench.triggers [TYPE…]

Ours is what the app does: the trigger is made anew for each call, out of the stored configuration, with placeholders
and secrets filled in and the store's name in the key, and then it is called. Beside it, by turns, is what people
would write: a client of boto3 that does not retry, a client of httpx2, `subprocess.Popen`. Both ask the same server,
a stand-in in a process of its own that shares this machine; so the milliseconds say nothing of AWS, where a call
takes many times as long. A ratio is the middle one of all pairs.

What Interlock does more, on purpose: every request has a connection of its own, while the yardstick's stays open
(over TLS that is a handshake for each request); every call of AWS has a thread of its own, so that it ends by its
deadline; a start in Airflow asks first whether the DAG would run, one in Step Functions whether the machine is a
standard one; a process is started under a supervisor that writes to the disk what becomes of it. `command` and
`python` have no yardstick for `find` and `poll`, which read files; `lambda` asks nobody for either, and Databricks
nobody for `find`. The stand-in for Airflow closes every connection after one answer, so there the yardstick connects
anew too.

`looks_at_once` are looks by sixteen threads; `1000_looks` is what a thousand leave behind. `first_start` is the first
one in a process that has imported nothing. `verify` is a run in the memory store, from its slot to its end, with one
check of what the job has left behind and without.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final
from unittest.mock import patch

from bench.trigger_cases import Case, cases
from bench.trigger_first import REGION
from bench.trigger_load import at_once, first_call, grown, verified
from bench.trigger_ours import Ours, a_job, factory_of
from bench.trigger_targets import PASSWORD, TOKEN, targets

from interlock.ports.triggers import JobHandle
from interlock.runtime.triggers import TriggerFactory

ROUNDS: Final = 200
SLOW_ROUNDS: Final = 40
WARM: Final = 5
SECRETS: Final = {"BENCH_TOKEN": TOKEN, "BENCH_PASSWORD": PASSWORD}
PROCESSES: Final = ("command", "python")
OVER_TLS: Final = ("http_tls", "glue_tls")
TYPES: Final = (
    *PROCESSES,
    *("http", "airflow", "databricks", "glue", "emr", "emr-serverless", "step-function", "lambda"),
    *OVER_TLS,
)
IN_BULK: Final = ("glue", "http", "glue_tls", "http_tls")
_CALLS: Final = ("start", "find", "poll")
LIMITS: Final = {
    # A new connection and a thread for each request cost more on a busy machine than an old connection does.
    **{f"{name}_{call}_ratio": 8.0 for name in TYPES for call in _CALLS if name not in (*PROCESSES, *OVER_TLS)},
    # Two requests, where the yardstick makes one.
    "step-function_start_ratio": 12.0,
    # A handshake for each request, which made it 3. When the file of certificates was read for each, it was 13.
    **{f"glue_tls_{call}_ratio": 9.0 for call in _CALLS},
    **{f"http_tls_{call}_ratio": 20.0 for call in _CALLS},
    # `Popen` returns as soon as a process is there; ours, when what it was told is on the disk and its supervisor runs.
    "command_start_ratio": 300.0,
    "python_start_ratio": 200.0,
    "glue_first_start_ratio": 3.0,
    "verify_ratio": 2.0,
    **{f"{name}_1000_looks_more_{what}": 2.0 for name in IN_BULK for what in ("threads", "files")},
    **{f"{name}_1000_looks_more_mib": 8.0 for name in IN_BULK},
}
FLOORS: Final = {f"{name}_looks_at_once_ratio": 0.1 if name in OVER_TLS else 0.2 for name in IN_BULK}


def main(types: Sequence[str] = TYPES, rounds: int = ROUNDS, *, bulk: bool = True) -> dict[str, float]:
    """Measure, print and return the figures; without `bulk` only those of one call at a time."""
    figures: dict[str, float] = {}
    numbers = count()
    with tempfile.TemporaryDirectory() as folder, targets() as where, _environment(where.bundle):
        root = Path(folder)
        with factory_of(root, SECRETS, where.bundle) as factory, cases(where, root) as found:
            chosen = {case.name: case for case in found if case.name in types}
            for case in chosen.values():
                _measured(figures, case, factory, where.forget, rounds, numbers)
            for name in IN_BULK if bulk else ():
                if name in chosen:
                    _in_bulk(figures, chosen[name], factory, next(numbers))
        if bulk and "glue" in types:
            _take(figures, "glue_first_start", first_call(where.aws))
    if bulk:
        _take(figures, "verify", verified())
    for name, figure in figures.items():
        print(f"{name:36} {figure:12,.3f}")
    return figures


@contextmanager
def _environment(bundle: str) -> Iterator[None]:
    """Trust the stand-ins, and know nothing of anybody's AWS but a region."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    trusted = {"AWS_CA_BUNDLE": bundle} if bundle else {}
    with patch.dict(os.environ, {**plain, **trusted, "AWS_REGION": REGION}, clear=True):
        yield


# ---------------------------------------------------------------- one at a time


def _measured(
    figures: dict[str, float],
    case: Case,
    factory: TriggerFactory,
    forget: Callable[[], None],
    rounds: int,
    numbers: Iterator[int],
) -> None:
    ours, slow = Ours(factory, case.type, case.config), case.type in PROCESSES

    def start() -> JobHandle:
        return ours.start(a_job(next(numbers)))

    times = min(rounds, SLOW_ROUNDS) if slow else rounds
    _take(figures, f"{case.name}_start", _by_turns(start, lambda: case.start(f"bare-{next(numbers)}"), times))
    forget()
    job = a_job(next(numbers))
    handle = ours.start(job)
    if case.find or slow:
        found = _by_turns(lambda: ours.find(job, handle), _look(case.find, handle.id), rounds)
        _take(figures, f"{case.name}_find", found)
    if case.type != "lambda":
        found = _by_turns(lambda: ours.poll(job, handle), _look(case.poll, handle.id), rounds)
        _take(figures, f"{case.name}_poll", found)
    forget()


def _look(look: Callable[[str], object] | None, own: str) -> Callable[[], object] | None:
    return (lambda: look(own)) if look else None


def _by_turns(ours: Callable[[], object], bare: Callable[[], object] | None, rounds: int) -> dict[str, float]:
    """Call one and the other by turns, each first as often as the other."""
    calls = (ours, bare) if bare else (ours,)
    took: list[list[float]] = [[] for _ in calls]
    for turn in range(-WARM, rounds):
        for which in range(len(calls)) if turn % 2 else reversed(range(len(calls))):
            began = perf_counter()
            calls[which]()
            span = perf_counter() - began
            if turn >= 0:
                took[which].append(span)
    found = {"ms": 1000 * median(took[0]), "p99_ms": _p99(took[0])}
    if bare:
        found |= {"bare_ms": 1000 * median(took[1]), "bare_p99_ms": _p99(took[1])}
        found["ratio"] = median(mine / theirs for mine, theirs in zip(*took, strict=True))
    return found


def _p99(took: list[float]) -> float:
    return 1000 * sorted(took)[int(len(took) * 0.99)]


# ---------------------------------------------------------------- many


def _in_bulk(figures: dict[str, float], case: Case, factory: TriggerFactory, number: int) -> None:
    ours, job = Ours(factory, case.type, case.config), a_job(number)
    handle = ours.start(job)
    assert case.poll is not None
    poll = case.poll
    # First what stays behind: what sixteen threads needed at once may hide it.
    _take(figures, f"{case.name}_1000_looks", grown(lambda: ours.poll(job, handle)))
    _take(figures, f"{case.name}_looks_at_once", at_once(lambda: ours.poll(job, handle), lambda: poll(handle.id)))


def _take(figures: dict[str, float], name: str, found: dict[str, float]) -> None:
    figures |= {f"{name}_{what}": figure for what, figure in found.items()}


if __name__ == "__main__":
    unknown = sorted(set(sys.argv[1:]) - set(TYPES))
    if unknown:
        sys.exit(f"no trigger is named {', '.join(unknown)}: there are {', '.join(TYPES)}")
    main(sys.argv[1:] or TYPES)
