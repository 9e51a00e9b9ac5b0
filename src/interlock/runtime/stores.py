"""The only place where a provider's name meets its kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from interlock import plugins, reading
from interlock.clients.redaction import without_secrets
from interlock.clients.texts import Redactor
from interlock.codec.documents import mapping
from interlock.config.project import Project, ProjectSettings
from interlock.config.stores import OtherStoreSpec
from interlock.errors import ConfigError, InterlockError, MissingExtra, StoreEmpty, StoreError
from interlock.runtime.closing import OpenKernel
from interlock.stores.kernel import Kernel, StoreContext, StorePlugin
from interlock.stores.state import refuse_closed

_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_]\w*)\}", re.ASCII)
_VERBS: Final = ("get", "commit", "rows", "due", "listing", "purge", "ping", "close")

if TYPE_CHECKING:
    from interlock.stores.dynamodb.options import DynamoOptions
    from interlock.stores.postgres.options import PostgresOptions
    from interlock.stores.redis.options import RedisOptions


def open_kernel(project: Project, *, read_only: bool = False, env: Mapping[str, str] | None = None) -> Kernel:
    """Open the project's store, unless it is closed because it is being moved, or was.

    Raises:
        StoreError: it cannot be opened, or is closed; the message says why and what to do.
        StoreEmpty: it is opened for reading only, and nothing has been written yet.
        MissingExtra: what the provider stands on is not installed.
        ConfigError: the project file names a variable that is not set, or a plug-in that cannot be used.
    """
    kernel = open_even_closed(project, read_only=read_only, env=env)
    try:
        if not read_only:
            return OpenKernel(kernel)
        refuse_closed(kernel)
    except BaseException:
        kernel.close()
        raise
    return kernel


def open_even_closed(project: Project, *, read_only: bool = False, env: Mapping[str, str] | None = None) -> Kernel:
    """Open the project's store whether or not it is closed, as only those may who look after the store itself.

    Raises:
        StoreError: it cannot be opened; the message says why and what to do.
        StoreEmpty: it is opened for reading only, and nothing has been written yet.
        MissingExtra: what the provider stands on is not installed.
        ConfigError: the project file names a variable that is not set, or a plug-in that cannot be used.
    """
    settings = project.settings
    environ = os.environ if env is None else env
    match settings.provider:
        case "redis":
            _require("redis", "redis", "redis")
            from interlock.stores.redis.kernel import RedisKernel

            return RedisKernel(redis_options(settings, environ), read_only=read_only)
        case "postgres":
            _require("postgres", "psycopg", "postgres")
            from interlock.stores.postgres.kernel import PostgresKernel

            return PostgresKernel(postgres_options(settings, environ), read_only=read_only)
        case "dynamodb":
            _require("dynamodb", "botocore", "aws")
            from interlock.stores.dynamodb.kernel import DynamoKernel

            return DynamoKernel(dynamo_options(settings), read_only=read_only)
        case "sqlite":
            return _sqlite(settings.sqlite_path, read_only=read_only)
    return _other(_spec_of(settings), environ, read_only=read_only)


def open_to_read(project: Project) -> Kernel:
    """Open the project's store for looking only. One that does not exist yet reads as empty, and is not created.

    Raises:
        StoreError: it exists and cannot be read.
    """
    try:
        return open_kernel(project, read_only=True)
    except StoreEmpty:
        from interlock.stores.memory import MemoryKernel

        return MemoryKernel()


def named(settings: ProjectSettings) -> str:
    """Say where a project keeps its state, without any password."""
    match settings.provider:
        case "redis":
            return f"Redis at {_host_of(settings.redis.url)}"
        case "postgres":
            return f"PostgreSQL at {_host_of(settings.postgres.dsn)}, schema {settings.postgres.schema}"
        case "dynamodb":
            return f"the DynamoDB table {settings.dynamodb.table_name}"
        case "sqlite":
            return str(settings.sqlite_path)
    spec = _spec_of(settings)
    try:
        return without_secrets(_made(spec, mapping(spec.config)).named())
    except Exception:  # noqa: BLE001  (whatever a plug-in of somebody else's raises: what is wrong is told when it is opened)
        return f"the store {spec.name}"


def moved_to(project: Project, provider: str) -> Project:
    """Return the project as it is with another provider.

    Raises:
        ConfigError: it is the provider already, nobody knows it, or the project file does not say where it is.
    """
    settings = project.settings
    if provider == settings.provider:
        raise ConfigError(
            f"the project is with {provider} already. To move within it, export the store, name the other place in the "
            "project file, and import it there"
        )
    needed = {
        "postgres": ("postgres.dsn", settings.postgres.dsn),
        "dynamodb": ("dynamodb.tableName", settings.dynamodb.table_name),
    }
    key, value = needed.get(provider, ("", "-"))
    if not value:
        raise ConfigError(
            f"the project file does not say where {provider} is: add {key}, and leave `provider` as it is"
        )
    others = settings.other_stores
    if provider not in plugins.PROVIDERS and provider not in [spec.name for spec in others]:
        spec = OtherStoreSpec(name=provider, root=project.root)
        try:
            reading.value({}, plugins.load("store", provider).Config)
        except ValueError as exc:
            raise ConfigError(
                f"the project file does not say where {provider} is: add a block {provider!r}, and leave `provider` as it is"
            ) from exc
        others = (*others, spec)
    return replace(project, settings=msgspec.structs.replace(settings, provider=provider, other_stores=others))


def redis_options(settings: ProjectSettings, env: Mapping[str, str]) -> RedisOptions:
    """Return what the kernel for Redis is opened with."""
    from interlock.stores.redis.options import RedisOptions

    spec = settings.redis
    return RedisOptions(
        url=filled_in(spec.url, "redis.url", env),
        username=filled_in(spec.username, "redis.username", env),
        password=filled_in(spec.password, "redis.password", env),
        db=spec.db,
        key_prefix=spec.key_prefix,
        cluster=spec.cluster,
        wait_replicas=spec.wait_replicas,
        timeout=spec.timeout,
        ca_file=_text(spec.ca_file),
        cert_file=_text(spec.cert_file),
        key_file=_text(spec.key_file),
    )


def postgres_options(settings: ProjectSettings, env: Mapping[str, str]) -> PostgresOptions:
    """Return what the kernel for PostgreSQL is opened with."""
    from interlock.stores.postgres.options import PostgresOptions

    spec = settings.postgres
    return PostgresOptions(
        dsn=filled_in(spec.dsn, "postgres.dsn", env),
        schema=spec.schema,
        pool_size=spec.pool_size,
        statement_timeout=spec.statement_timeout,
        connect_timeout=spec.connect_timeout,
        listen=spec.listen,
    )


def dynamo_options(settings: ProjectSettings) -> DynamoOptions:
    """Return what the kernel for DynamoDB is opened with."""
    from interlock.stores.dynamodb.options import DynamoOptions

    spec = settings.dynamodb
    return DynamoOptions(
        table_name=spec.table_name,
        region=spec.region,
        endpoint=spec.endpoint,
        profile=spec.profile,
        create_table=spec.create_table,
        timeout=spec.timeout,
    )


def filled_in(text: str, key: str, env: Mapping[str, str]) -> str:
    """Fill `${env:NAME}` into what the project file, which is the operator's, says about a store.

    Raises:
        ConfigError: the variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in env:
            raise ConfigError(
                f"the store cannot be opened: {key} of the project file names the variable {name}, which is not set. "
                "Set it, or correct the name"
            )
        return env[name]

    return _VARIABLE.sub(value, text)


