-- Queries in the order of their start. A body is the JSON of the record.
CREATE TABLE IF NOT EXISTS execution (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workgroup TEXT NOT NULL,
    ended INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS execution_workgroup ON execution (workgroup, number);
CREATE INDEX IF NOT EXISTS execution_unfinished ON execution (number) WHERE ended = 0;

-- The tokens of clients: what they asked for, and what it gave.
CREATE TABLE IF NOT EXISTS token (
    token TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    execution_id TEXT NOT NULL REFERENCES execution (id)
) STRICT;

-- Workgroups, named queries, prepared statements (scope: the workgroup) and tags (scope: the resource).
CREATE TABLE IF NOT EXISTS thing (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, scope, name)
) STRICT;

PRAGMA user_version = 1;
