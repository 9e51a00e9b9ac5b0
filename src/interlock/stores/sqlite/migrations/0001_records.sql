-- Rows, clustered by partition and name. Text compares byte by byte in UTF-8, which is the order of code points.
CREATE TABLE records (
    pk TEXT NOT NULL,
    sk TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body TEXT NOT NULL,       -- a JSON object, keys sorted
    wake_at INTEGER,          -- microseconds since 1970, UTC; so is expires_at
    expires_at INTEGER,
    kind TEXT,
    rank TEXT NOT NULL,
    PRIMARY KEY (pk, sk)
) STRICT, WITHOUT ROWID;

CREATE INDEX records_due ON records (wake_at, pk, sk) WHERE wake_at IS NOT NULL;
CREATE INDEX records_listing ON records (kind, rank, pk, sk) WHERE kind IS NOT NULL;
CREATE INDEX records_expiry ON records (expires_at, pk, sk) WHERE expires_at IS NOT NULL;
