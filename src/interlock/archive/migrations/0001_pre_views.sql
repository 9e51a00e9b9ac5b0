-- For people with a BI tool. Days are days of UTC.

CREATE VIEW {schema}.v_latest_runs AS
SELECT DISTINCT ON (pipeline_id, schedule_id, date)
    pipeline_id, schedule_id, date, run_id, number, status, cause, reason, attempts, failures,
    created_at, began_at, succeeded_at, ended_at, updated_at
FROM {schema}.runs
ORDER BY pipeline_id, schedule_id, date, number DESC;

COMMENT ON VIEW {schema}.v_latest_runs IS 'One row per slot: the run with the highest number.';
COMMENT ON COLUMN {schema}.v_latest_runs.number IS 'How often the slot was run.';
COMMENT ON COLUMN {schema}.v_latest_runs.succeeded_at IS 'When what it is for was done.';

CREATE VIEW {schema}.v_success_by_day AS
SELECT
    pipeline_id,
    (created_at AT TIME ZONE 'UTC')::date AS day,
    count(*) AS slots,
    count(*) FILTER (WHERE succeeded_at IS NOT NULL) AS succeeded,
    count(*) FILTER (WHERE status = 'FAILED') AS failed,
    count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled,
    count(*) FILTER (WHERE succeeded_at IS NULL AND status NOT IN ('FAILED', 'CANCELLED')) AS unfinished,
    round(
        count(*) FILTER (WHERE succeeded_at IS NOT NULL)::numeric
        / nullif(count(*) FILTER (WHERE succeeded_at IS NOT NULL OR status IN ('FAILED', 'CANCELLED')), 0), 4
    ) AS success_rate
FROM {schema}.v_latest_runs
GROUP BY 1, 2;

COMMENT ON VIEW {schema}.v_success_by_day IS 'Slots by pipeline and the day on which their latest run was opened.';
COMMENT ON COLUMN {schema}.v_success_by_day.unfinished IS 'Waiting or running.';
COMMENT ON COLUMN {schema}.v_success_by_day.success_rate IS 'Succeeded of those that have ended, from 0 to 1; null when none has.';

CREATE VIEW {schema}.v_run_durations AS
SELECT
    run_id, pipeline_id, schedule_id, date, number, status, created_at, began_at, succeeded_at, ended_at,
    extract(epoch FROM began_at - created_at)::float8 AS seconds_to_start,
    extract(epoch FROM coalesce(succeeded_at, ended_at) - began_at)::float8 AS seconds_running,
    extract(epoch FROM coalesce(succeeded_at, ended_at) - created_at)::float8 AS seconds_in_all
FROM {schema}.runs;

COMMENT ON VIEW {schema}.v_run_durations IS 'One row per run: how long it waited, and how long its job took.';
COMMENT ON COLUMN {schema}.v_run_durations.seconds_to_start IS 'From the opening to the first attempt; null while none began.';
COMMENT ON COLUMN {schema}.v_run_durations.seconds_running IS 'From the first attempt to the end, pauses between attempts included.';
COMMENT ON COLUMN {schema}.v_run_durations.seconds_in_all IS 'From the opening to the end.';

CREATE VIEW {schema}.v_sla AS
SELECT
    run_id, pipeline_id, schedule_id, date, number,
    (created_at AT TIME ZONE 'UTC')::date AS day,
    'evaluation' AS sla,
    evaluation_due_at AS due_at,
    evaluation_sla AS verdict
FROM {schema}.runs
WHERE evaluation_sla IS NOT NULL
UNION ALL
SELECT
    run_id, pipeline_id, schedule_id, date, number,
    (created_at AT TIME ZONE 'UTC')::date,
    'completion',
    completion_due_at,
    completion_sla
FROM {schema}.runs
WHERE completion_sla IS NOT NULL;

COMMENT ON VIEW {schema}.v_sla IS 'One row per deadline of a run.';
COMMENT ON COLUMN {schema}.v_sla.sla IS 'evaluation (let through by then) or completion (done by then)';
COMMENT ON COLUMN {schema}.v_sla.verdict IS 'MET, BREACHED, WAIVED, or ARMED while it is open.';

CREATE VIEW {schema}.v_retries AS
SELECT
    run_id, pipeline_id, schedule_id, date,
    count(*) AS attempts,
    count(*) FILTER (WHERE status = 'FAILED' OR status = 'NOT_STARTED') AS failed,
    bool_or(status = 'COMPLETED') AS succeeded,
    string_agg(DISTINCT failure_category, ', ' ORDER BY failure_category) AS categories,
    min(started_at) AS first_started_at,
    max(completed_at) AS last_completed_at
FROM {schema}.attempts
GROUP BY run_id, pipeline_id, schedule_id, date;

COMMENT ON VIEW {schema}.v_retries IS 'One row per run with an attempt that has ended.';
COMMENT ON COLUMN {schema}.v_retries.categories IS 'The categories of its failures.';

CREATE VIEW {schema}.v_trait_failures AS
SELECT
    pipeline_id, trait_type,
    (evaluated_at AT TIME ZONE 'UTC')::date AS day,
    status, failure_category, reason,
    count(*) AS times,
    max(evaluated_at) AS last_at
FROM {schema}.trait_evaluations
WHERE status <> 'PASS'
GROUP BY 1, 2, 3, 4, 5, 6;

COMMENT ON VIEW {schema}.v_trait_failures IS 'Answers that kept a gate shut, by pipeline, trait, day and reason.';
COMMENT ON COLUMN {schema}.v_trait_failures.times IS 'How many answers there were.';

CREATE VIEW {schema}.v_alert_counts AS
SELECT
    alert_history.pipeline_id, alert_history.alert_type, alerts.level,
    (alert_history.at AT TIME ZONE 'UTC')::date AS day,
    count(*) AS opened
FROM {schema}.alert_history JOIN {schema}.alerts USING (stream_id)
WHERE alert_history.state = 'opened'
GROUP BY 1, 2, 3, 4;

COMMENT ON VIEW {schema}.v_alert_counts IS 'How often alerts were opened, by pipeline, kind and day. An alert that comes again counts again.';

CREATE VIEW {schema}.v_open_alerts AS
SELECT
    alert_id, alert_type, level, pipeline_id, schedule_id, date, run_id, tier, owner, message,
    opened_at, notices, folded_into, silenced_by,
    extract(epoch FROM now() - opened_at)::float8 AS seconds_open
FROM {schema}.alerts
WHERE state = 'open';

COMMENT ON VIEW {schema}.v_open_alerts IS 'What holds just now, as far as it was copied.';
COMMENT ON COLUMN {schema}.v_open_alerts.folded_into IS 'Set when it is not told on its own, because another alert is its cause.';
