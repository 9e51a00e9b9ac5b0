-- The history of every pipeline, copied out of the live store. Nothing here is ever read by anything that decides.

CREATE TABLE {schema}.runs (
    run_id text PRIMARY KEY,
    pipeline_id text NOT NULL,
    schedule_id text NOT NULL,
    date text NOT NULL,
    number int NOT NULL,
    status text NOT NULL,
    version int NOT NULL,
    cause text NOT NULL,
    reason text NOT NULL,
    spec_digest text NOT NULL,
    attempts int NOT NULL,
    failures int NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ready_at timestamptz,
    began_at timestamptz,
    succeeded_at timestamptz,
    ended_at timestamptz,
    evaluation_due_at timestamptz,
    evaluation_sla text,
    completion_due_at timestamptz,
    completion_sla text,
    complete_to int NOT NULL DEFAULT 0,
    archived_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX runs_by_status ON {schema}.runs (pipeline_id, status);
CREATE INDEX runs_by_time ON {schema}.runs (created_at);
CREATE INDEX runs_by_slot ON {schema}.runs (pipeline_id, schedule_id, date, number DESC);
CREATE INDEX runs_to_check ON {schema}.runs (run_id) WHERE complete_to < version;

COMMENT ON TABLE {schema}.runs IS 'One row per run, as it stood when it was last copied.';
COMMENT ON COLUMN {schema}.runs.run_id IS 'pipeline:schedule:period:number';
COMMENT ON COLUMN {schema}.runs.date IS 'The period: a day such as 2026-03-07, or an hour, a week …';
COMMENT ON COLUMN {schema}.runs.number IS '1 for the slot''s own run, 2 for its first rerun, and so on.';
COMMENT ON COLUMN {schema}.runs.version IS 'How many changes the run has had; one row of journal for each.';
COMMENT ON COLUMN {schema}.runs.attempts IS 'The number of the latest attempt; 0 when none was made.';
COMMENT ON COLUMN {schema}.runs.created_at IS 'When it was opened.';
COMMENT ON COLUMN {schema}.runs.ready_at IS 'When it was last found ready.';
COMMENT ON COLUMN {schema}.runs.began_at IS 'When its first attempt began.';
COMMENT ON COLUMN {schema}.runs.succeeded_at IS 'When what it is for was done; it may be watched for drift after that.';
COMMENT ON COLUMN {schema}.runs.evaluation_sla IS 'ARMED, MET, BREACHED or WAIVED; null without such a deadline.';
COMMENT ON COLUMN {schema}.runs.completion_sla IS 'ARMED, MET, BREACHED or WAIVED; null without such a deadline.';
COMMENT ON COLUMN {schema}.runs.complete_to IS 'Up to this version the journal was looked through for gaps.';

CREATE TABLE {schema}.journal (
    run_id text NOT NULL,
    version int NOT NULL,
    pipeline_id text NOT NULL,
    at timestamptz NOT NULL,
    fact text,
    body jsonb,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, version)
);
CREATE INDEX journal_by_time ON {schema}.journal (at);

COMMENT ON TABLE {schema}.journal IS 'One row per change of a run: the fact that was learned. Versions of a run have no gaps.';
COMMENT ON COLUMN {schema}.journal.fact IS 'The kind of fact, such as trait_evaluated; null for the opening.';
COMMENT ON COLUMN {schema}.journal.body IS 'The whole fact, as it is stored.';

CREATE TABLE {schema}.run_logs (
    pipeline_id text NOT NULL,
    date text NOT NULL,
    schedule_id text NOT NULL DEFAULT 'daily',
    status text NOT NULL,
    attempt_number int NOT NULL,
    run_id text NOT NULL,
    run_number int NOT NULL,
    version int NOT NULL,
    failure_message text,
    failure_category text,
    alert_sent boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    updated_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, date, schedule_id)
);
CREATE INDEX run_logs_by_status ON {schema}.run_logs (status);
CREATE INDEX run_logs_by_date ON {schema}.run_logs (date);

