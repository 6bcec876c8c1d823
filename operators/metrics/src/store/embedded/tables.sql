-- Points in chunks: the key of a chunk is its series' id × 2^24 + the number of its span of time since 1970. The figures
-- stand before the points, so that reading them alone reads no more.
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE BINARY
) STRICT;

CREATE TABLE IF NOT EXISTS chunk (
    key INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    points BLOB NOT NULL
) STRICT;

PRAGMA user_version = 1;
