"""Which file a program's bare name means, for those who may name programs and not put any there."""

from __future__ import annotations

import os
from collections.abc import Iterable


def confined_path(name: str, places: Iterable[str]) -> str | None:
    """Return the file of a name in the first of some directories that has it; links are followed and must not lead out.

    It is the file itself, without any link, so that a link that is changed a moment later changes nothing.
    """
    if "/" in name or "\0" in name:
        return None
    for place in places:
        inside = os.path.realpath(place)
        path = os.path.realpath(os.path.join(inside, name))  # noqa: PTH118  (what links mean is a matter of texts)
        if path.startswith(inside.rstrip("/") + "/") and os.path.isfile(path):  # noqa: PTH113
            return path
    return None
