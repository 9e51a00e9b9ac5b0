"""The server behind `interlock init --redis`: the one that answers already, or a container where Docker is present."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import Final

HOST: Final = "127.0.0.1"
PORT: Final = 6379
IMAGE: Final = "valkey/valkey:8"
NAME: Final = "interlock-valkey"
PULLED_WITHIN: Final = 300.0
"""Seconds: the image may have to be fetched first."""

# Every commit is on the disk before it is answered, and nothing is ever evicted: anything less may forget that a job was
# started.
SAFE: Final = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
BY_HAND: Final = f"valkey-server {' '.join(SAFE)}"

_SQLITE: Final = "provider: sqlite            # one file below .interlock/: nothing to install, nothing to start\n"
_REDIS: Final = """\
provider: redis             # Redis or Valkey: several machines can share it
redis:
  addr: localhost:6379
  keyPrefix: "interlock:"
"""


def with_redis(project_file: str) -> str:
    """Return the scaffold's project file with its state kept in Redis or Valkey.

    Raises:
        ValueError: the file says nothing of a provider that could be replaced.
    """
    if _SQLITE not in project_file:
        raise ValueError("the scaffold's project file does not name its provider as expected")
    return project_file.replace(_SQLITE, _REDIS)


def ensure_server(*, host: str = HOST, port: int = PORT) -> str:
    """Have a server at the usual address; say how it came to be there, or what to do where there is none. Never fails."""
    if _answers(host, port):
        return f"a server answers at {host}:{port}: it keeps the state"
    docker = shutil.which("docker")
    if docker is None:
        return f"no server answers at {host}:{port}, and there is no Docker to start one with. Start one: {BY_HAND}"
    trouble = _start(docker, host, port)
    if trouble:
        return f"no server answers at {host}:{port}, and Docker did not start one ({trouble}). Start one: {BY_HAND}"
    return f"the container {NAME} keeps the state, at {host}:{port}, in the volume {NAME}"


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0) as there:
            there.sendall(b"PING\r\n")
            return there.recv(16)[:1] in (b"+", b"-")  # it may want a password: it is a server all the same
    except OSError:
        return False


def _start(docker: str, host: str, port: int) -> str:
    """Start the container, the one that is there or a new one; return what went wrong."""
    if _asked(docker, "start", NAME) == "":
        return ""
    address = f"{host}:{port}:6379"
    made = ("run", "--detach", "--name", NAME, "--restart", "unless-stopped", "--publish", address)
    return _asked(docker, *made, "--volume", f"{NAME}:/data", IMAGE, "valkey-server", *SAFE)


def _asked(docker: str, *argv: str) -> str:
    try:
        done = subprocess.run([docker, *argv], capture_output=True, text=True, timeout=PULLED_WITHIN, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{type(exc).__name__}: {exc}"
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip() and "--help" not in line]
    return said[-1] if said else f"exit code {done.returncode}"
