"""The tables that facts are copied into, and the one statement that writes many rows of one."""

from __future__ import annotations

from typing import Final, NamedTuple

from psycopg import sql


class Table(NamedTuple):
    """A table, its columns, and which of them name a fact.

    A fact that is known is left as it is where `newer` is empty, and replaced by one whose `newer` columns are greater.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    newer: tuple[str, ...] = ()


_SLOT: Final = ("pipeline_id", "schedule_id", "date")
_LINE: Final = ("pipeline_id", "stream_id")

RUNS: Final = Table(
    "runs",
    (
        "run_id",
        *_SLOT,
        "number",
        "status",
        "version",
        "cause",
        "reason",
        "spec_digest",
        "attempts",
        "failures",
        "metadata",
        "created_at",
        "updated_at",
        "ready_at",
        "began_at",
        "succeeded_at",
        "ended_at",
        "evaluation_due_at",
        "evaluation_sla",
        "completion_due_at",
        "completion_sla",
    ),
    ("run_id",),
    ("version",),
)
JOURNAL: Final = Table("journal", ("run_id", "version", "pipeline_id", "at", "fact", "body"), ("run_id", "version"))
RUN_LOGS: Final = Table(
    "run_logs",
    (
        *_SLOT,
        "status",
        "attempt_number",
        "run_id",
        "run_number",
        "version",
        "failure_message",
        "failure_category",
        "alert_sent",
        "started_at",
        "completed_at",
        "updated_at",
    ),
    ("pipeline_id", "date", "schedule_id"),
    ("run_number", "version"),
)
ATTEMPTS: Final = Table(
    "attempts",
    (
        "run_id",
        "attempt",
        *_SLOT,
        "status",
        "failure_message",
        "failure_category",
        "job_id",
        "started_at",
        "completed_at",
    ),
    ("run_id", "attempt"),
)
RERUNS: Final = Table(
    "reruns",
    (
        "rerun_id",
        "pipeline_id",
        "schedule_id",
        "original_date",
        "original_run_id",
        "reason",
        "description",
        "cause",
        "status",
        "rerun_run_id",
        "version",
        "metadata",
        "requested_at",
        "completed_at",
    ),
    ("rerun_id",),
    ("version",),
)
EVENTS: Final = Table(
    "events",
    ("stream_id", "kind", *_SLOT, "run_id", "trait_type", "status", "message", "details", "timestamp"),
    _LINE,
)
TRAIT_EVALUATIONS: Final = Table(
    "trait_evaluations",
    (
        "stream_id",
        *_SLOT,
        "run_id",
        "trait_type",
        "status",
        "value",
        "reason",
        "failure_category",
        "pushed",
        "evaluated_at",
    ),
    _LINE,
)
LATE_ARRIVALS: Final = Table(
    "late_arrivals",
    ("stream_id", *_SLOT, "run_id", "source", "trait_type", "record_delta", "message", "detected_at"),
    _LINE,
)
ALERTS: Final = Table(
    "alerts",
    (
        "stream_id",
        "alert_id",
        "alert_type",
        "level",
        "state",
        *_SLOT,
        "run_id",
        "tier",
        "owner",
        "message",
        "details",
        "opened_at",
        "resolved_at",
        "resolution",
        "notices",
        "folded_into",
        "silenced_by",
        "version",
    ),
    ("stream_id",),
    ("version",),
)
ALERT_HISTORY: Final = Table(
    "alert_history",
    ("stream_id", "entry", "alert_id", "alert_type", "pipeline_id", "state", "message", "at"),
    ("stream_id", "entry"),
)

TABLES: Final = (
    RUNS,
    JOURNAL,
    RUN_LOGS,
    ATTEMPTS,
    RERUNS,
    EVENTS,
    TRAIT_EVALUATIONS,
    LATE_ARRIVALS,
    ALERTS,
    ALERT_HISTORY,
)


def upsert(table: Table, schema: str) -> sql.Composed:
    """Return the statement that takes rows as one JSON array, and answers how many were new or newer.

    Rows go in by their key, so that two who copy the same at once wait for each other in one order.
    """
    name = sql.Identifier(schema, table.name)
    columns = _listed(table.columns)
    statement = sql.SQL(
        "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{name}, %s::jsonb) "
        "ORDER BY {key} ON CONFLICT ({key}) DO "
    ).format(name=name, columns=columns, key=_listed(table.key))
    if not table.newer:
        return statement + sql.SQL("NOTHING")
    changing = [column for column in table.columns if column not in table.key]
    changes = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in changing]
    return statement + sql.SQL("UPDATE SET {}, archived_at = now() WHERE ({}) > ({})").format(
        sql.SQL(", ").join(changes),
        sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(column)) for column in table.newer),
        sql.SQL(", ").join(sql.Identifier(schema, table.name, column) for column in table.newer),
    )


def _listed(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
