"""Which kernel a project gets, and what is said when it cannot be had."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from interlock.config.load import load_project
from interlock.config.project import Project, ProjectSettings
from interlock.config.settings import Settings
from interlock.config.stores import PostgresSpec
from interlock.errors import ConfigError, MissingExtra, StoreEmpty
from interlock.runtime.closing import OpenKernel
from interlock.runtime.stores import named, open_kernel, open_to_read, redis_options
from interlock.stores.kernel import Page
from interlock.stores.sqlite.kernel import SqliteKernel


def project_of(tmp_path: Path, text: str) -> Project:
    (tmp_path / "interlock.yaml").write_text(text)
    return load_project(tmp_path, settings=Settings(no_cache=True))


BLOCKS = {
    "redis": "provider: redis\nredis: {url: 'rediss://me:geheim@cache:6380/2'}",
    "postgres": "provider: postgres\npostgres: {dsn: 'postgresql://me:geheim@db:5433/etl'}",
    "dynamodb": "provider: dynamodb\ndynamodb: {tableName: etl, region: eu-west-1}",
}


def test_a_project_that_says_nothing_has_a_file(tmp_path: Path) -> None:
    kernel = open_kernel(project_of(tmp_path, "timezone: UTC"))
    assert isinstance(kernel, OpenKernel)
    assert isinstance(kernel.real, SqliteKernel)
    kernel.close()
    assert (tmp_path / ".interlock" / "interlock.db").exists()


@pytest.mark.parametrize(("provider", "extra"), [("redis", "redis"), ("postgres", "postgres"), ("dynamodb", "aws")])
def test_a_missing_driver_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, extra: str
) -> None:
    real = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in ("redis", "psycopg", "botocore") else real(name, package)

    monkeypatch.setattr("interlock.runtime.stores.find_spec", find)
    with pytest.raises(MissingExtra, match=rf"provider {provider} .* pip install 'interlock\[{extra}\]'"):
        open_kernel(project_of(tmp_path, BLOCKS[provider]))


def test_a_store_that_is_only_looked_at_is_not_made(tmp_path: Path) -> None:
    project = project_of(tmp_path, "timezone: UTC")
    with pytest.raises(StoreEmpty):
        open_kernel(project, read_only=True)
    kernel = open_to_read(project)
    assert kernel.listing("active", Page()) == []
    assert not (tmp_path / ".interlock").exists()


def test_a_password_comes_from_a_variable_of_the_environment(tmp_path: Path) -> None:
    project = project_of(tmp_path, "provider: redis\nredis: {password: '${env:REDIS_PASSWORD}'}")
    assert redis_options(project.settings, {"REDIS_PASSWORD": "a$b{{date}}"}).password == "a$b{{date}}"


def test_a_variable_that_is_not_set_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    """A store without its password would only say that it was refused."""
    project = project_of(tmp_path, "provider: postgres\npostgres: {dsn: 'postgresql://${env:NOBODY}@h/d'}")
    with pytest.raises(
        ConfigError, match=r"postgres\.dsn of the project file names the variable NOBODY, which is not set"
    ):
        open_kernel(project, env={})


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("redis", "Redis at cache:6380/2"),
        ("postgres", "PostgreSQL at db:5433/etl, schema interlock"),
        ("dynamodb", "the DynamoDB table etl"),
    ],
)
def test_a_store_is_named_without_its_password(tmp_path: Path, provider: str, words: str) -> None:
    assert named(project_of(tmp_path, BLOCKS[provider]).settings) == words


@pytest.mark.parametrize(
    "dsn",
    [
        "host=h password=geheim dbname=d",
        "postgresql://me:geheim/1@h/d",
        "postgresql://me:ge@heim/1@h/d",
        "postgresql://me:1geheim?x@h/d",
        "postgresql://h/d?password=geheim",
    ],
)
def test_a_data_source_that_is_no_plain_address_shows_no_password(dsn: str) -> None:
    settings = ProjectSettings(sqlite_path=Path("x"), provider="postgres", postgres=PostgresSpec(dsn=dsn))
    assert "heim" not in named(settings)
