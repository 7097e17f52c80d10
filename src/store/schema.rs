//! The schemas, as append-only lists of steps: a released step is never edited, a change is a new step.

/// Schema of the main database.
pub(super) const MAIN: &[&str] = &[
    // 1: knowledge base, calls, runs.
    "
    CREATE TABLE documents (
        scope TEXT NOT NULL,
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        title TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        reading TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        chunks INTEGER NOT NULL,
        words INTEGER NOT NULL,
        ingested_ms INTEGER NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (scope, id)
    ) STRICT;
    CREATE TABLE chunks (
        scope TEXT NOT NULL,
        id TEXT NOT NULL,
        document TEXT NOT NULL,
        position INTEGER NOT NULL,
        heading TEXT NOT NULL,
        body TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        words INTEGER NOT NULL,
        PRIMARY KEY (scope, id)
    ) STRICT;
    CREATE INDEX chunks_by_document ON chunks (document, scope, position);
    CREATE TABLE knowledge (
        scope TEXT PRIMARY KEY,
        version TEXT NOT NULL
    ) STRICT;
    CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        ticket TEXT NOT NULL,
        tenant TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        task TEXT NOT NULL,
        prompt TEXT NOT NULL,
        release TEXT NOT NULL,
        model TEXT NOT NULL,
        started_at TEXT NOT NULL,
        latency_ms REAL NOT NULL,
        status TEXT NOT NULL,
        error TEXT,
        finish_reason TEXT,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cost_nanousd INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        gold_set TEXT NOT NULL,
        gold_path TEXT NOT NULL,
        gold_hash TEXT NOT NULL,
        release_number INTEGER NOT NULL,
        release_hash TEXT NOT NULL,
        planned INTEGER NOT NULL,
        details TEXT NOT NULL
    ) STRICT;
    CREATE TABLE results (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        cluster TEXT NOT NULL,
        case_id TEXT NOT NULL,
        repeat INTEGER NOT NULL,
        status TEXT NOT NULL,
        score REAL,
        weight REAL NOT NULL,
        answerable INTEGER NOT NULL,
        critical INTEGER NOT NULL,
        tags TEXT NOT NULL,
        question TEXT NOT NULL,
        expected TEXT NOT NULL,
        answer TEXT NOT NULL,
        citations TEXT NOT NULL,
        refused INTEGER NOT NULL,
        confidence REAL,
        path TEXT,
        model TEXT,
        latency_ms REAL,
        cost_nanousd INTEGER,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        grades TEXT NOT NULL,
        error TEXT,
        PRIMARY KEY (run, kind, cluster, case_id, repeat)
    ) STRICT;
    ",
    // 2: full telemetry of calls; a result's ticket, which joins the two.
    "
    ALTER TABLE calls ADD COLUMN cached_input_tokens INTEGER;
    ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER;
    ALTER TABLE calls ADD COLUMN reasoning_tokens INTEGER;
    ALTER TABLE calls ADD COLUMN operation TEXT NOT NULL DEFAULT 'chat';
    ALTER TABLE calls ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE calls ADD COLUMN breaker TEXT NOT NULL DEFAULT 'closed';
    ALTER TABLE calls ADD COLUMN cache_path TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN first_token_ms REAL;
    ALTER TABLE calls ADD COLUMN response_model TEXT;
    ALTER TABLE calls ADD COLUMN request_id TEXT;
    ALTER TABLE calls ADD COLUMN marks TEXT;
    ALTER TABLE calls ADD COLUMN prompt_text TEXT;
    ALTER TABLE calls ADD COLUMN answer_text TEXT;
    ALTER TABLE calls ADD COLUMN evaluation_score REAL;
    CREATE INDEX calls_by_ticket ON calls (ticket);
    ALTER TABLE results ADD COLUMN ticket TEXT;
    ALTER TABLE results ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0;
    ",
    // 3: the ledger, its counters, budgets set by hand, alerts, outcomes of tickets.
    "
    -- A key grows with time: the milliseconds of at_ms, times 2^20, plus a count.
    CREATE TABLE reservations (
        key INTEGER PRIMARY KEY,
        call TEXT NOT NULL,
        ticket TEXT NOT NULL,
        tenant TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        task TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        release TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        reserved INTEGER NOT NULL CHECK (reserved >= 0),
        fingerprint INTEGER
    ) STRICT;
    CREATE INDEX reservations_by_ticket ON reservations (ticket);
    CREATE INDEX reservations_by_tenant ON reservations (tenant, key);
    CREATE TABLE settlements (
        reservation INTEGER PRIMARY KEY REFERENCES reservations (key),
        at_ms INTEGER NOT NULL,
        state TEXT NOT NULL,
        charged INTEGER NOT NULL CHECK (charged >= 0),
        charged_input INTEGER,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cached_input_tokens INTEGER,
        cache_write_tokens INTEGER,
        reasoning_tokens INTEGER
    ) STRICT;
    CREATE TRIGGER reservations_stay BEFORE UPDATE ON reservations BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER reservations_last BEFORE DELETE ON reservations BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER settlements_stay BEFORE UPDATE ON settlements BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER settlements_last BEFORE DELETE ON settlements BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
    CREATE TABLE open_reservations (
        reservation INTEGER PRIMARY KEY REFERENCES reservations (key),
        owner TEXT NOT NULL,
        sent INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE counters (
        scope TEXT NOT NULL,
        ends_ms INTEGER NOT NULL,
        starts_ms INTEGER NOT NULL,
        period TEXT NOT NULL,
        reserved INTEGER NOT NULL,
        spent INTEGER NOT NULL,
        PRIMARY KEY (scope, ends_ms, starts_ms)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE budget_overrides (
        scope TEXT NOT NULL,
        period TEXT NOT NULL,
        cap INTEGER,
        reason TEXT NOT NULL,
        set_at_ms INTEGER NOT NULL,
        PRIMARY KEY (scope, period)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE budget_changes (
        key INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        scope TEXT NOT NULL,
        period TEXT NOT NULL,
        change TEXT NOT NULL,
        cap INTEGER,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE alerts (
        id TEXT PRIMARY KEY,
        fired_at_ms INTEGER NOT NULL,
        scope TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE deliveries (
        alert TEXT NOT NULL REFERENCES alerts (id),
        channel TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at_ms INTEGER NOT NULL,
        error TEXT,
        PRIMARY KEY (alert, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deliveries_waiting ON deliveries (next_at_ms) WHERE state = 'waiting';
    CREATE TABLE outcomes (
        ticket TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        release TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        path TEXT,
        resolved INTEGER NOT NULL,
        score REAL,
        latency_ms REAL NOT NULL,
        system_bytes INTEGER,
        few_shot_bytes INTEGER,
        passage_bytes INTEGER,
        question_bytes INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX outcomes_by_time ON outcomes (at_ms);
    ",
    // 4: migrations that were applied, verdicts of gates, judges' calibrations, flaky cases.
    "
    ALTER TABLE results ADD COLUMN retrieve_ms REAL;
    ALTER TABLE results ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE results ADD COLUMN grading_nanousd INTEGER DEFAULT 0;
    CREATE TABLE migration_changes (
        key INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        direction TEXT NOT NULL,
        number INTEGER NOT NULL,
        slug TEXT NOT NULL,
        checksum TEXT NOT NULL,
        release_hash TEXT NOT NULL,
        prompts TEXT NOT NULL,
        verdict TEXT,
        forced_by TEXT,
        reason TEXT
    ) STRICT;
    CREATE TRIGGER migration_changes_stay BEFORE UPDATE ON migration_changes
        BEGIN SELECT raise(ABORT, 'the history of migrations is append-only'); END;
    CREATE TRIGGER migration_changes_last BEFORE DELETE ON migration_changes
        BEGIN SELECT raise(ABORT, 'the history of migrations is append-only'); END;
    CREATE TABLE verdicts (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        baseline_hash TEXT NOT NULL,
        candidate_hash TEXT NOT NULL,
        gold_hash TEXT NOT NULL,
        terms TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX verdicts_by_pair ON verdicts (baseline_hash, candidate_hash, gold_hash);
    CREATE TABLE calibrations (
        key INTEGER PRIMARY KEY,
        judge TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX calibrations_by_judge ON calibrations (judge);
    CREATE TABLE case_noise (
        gold_set TEXT NOT NULL,
        case_id TEXT NOT NULL,
        first_seen_ms INTEGER NOT NULL,
        last_seen_ms INTEGER NOT NULL,
        runs INTEGER NOT NULL,
        flipped_runs INTEGER NOT NULL,
        quarantined_until_ms INTEGER,
        reason TEXT,
        PRIMARY KEY (gold_set, case_id)
    ) STRICT, WITHOUT ROWID;
    ",
];

/// Schema of the cache database.
pub(super) const CACHE: &[&str] = &[
    // 1: exact answer cache.
    "
    CREATE TABLE answers (
        key TEXT PRIMARY KEY,
        scope TEXT NOT NULL,
        stored_at_ms INTEGER NOT NULL,
        expires_at_ms INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX answers_by_expiry ON answers (expires_at_ms);
    ",
    // 2: vectors of texts, little-endian floats.
    "
    CREATE TABLE embeddings (
        embedder TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (embedder, content_hash)
    ) STRICT;
    ",
];
