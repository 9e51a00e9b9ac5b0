"""How executions are named. A name is good for one start in ninety days, which is what makes a repeated start harmless."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from interlock.core.ids import RunKey

_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SLUG: Final = 36
_DIGEST: Final = 12
_PERIOD: Final = 12


def execution_name(key: RunKey, suffix: str = "") -> str:
    """Name the execution of a run: at most 80 plain characters, and no two runs share a name.

    The beginning is for people, the digest tells runs apart. `suffix` (at most 15 plain characters) names a later execution
    of the same run.
    """
    slug = _PLAIN.sub("-", key.slot.pipeline)[:_SLUG]
    period = re.sub(r"[^0-9]", "", str(key.slot.period))[:_PERIOD]
    name = f"{slug}-{period}-{sha256(key.run_id.encode()).hexdigest()[:_DIGEST]}"
    return f"{name}-{suffix}" if suffix else name