COMMENT ON TABLE {schema}.run_logs IS 'One row per slot: how it went, by its latest run.';
COMMENT ON COLUMN {schema}.run_logs.alert_sent IS 'People were told of trouble that is not mended.';
COMMENT ON COLUMN {schema}.run_logs.started_at IS 'When its first attempt began; when it was opened, before that.';

CREATE TABLE {schema}.attempts (
    run_id text NOT NULL,
    attempt int NOT NULL,
    pipeline_id text NOT NULL,
    schedule_id text NOT NULL,
    date text NOT NULL,
    status text NOT NULL,
    failure_message text,
    failure_category text,
    job_id text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, attempt)
);
CREATE INDEX attempts_by_time ON {schema}.attempts (pipeline_id, started_at);

COMMENT ON TABLE {schema}.attempts IS 'The history of retries: one row per attempt of a run that has ended.';
COMMENT ON COLUMN {schema}.attempts.status IS 'COMPLETED, FAILED, NOT_STARTED or CANCELLED.';

CREATE TABLE {schema}.reruns (
    rerun_id text PRIMARY KEY,
    pipeline_id text NOT NULL,
    schedule_id text NOT NULL,
    original_date text NOT NULL,
    original_run_id text,
    reason text NOT NULL,
    description text,
    cause text NOT NULL,
    status text NOT NULL,
    rerun_run_id text,
    version int NOT NULL,
    metadata jsonb,
    requested_at timestamptz NOT NULL,
    completed_at timestamptz,
    archived_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reruns_by_status ON {schema}.reruns (pipeline_id, status);

COMMENT ON TABLE {schema}.reruns IS 'One row per run that runs a slot again because people or data asked for it.';
COMMENT ON COLUMN {schema}.reruns.cause IS 'rerun, replay, drift or late_data';
COMMENT ON COLUMN {schema}.reruns.original_run_id IS 'The run before it; null when a replay was the slot''s first.';

CREATE TABLE {schema}.events (
    id bigserial PRIMARY KEY,
    stream_id text NOT NULL,
    kind text NOT NULL,
    pipeline_id text NOT NULL,
    schedule_id text,
    date text,
    run_id text,
    trait_type text,
    status text,
    message text,
    details jsonb,
    timestamp timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, stream_id)
);
CREATE INDEX events_by_kind ON {schema}.events (pipeline_id, kind);
CREATE INDEX events_by_time ON {schema}.events (timestamp);
CREATE INDEX events_by_run ON {schema}.events (run_id) WHERE run_id IS NOT NULL;

COMMENT ON TABLE {schema}.events IS 'One row per line of a pipeline''s timeline.';
COMMENT ON COLUMN {schema}.events.id IS 'Grows in the order of copying, which need not be the order of time. Numbers may be missing.';
COMMENT ON COLUMN {schema}.events.stream_id IS 'What the line is called in the live store: the cursor of GET …/events.';

CREATE TABLE {schema}.trait_evaluations (
    id bigserial PRIMARY KEY,
    stream_id text NOT NULL,
    pipeline_id text NOT NULL,
    schedule_id text,
    date text,
    run_id text,
    trait_type text NOT NULL,
    status text NOT NULL,
    value jsonb,
    reason text,
    failure_category text,
    pushed boolean NOT NULL,
    evaluated_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, stream_id)
);
CREATE INDEX trait_evaluations_by_trait ON {schema}.trait_evaluations (pipeline_id, trait_type, evaluated_at);
CREATE INDEX trait_evaluations_by_time ON {schema}.trait_evaluations (evaluated_at);

COMMENT ON TABLE {schema}.trait_evaluations IS 'One row per answer about a trait.';
COMMENT ON COLUMN {schema}.trait_evaluations.stream_id IS 'That of its event.';
COMMENT ON COLUMN {schema}.trait_evaluations.status IS 'PASS, FAIL, STALE or ERROR.';
COMMENT ON COLUMN {schema}.trait_evaluations.failure_category IS 'TRANSIENT, TIMEOUT, PERMANENT or EVALUATOR_CRASH, where it was given.';
COMMENT ON COLUMN {schema}.trait_evaluations.pushed IS 'Somebody told the result, and no evaluator was asked.';

