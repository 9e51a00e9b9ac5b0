"""What every server beside the tests has in common: a process of ours, a port of its own, and the ways it can fail.

A `Server` is started with its data in a temporary folder, and ended with it:

    with RedisServer(appendonly="always") as server:
        server.kill()
        server.start()

One whose program is not on this machine raises `ServerMissing`, which says what to install. Process and data go with us,
however we end.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, Self

import psutil
from tests.servers.guard import forget, watch_over

HOST: Final = "127.0.0.1"
PATIENCE: Final = 40.0
ROOT: Final = Path(__file__).resolve().parents[2]
TOOLS: Final = Path(os.environ.get("INTERLOCK_SERVERS_VENV") or ROOT / ".venv-servers")
# Below the range that the system hands out to clients: nobody takes our port while a server is down for a moment.
# A member of a cluster listens at its port + 10 000 too, and that is below it as well.
_PORTS: Final = range(10_200, 21_900)
_dice: Final = random.SystemRandom()


class ServerMissing(Exception):
    """A server cannot be had on this machine; the message says what to install."""


class ServerFailed(Exception):
    """A server did not start, or ended by itself; the message has its last words."""


def free_port(*, beside: int = 0) -> int:
    """Return a port that nobody listens at, nor at the one `beside` above it."""
    for _ in range(1000):
        port = _dice.choice(_PORTS)
        if is_free(port) and (not beside or is_free(port + beside)):
            return port
    raise ServerFailed("no free port between 10200 and 21900")


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def until(condition: Callable[[], bool], what: str, *, patience: float = PATIENCE, pause: float = 0.005) -> None:
    """Wait for a condition, or raise `ServerFailed` naming what was waited for."""
    deadline = monotonic() + patience
    while not condition():
        if monotonic() > deadline:
            raise ServerFailed(f"waited {patience:g} s in vain: {what}")
        sleep(pause)


class Account(NamedTuple):
    """Whom a server runs as that refuses to run as root."""

    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """What `Popen` needs to run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Hand a file or folder over."""
        os.chown(path, self.uid, self.gid)


def nobody() -> Account | None:
    """Return the account for servers that refuse root, or None where we are not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def program(name: str, advice: str) -> str:
    """Return the path of a program of this machine, or raise `ServerMissing`."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/bin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerMissing(f"no {name} on this machine: {advice}")
    return found


def tool(pattern: str, package: str) -> Path:
    """Return what an installed package of the tools environment brings, or raise `ServerMissing`."""
    for found in sorted(TOOLS.glob(pattern)):
        return found
    raise ServerMissing(f"no {package} in {TOOLS.name}: run `make servers`")


class Server(ABC):
    """One server process on a loopback port. It is not running before `start`."""

    name: str = "server"
    orderly: signal.Signals = signal.SIGTERM

    def __init__(self, *, port: int | None = None, root: Path | None = None) -> None:
        self._chosen = port is None
        self.port = port if port is not None else free_port()
        self.root = Path(tempfile.mkdtemp(prefix=f"interlock-{self.name}-", dir=root))
        watch_over(self.root)
        # A server that runs as nobody has to reach its data through this folder.
        self.root.chmod(0o711)
        self.process: subprocess.Popen[bytes] | None = None
        self._frozen: list[psutil.Process] = []

    # ------------------------------------------------------------ what a server of a kind says of itself

    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """Return the command line."""

    @abstractmethod
    def _answers(self) -> bool:
        """Ask it something, and tell whether it is ready. May raise OSError."""

    def _prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Make its data and configuration, before each start."""

    def _environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(self.root)}

    def _account(self) -> Account | None:
        """Whom to run as, or None for ourselves."""
        return None

    # ------------------------------------------------------------ where it is

    @property
    def host(self) -> str:
        return HOST

    @property
    def address(self) -> str:
        """Its `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        log = self.root / "said.log"
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether its process runs (a frozen one does)."""
        return self.process is not None and self.process.poll() is None

    # ------------------------------------------------------------ what can be done to it

    def start(self) -> Self:
        """Start it on its port and its data, and return when it answers."""
        if self.alive:
            return self
        # It may have ended by itself.
        self.kill()
        for attempt in range(5):
            try:
                self._start_once()
            except ServerFailed:
                # Somebody else took the port between our look and the server's.
                if not self._chosen or attempt == 4 or is_free(self.port):
                    raise
                self.port = free_port()
            else:
                self._chosen = False
                return self
        raise AssertionError

    def _start_once(self) -> None:
        self._prepare()
        account = self._account()
        with (self.root / "said.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._argv(),
                cwd="/",
                env=dict(self._environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **(account.options() if account else {}),
            )
        watch_over(self.process.pid)
        try:
            until(self._is_up, f"{self.name} answers at {self.address}")
        except BaseException as exc:
            self.kill()
            if isinstance(exc, ServerFailed):
                raise ServerFailed(f"{exc}; it said: {self.said[-2000:]}") from None
            raise

    def _is_up(self) -> bool:
        if not self.alive:
            code = self.process.returncode if self.process else None
            raise ServerFailed(f"{self.name} ended while starting ({code})")
        try:
            # Whoever answers at our port must be ours: for a moment it may be another, before ours finds the port taken.
            return self._listens() and self._answers()
        except OSError:
            return False

    def _listens(self) -> bool:
        assert self.process is not None
        try:
            sockets = psutil.Process(self.process.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in sockets)

    def stop(self, *, patience: float = 20.0) -> None:
        """End it in order, and by force if it takes longer than `patience`."""
        if self.process is None:
            return
        self.thaw()
        if self.alive:
            self.process.send_signal(self.orderly)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """End it at once, with all its children, as a crash does (SIGKILL)."""
        if self.process is None:
            return
        family = self._frozen_family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self.process.wait()
        until(lambda: all(map(_is_gone, family)), f"children of {self.name} survive", pause=0.002)
        forget(self.process.pid)
        self.process = None
        self._frozen = []

    def freeze(self) -> None:
        """Stop it where it stands: connections stay open and nothing is answered (SIGSTOP)."""
        self._frozen = self._frozen_family()

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        for member in self._frozen:
            with suppress(psutil.NoSuchProcess):
                member.resume()
        self._frozen = []

    def restart(self) -> None:
        """Kill it and start it again on the same port and data."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and remove its data."""
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)
        forget(self.root)

    def _family(self) -> list[psutil.Process]:
        """The process and its children, those that have ended left out."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [each for each in (parent, *parent.children(recursive=True)) if not _is_gone(each)]
        return []

    def _frozen_family(self) -> list[psutil.Process]:
        """The same, frozen: the parent first, so that none is born while we look."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            self._freeze([psutil.Process(self.process.pid)])
        family = self._family()
        self._freeze(family)
        return family

    def _freeze(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        # A process stops when it next comes to itself, which may be a moment later.
        until(lambda: all(map(_is_still, processes)), f"{self.name} does not freeze", pause=0.001)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.name} at {self.address}{'' if self.alive else ', down'}>"


def _is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended. An orphan that init has not reaped yet has."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_still(process: psutil.Process) -> bool:
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE}
    except psutil.NoSuchProcess:
        return True


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """Mount a file system of `size` (as `64m`) in memory for a while: somewhere to run out of space. Needs root."""
    if os.geteuid() != 0:
        raise ServerMissing("only root can mount a small file system: run the tests as root to see a full disk")
    mount = program("mount", "apt-get install mount")
    root = Path(tempfile.mkdtemp(prefix="interlock-disk-"))
    try:
        argv = [mount, "-t", "tmpfs", "-o", f"size={size},mode=0711", "interlock-test", str(root)]
        mounted = subprocess.run(argv, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise ServerMissing(f"this machine mounts no tmpfs: {mounted.stderr.strip()}")
        try:
            yield root
        finally:
            subprocess.run(["umount", "--lazy", str(root)], capture_output=True, check=False)
    finally:
        root.rmdir()
