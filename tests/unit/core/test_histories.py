from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from hashlib import sha256

import pytest
from tests.unit.core.cases import SPECS, TERMS
from tests.unit.core.histories import healthy, played

from interlock.core.alerts import AlertType
from interlock.core.runs import RunStatus, SlaState, Watch

HISTORIES = 400
GOLDEN = "tests.unit.core.test_histories"


@pytest.mark.parametrize("block", range(8))
def test_no_history_breaks_a_law_and_every_run_can_end(block: int) -> None:
    """T-04, T-07, T-11, T-12, BUG-25, BUG-86, BUG-160, BUG-171, LAT-02, LAT-15, LAT-45, LAT-46."""
    size = HISTORIES // 8
    for seed in range(block * size, (block + 1) * size):
        assert played(seed).run.ended


def test_a_decent_share_of_histories_reaches_every_status() -> None:
    seen = Counter(status for seed in range(HISTORIES) for status in played(seed).statuses)
    assert set(seen) == set(RunStatus)
    assert {status: count for status, count in seen.items() if count < HISTORIES // 20} == {}, seen


@pytest.mark.parametrize("seed", range(len(SPECS) * len(TERMS)))
def test_a_history_in_which_all_goes_well_raises_no_alert(seed: int) -> None:
    """G6: a healthy fleet is silent. LAT-38, BUG-36."""
    assert healthy(seed).run.ended


def test_a_decent_share_of_histories_meets_every_verdict_and_the_alerts_of_a_run() -> None:
    verdicts: Counter[SlaState | Watch] = Counter()
    raised: Counter[AlertType] = Counter()
    for seed in range(HISTORIES):
        play = played(seed)
        raised.update(set(play.ledger.raised))
        verdicts.update(sla.state for sla in (play.run.evaluation_sla, play.run.completion_sla) if sla is not None)
        verdicts.update([play.run.monitor.state] if play.run.monitor else [])
    assert {
        state: verdicts[state] for state in (SlaState.MET, SlaState.BREACHED, SlaState.WAIVED) if verdicts[state] < 40
    } == {}
    assert min(verdicts[Watch.OVER], verdicts[Watch.DRIFTED]) > 3
    told = {AlertType(kind) for kind in raised}
    assert told == {
        AlertType.EVALUATION_SLA_AT_RISK,
        AlertType.EVALUATION_SLA_BREACH,
        AlertType.COMPLETION_SLA_AT_RISK,
        AlertType.COMPLETION_SLA_BREACH,
        AlertType.VALIDATION_TIMEOUT,
        AlertType.WINDOW_CLOSED,
        AlertType.EVALUATION_FAILED,
        AlertType.EVALUATION_TROUBLE,
        AlertType.UPSTREAM_CANNOT_COMPLETE,
        AlertType.RUN_FAILED,
        AlertType.START_UNKNOWN,
        AlertType.JOB_LOST,
        AlertType.TRAIT_DRIFT,
        AlertType.VERIFICATION_TROUBLE,
    }


def test_a_decent_share_of_histories_meets_a_retry_a_doubt_and_a_refusal() -> None:
    traces = ["\n".join(played(seed).trace) for seed in range(HISTORIES)]
    assert sum("attempt=2" in trace for trace in traces) > HISTORIES // 10
    assert (
        sum("doubt=''" in trace and trace.count("doubt='") > trace.count("doubt=''") for trace in traces)
        > HISTORIES // 10
    )
    assert sum("<- StartRefused -> EvaluateTrait" in trace for trace in traces) > HISTORIES // 100


def golden() -> str:
    """The stories of some seeds, as one name."""
    return sha256("\n".join(line for seed in range(12) for line in played(seed).trace).encode()).hexdigest()


def test_a_history_is_the_same_in_every_process() -> None:
    """BUG-168."""
    code = f"from {GOLDEN} import golden; print(golden())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ, PYTHONHASHSEED=seed, PYTHONPATH=os.pathsep.join(path or "." for path in sys.path)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }
    assert found == {golden()}