CREATE TABLE {schema}.late_arrivals (
    id bigserial PRIMARY KEY,
    stream_id text NOT NULL,
    pipeline_id text NOT NULL,
    schedule_id text NOT NULL,
    date text NOT NULL,
    run_id text,
    source text,
    trait_type text,
    record_delta bigint,
    message text,
    detected_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_id, stream_id)
);
CREATE INDEX late_arrivals_by_time ON {schema}.late_arrivals (detected_at);

COMMENT ON TABLE {schema}.late_arrivals IS 'What was seen of a slot after its run had been let through.';
COMMENT ON COLUMN {schema}.late_arrivals.source IS 'What arrived, where somebody told of it.';
COMMENT ON COLUMN {schema}.late_arrivals.trait_type IS 'The trait in which it was seen, where it was watched for.';

CREATE TABLE {schema}.alerts (
    stream_id text PRIMARY KEY,
    alert_id text NOT NULL,
    alert_type text NOT NULL,
    level text NOT NULL,
    state text NOT NULL,
    pipeline_id text,
    schedule_id text,
    date text,
    run_id text,
    tier int NOT NULL,
    owner text,
    message text NOT NULL,
    details jsonb,
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolution text,
    notices int NOT NULL,
    folded_into text,
    silenced_by text,
    version int NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alerts_by_time ON {schema}.alerts (opened_at);
CREATE INDEX alerts_by_pipeline ON {schema}.alerts (pipeline_id, alert_type);
CREATE INDEX alerts_open ON {schema}.alerts (opened_at) WHERE state = 'open';

COMMENT ON TABLE {schema}.alerts IS 'One row per fact that people were told of, as it stands.';
COMMENT ON COLUMN {schema}.alerts.pipeline_id IS 'Null for what is about Interlock itself.';
COMMENT ON COLUMN {schema}.alerts.state IS 'open or resolved';
COMMENT ON COLUMN {schema}.alerts.notices IS 'The number of the latest telling.';
COMMENT ON COLUMN {schema}.alerts.folded_into IS 'The alert that is told instead while it is open.';

CREATE TABLE {schema}.alert_history (
    stream_id text NOT NULL,
    entry text NOT NULL,
    alert_id text NOT NULL,
    alert_type text NOT NULL,
    pipeline_id text,
    state text NOT NULL,
    message text NOT NULL,
    at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_id, entry)
);
CREATE INDEX alert_history_by_time ON {schema}.alert_history (at);

COMMENT ON TABLE {schema}.alert_history IS 'One row each time an alert was opened, told again, or resolved.';
COMMENT ON COLUMN {schema}.alert_history.state IS 'opened, reminded or resolved';

CREATE TABLE {schema}.archive_cursors (
    pipeline_id text NOT NULL,
    data_type text NOT NULL,
    cursor_value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, data_type)
);

COMMENT ON TABLE {schema}.archive_cursors IS 'How far copying has come; written in the transaction that copies.';

CREATE TABLE {schema}.archive_gaps (
    stream_id text PRIMARY KEY,
    reason text NOT NULL,
    message text NOT NULL,
    pipeline_id text,
    run_id text,
    version int,
    noticed_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE {schema}.archive_gaps IS 'What could not be copied. A row goes when it could be after all.';
COMMENT ON COLUMN {schema}.archive_gaps.stream_id IS 'The row of the live store that it was or should have been.';
COMMENT ON COLUMN {schema}.archive_gaps.reason IS 'missing (the live store does not have it any more), unreadable (damaged there), or refused (PostgreSQL cannot keep it).';
COMMENT ON COLUMN {schema}.archive_gaps.version IS 'Which change of the run, where it is one.';
