"""SECURITY.md promises nothing that no test proves."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_proof_that_the_threat_model_names_exists() -> None:
    proofs = PROOF.findall((ROOT / "SECURITY.md").read_text())
    missing = [f"{file}::{name}" for file, name in proofs if not re.search(rf"def {name}\b", (ROOT / file).read_text())]
    assert len(proofs) > 20
    assert missing == []


def test_every_attack_of_the_threat_model_has_a_proof() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if re.match(r"\| .* \| L\d", line)]
    assert len(rows) > 20
    assert [row for row in rows if not PROOF.search(row)] == []
