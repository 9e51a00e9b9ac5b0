"""What the functions are run from: the source, or the package that INTERLOCK_AWS_PACKAGE names."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.aws.lab.functions import SOURCE
from tests.servers.base import TOOLS

VARIABLE: Final = "INTERLOCK_AWS_PACKAGE"


def folders(place: Path) -> Sequence[Path]:
    """Return where functions are to be imported from; a package is unpacked at `place`."""
    named = os.environ.get(VARIABLE)
    if not named:
        return SOURCE
    with zipfile.ZipFile(named) as package:
        kinds = {name.split(".")[-2] for name in package.namelist() if name.endswith(".pyc")}
        mine = {f"cpython-{path.name.removeprefix('python').replace('.', '')}" for path in TOOLS.glob("lib/python3*")}
        assert kinds <= mine, f"{named} is built for {kinds}, and the laboratory is {mine}: make aws-e2e builds one"
        package.extractall(place)
    return (place,)


def archive() -> bytes:
    """Return the package that Terraform deploys: what is in it is not run there, so that without one a stand-in will do."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).read_bytes()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as package:
        package.writestr("README", "the laboratory runs the source")
    return written.getvalue()
