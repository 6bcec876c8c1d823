-- One logical run of a workflow for a time.
CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    workflow TEXT NOT NULL,
    session_time TEXT NOT NULL,          -- RFC 3339, UTC, whole seconds
    uuid TEXT NOT NULL,
    UNIQUE (project, workflow, session_time)
) STRICT;

-- One try at a session. Its holder, if any, is the only one who writes below it.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL REFERENCES session (id),
    number INTEGER NOT NULL,             -- 1 for the first of the session
    resumes INTEGER REFERENCES attempt (id),
    spec TEXT NOT NULL,                  -- JSON: workflow and parameters
    state TEXT NOT NULL CHECK (state IN ('running', 'success', 'failed', 'canceled')),
    kill_requested INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    epoch INTEGER NOT NULL,              -- grows with every claim
    holder TEXT,                         -- JSON; null when nobody has it
    UNIQUE (session_id, number)
) STRICT;

CREATE UNIQUE INDEX attempt_at_most_one_open ON attempt (session_id) WHERE finished_at IS NULL;

-- A node of an attempt.
CREATE TABLE task (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    id INTEGER NOT NULL,                 -- 0 for the root
    parent_id INTEGER,
    role TEXT NOT NULL,
    name TEXT NOT NULL,                  -- its own name
    bound TEXT,                          -- JSON: data that it was made with
    def TEXT NOT NULL,                   -- JSON: its definition without name, data and children
    upstreams TEXT NOT NULL,             -- JSON: ids of siblings
    state TEXT NOT NULL,
    retry_count INTEGER NOT NULL,
    retries_used INTEGER NOT NULL,
    retry_at TEXT,
    retry TEXT NOT NULL,                 -- JSON: `_retry`, evaluated
    failed_as TEXT,
    superseded INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    operator_state TEXT,                 -- JSON
    result TEXT,                         -- JSON: export, store, reset, report
    failure TEXT,                        -- JSON
    started_at TEXT,
    finished_at TEXT,
    PRIMARY KEY (attempt_id, id)
) STRICT, WITHOUT ROWID;