def _require(provider: str, module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise MissingExtra(f"the provider {provider}", extra)


def _spec_of(settings: ProjectSettings) -> OtherStoreSpec:
    found = [spec for spec in settings.other_stores if spec.name == settings.provider]
    if not found:
        raise plugins.unknown("store", settings.provider)
    return found[0]


def _made(spec: OtherStoreSpec, config: dict[str, Any]) -> StorePlugin:
    kind = plugins.load("store", spec.name)
    try:
        store: StorePlugin = kind(reading.value(config, kind.Config), StoreContext(root=spec.root))
    except ValueError as exc:
        raise ConfigError(f"{spec.name} of the project file cannot be used: {exc}") from exc
    return store


def _other(spec: OtherStoreSpec, env: Mapping[str, str], *, read_only: bool) -> Kernel:
    """Open the store of a plug-in, and let nothing out of it that is no error of ours, or holds a secret it was given."""
    config = mapping(spec.config)
    hidden = Redactor({env[name]: f"${{{name}}}" for name in _variables(config) if name in env})
    filled = _filled(config, spec.name, env)
    try:
        kernel = _made(spec, filled).open(read_only=read_only)
    except InterlockError:
        raise
    except Exception as exc:  # noqa: BLE001  (whatever a plug-in of somebody else's raises)
        said = without_secrets(hidden(f"{type(exc).__name__}: {exc}"))
        owner = plugins.owner_of("store", spec.name)
        raise StoreError(f"the store {spec.name} of the distribution {owner} cannot be opened: {said}") from None
    absent = [verb for verb in _VERBS if not callable(getattr(kernel, verb, None))]
    if absent:
        owner = plugins.owner_of("store", spec.name)
        raise ConfigError(
            f"the store {spec.name!r} of the distribution {owner} cannot be used: what it opens has no {absent[0]!r}. "
            f"Tell whoever makes {owner}, or use another provider"
        )
    return kernel


def _filled(value: Any, key: str, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled_in(value, key, env)
    if isinstance(value, list):
        return [_filled(item, f"{key}[{index}]", env) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: _filled(item, f"{key}.{name}", env) for name, item in value.items()}
    return value


def _variables(value: Any) -> tuple[str, ...]:
    return tuple(_VARIABLE.findall(msgspec.json.encode(value).decode()))


def _sqlite(path: Path, *, read_only: bool) -> Kernel:
    from interlock.stores.sqlite.kernel import SqliteKernel

    if not read_only:
        return SqliteKernel(path)
    if _holds_nothing(path):
        raise StoreEmpty(f"there is no store {path} yet")
    try:
        return SqliteKernel(path, read_only=True)
    except StoreEmpty as exc:
        # Another process may be making it just now: until its tables are there, it holds nothing.
        if path.exists():
            raise
        raise StoreError(str(exc)) from exc  # a link that leads nowhere


def _holds_nothing(path: Path) -> bool:
    """Say whether there is no store yet: no file, or an empty one, which a full disk may have left."""
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return not path.is_symlink()
    except OSError:
        return False


def _host_of(url: str) -> str:
    """Return what an address says besides user and password; nothing of one that is torn by what the password holds."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not (host or parts.scheme == "unix") or "@" in parts.path + parts.query:
        return "the server that its address names"
    return f"{host}{f':{port}' if port else ''}{parts.path}".rstrip("/")


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)
