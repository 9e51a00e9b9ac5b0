-- Rows by partition and name. "C" compares byte by byte, which in UTF-8 is the order of code points.
CREATE TABLE {schema}.records (
    pk text COLLATE "C" NOT NULL,
    sk text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    body text NOT NULL,       -- a JSON object as it was written: jsonb refuses \u0000 and rewrites numbers
    wake_at bigint,           -- microseconds since 1970, UTC; so is expires_at
    expires_at bigint,
    kind text COLLATE "C",
    rank text COLLATE "C" NOT NULL,
    PRIMARY KEY (pk, sk)
) WITH (
    -- No room is left on the pages: nearly every write moves the row in an index, and then room saves nothing. A row of
    -- a run is written a dozen times and then never again: what is dead is cleared away before it is a fifth.
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX records_due ON {schema}.records (wake_at, pk, sk) WHERE wake_at IS NOT NULL;
CREATE INDEX records_listing ON {schema}.records (kind, rank, pk, sk) WHERE kind IS NOT NULL;
CREATE INDEX records_expiry ON {schema}.records (expires_at, pk, sk) WHERE expires_at IS NOT NULL;

-- Compare all, then write all. Called by itself in autocommit, so that its answer is that of a finished transaction.
--
-- Of one partition only one batch is done at a time. The lock is asked for in a statement of its own: in READ COMMITTED the
-- next one sees whatever the batch before has written. Only a purge takes rows without this lock, and it waits for nobody,
-- so nobody can be waiting in a circle; where it was faster, the batch has lost (ILK02) and is undone as a whole.
CREATE FUNCTION {schema}.commit_batch(in_partition text, in_changes json) RETURNS boolean
LANGUAGE plpgsql VOLATILE
-- A plan that was made for an empty table is kept by a session while the table grows.
SET enable_seqscan = off
AS $function$
DECLARE
    change record;
    there bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the isolation level is %', current_setting('transaction_isolation') USING ERRCODE = 'ILK01';
    END IF;
    IF current_setting('synchronous_commit') = 'off' THEN
        -- Until the end of this transaction: what was answered true is on the disk.
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM pg_advisory_xact_lock(
        hashtextextended(in_partition, pg_typeof(NULL::{schema}.records)::oid::bigint)
    );
    FOR change IN
        SELECT * FROM json_to_recordset(in_changes) AS it (sk text, expected bigint) WHERE expected IS NOT NULL
    LOOP
        SELECT version INTO there FROM {schema}.records WHERE pk = in_partition AND sk = change.sk;
        IF change.expected <> coalesce(there, 0) THEN
            RETURN false;
        END IF;
    END LOOP;
    FOR change IN
        SELECT * FROM json_to_recordset(in_changes) AS it (
            sk text, expected bigint, act text, body text, wake_at bigint, expires_at bigint, kind text, rank text
        ) WHERE act IS NOT NULL
    LOOP
        IF change.act = 'delete' THEN
            DELETE FROM {schema}.records
            WHERE pk = in_partition AND sk = change.sk AND version = coalesce(change.expected, version);
            CONTINUE WHEN coalesce(change.expected, 0) = 0;
        ELSIF change.expected = 0 THEN
            INSERT INTO {schema}.records (pk, sk, version, body, wake_at, expires_at, kind, rank) VALUES (
                in_partition, change.sk, 1, change.body, change.wake_at, change.expires_at, change.kind, change.rank
            );
        ELSE
            UPDATE {schema}.records
            SET version = change.expected + 1, body = change.body, wake_at = change.wake_at,
                expires_at = change.expires_at, kind = change.kind, rank = change.rank
            WHERE pk = in_partition AND sk = change.sk AND version = change.expected;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a purge has removed the row meanwhile' USING ERRCODE = 'ILK02';
        END IF;
    END LOOP;
    RETURN true;
END
$function$;
