"""How fast evaluators are asked, against the bare machine: the same script, eight in flight.

The yardstick is `subprocess.Popen` with `communicate` in a pool of threads, which is what anybody would write, without
deadlines that hold, bounds, process groups or checks of the answer.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from interlock.codec.documents import document
from interlock.codec.evaluator_protocol import encode_question
from interlock.core.ids import PipelineName, ScheduleName, Slot, TraitName
from interlock.core.periods import Period
from interlock.core.traits import TraitSpec, TraitStatus
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Question

SCRIPT = """#!/bin/bash
echo '{"status":"PASS","value":{"disk_pct":42}}'
"""
IN_FLIGHT = 8

FLOORS = {"ratio": 0.8}


def main(rounds: int = 5, evaluations: int = 400) -> dict[str, float]:
    """Measure both by turns, keep the best round of each, print and return evaluations per second and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "check")
        script.write_text(SCRIPT)
        script.chmod(0o755)
        question = Question(
            trait=TraitSpec(
                name=TraitName("disk"),
                evaluator=("./check",),
                config=document({"maxLagSeconds": 300, "source": "sales"}),
            ),
            slot=Slot(PipelineName("daily-sales"), ScheduleName("daily"), Period("2026-03-07")),
            run_id="daily-sales:daily:2026-03-07:1",
        )
        asker = SubprocessEvaluator(Path(folder))
        sent = encode_question(question)

        def supervised() -> None:
            if asker.evaluate(question, timeout=timedelta(seconds=30)).status is not TraitStatus.PASS:
                raise AssertionError("the evaluator did not pass")

        def bare() -> None:
            pipe = subprocess.PIPE
            with subprocess.Popen([script], stdin=pipe, stdout=pipe, stderr=pipe) as child:
                child.communicate(sent)

        best = {"supervised": 0.0, "bare": 0.0}
        for _ in range(rounds):
            best["bare"] = max(best["bare"], _rate(bare, evaluations))
            best["supervised"] = max(best["supervised"], _rate(supervised, evaluations))
    figures = {**best, "ratio": best["supervised"] / best["bare"]}
    print(
        f"{figures['supervised']:.0f} evaluations/s, bare Popen {figures['bare']:.0f}/s, ratio {figures['ratio']:.2f}"
        f" ({IN_FLIGHT} in flight)"
    )
    return figures


def _rate(one: Callable[[], None], times: int) -> float:
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        started = time.perf_counter()
        for future in [pool.submit(one) for _ in range(times)]:
            future.result()
        return times / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
