"""Where state is kept, as the project file says it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline

from interlock.config.project import ProjectSettings
from interlock.config.stores import ArchiverSpec, PostgresSpec, RedisSpec


def settings_of(tmp_path: Path, text: str) -> ProjectSettings:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text(text)
    return loaded(root).settings


def words_of(tmp_path: Path, text: str) -> list[str]:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text(text)
    return [str(problem) for problem in problems_of(root)]


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("provider: sqlite", "sqlite"),
        ("provider: redis", "redis"),
        ("provider: postgres\npostgres: {dsn: 'postgresql://u@h/d'}", "postgres"),
        ("provider: dynamodb\ndynamodb: {tableName: interlock}", "dynamodb"),
        (
            "provider: dynamodb\ndynamodb: {tableName: 'arn:aws:dynamodb:eu-central-1:123456789012:table/interlock'}",
            "dynamodb",
        ),
    ],
)
def test_each_provider_needs_no_more_than_where_it_is(tmp_path: Path, text: str, provider: str) -> None:
    assert settings_of(tmp_path, text).provider == provider


def test_the_block_of_the_seeds_is_taken_as_it_is(tmp_path: Path) -> None:
    text = "provider: redis\nredis:\n  addr: cache.example:6380\n  password: geheim\n  db: 3\n  keyPrefix: 'etl:'\n"
    redis = settings_of(tmp_path, text).redis
    assert (redis.url, redis.password, redis.db) == ("redis://cache.example:6380", "geheim", 3)
    assert (redis.key_prefix, redis.timeout) == ("etl:", timedelta(seconds=5))


def test_certificates_are_found_from_the_project_file(tmp_path: Path) -> None:
    text = "provider: redis\nredis: {url: 'rediss://h:1', tls: {caFile: certs/ca.pem}}\n"
    assert settings_of(tmp_path, text).redis.ca_file == tmp_path / "project" / "certs" / "ca.pem"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("provider: sqlight", "1:11: there is no provider 'sqlight', only sqlite, redis, postgres, dynamodb"),
        ("provider: postgres", "1:11: the provider postgres needs 'postgres.dsn' (add postgres: {dsn:"),
        ("provider: dynamodb", "1:11: the provider dynamodb needs 'dynamodb.tableName' (add"),
        ("redis: {url: 'http://h'}", "1:14: url: names no server, expected such as redis://host:6379"),
        ("redis: {url: 'redis://h:0'}", "1:14: url: names no server"),
        ("redis: {url: 'redis://h:99999'}", "1:14: url: names no server"),
        ("redis: {addr: ''}", "1:15: addr: names no server, expected such as host:6379"),
        ("redis: {addr: 'a:1', url: 'redis://b'}", "1:15: the server is named twice, by 'addr' and by 'url'"),
        ("redis: {timeout: 0s}", "1:18: timeout: '0s' is out of range"),
        ("redis: {keyPrefx: x}", "unknown key 'keyPrefx' in redis (did you mean 'keyPrefix'?)"),
        (
            "postgres: {dsn: 'mysql://h/d'}",
            "1:17: dsn names no database, expected such as postgresql://host:5432/database",
        ),
        ("postgres: {schema: 'a;b'}", "1:20: schema: 'a;b' is no name for ours"),
        ("postgres: {schema: pg_mine}", "1:20: schema: 'pg_mine' is no name for ours"),
        ("dynamodb: {tableName: a}", "1:23: tableName: 'a' is no name of a table"),
        ("dynamodb: {tableName: 'arn:aws:s3:::bucket'}", "is no name of a table"),
        ("postgres: {dsn: 'postgresql://u:a/b@h/d'}", "(within a password write %40 for @, %2F for / and %25 for %)"),
        ("dynamodb: {endpoint: 'h:1'}", "1:22: endpoint: is no address, expected such as http://localhost:8000"),
        ("dynamodb: {createTable: true}", "1:25: createTable: needs 'dynamodb.region' too (add region: eu-west-1)"),
        ("archiver: {enabled: true}", "1:1: the archiver has no 'dsn' (add dsn:"),
        (
            "postgres: {dsn: 'postgresql://h/d'}\narchiver: {enabled: true, schema: interlock}",
            "schema: 'interlock' is where the store is, and the archive needs one of its own",
        ),
        ("retention: {history: 1h}", "history: '1h' is out of range, expected between 1d and"),
        (
            "provider: redis\nredis: {retentionTtl: 7d}\nretention: {history: 7d}",
            "2:23: retentionTtl: says the same as retention.history (leave one of them out)",
        ),
    ],
)
def test_what_names_no_store_is_one_error_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    """T-64, T-87."""
    (said,) = words_of(tmp_path, text)
    assert words in said


def test_history_is_kept_for_ever_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "provider: redis").history is None


@pytest.mark.parametrize("text", ["retention: {history: 90d}", "provider: redis\nredis: {retentionTtl: 90d}"])
def test_how_long_history_is_kept_is_said_once(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text).history == timedelta(days=90)


def test_the_retention_of_a_provider_that_is_not_used_means_nothing(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "redis: {retentionTtl: 7d}").history is None


def test_the_archive_lies_beside_a_store_in_postgresql_when_it_says_nothing(tmp_path: Path) -> None:
    text = "provider: postgres\npostgres: {dsn: 'postgresql://h/d'}\narchiver: {enabled: true}"
    archiver = settings_of(tmp_path, text).archiver
    assert (archiver.dsn, archiver.schema) == ("postgresql://h/d", "interlock_archive")


@pytest.mark.parametrize("dsn", ["postgresql://h/d", "postgres://u:p@h:1/d", "host=h dbname=d", "${env:DSN}"])
def test_a_database_may_be_named_in_every_way_that_its_driver_knows(tmp_path: Path, dsn: str) -> None:
    text = f"provider: postgres\npostgres: {{dsn: '{dsn}'}}"
    assert settings_of(tmp_path, text).postgres.dsn == dsn


@pytest.mark.parametrize(
    "spec", [RedisSpec(password="geheim"), PostgresSpec(dsn="x://u:geheim@h"), ArchiverSpec(dsn="x://u:geheim@h")]
)
def test_no_spec_shows_its_password(spec: object) -> None:
    assert "geheim" not in repr(spec) + str(ProjectSettings(sqlite_path=Path("x"))) + f"{spec}"


def test_every_run_allows_for_what_the_clocks_may_differ(tmp_path: Path) -> None:
    """T-50."""
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text("engine: {clockSkew: 30s}\n")
    write_pipeline(root, "orders")
    assert loaded(root).pipelines["orders"].spec.clock_skew == timedelta(seconds=30)


def test_a_result_that_another_clock_may_call_stale_at_once_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    """T-50: such a pipeline would wait for ever, and nobody would know why."""
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text("engine: {clockSkew: 1m}\n")
    path = write_pipeline(root, "orders")
    path.write_text(path.read_text() + "    ttl: 60\n")
    (problem,) = problems_of(root)
    assert "source-freshness: its ttl of 1m is not longer than engine.clockSkew" in str(problem)
    assert problem.line == 4
