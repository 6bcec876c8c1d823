-- The catalog. A body is the JSON of the catalog's type; the columns beside it are what calls look for.
CREATE TABLE IF NOT EXISTS catalog_database (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS catalog_table (
    database_name TEXT NOT NULL REFERENCES catalog_database (name),
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (database_name, name)
) STRICT;

-- "partition_values" is the JSON list of the values in the order of the keys.
CREATE TABLE IF NOT EXISTS catalog_partition (
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    partition_values TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (database_name, table_name, partition_values),
    FOREIGN KEY (database_name, table_name) REFERENCES catalog_table (database_name, name) ON DELETE CASCADE
) STRICT;

-- Form 2: the versions of a table that updates replaced, as far as they were asked to be kept.
CREATE TABLE IF NOT EXISTS catalog_table_version (
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (database_name, table_name, version),
    FOREIGN KEY (database_name, table_name) REFERENCES catalog_table (database_name, name) ON DELETE CASCADE
) STRICT;

-- Form 2: what clients said of columns. "partition_values" is as in catalog_partition, or empty for the table itself.
CREATE TABLE IF NOT EXISTS catalog_column_statistics (
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    partition_values TEXT NOT NULL,
    column_name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (database_name, table_name, partition_values, column_name),
    FOREIGN KEY (database_name, table_name) REFERENCES catalog_table (database_name, name) ON DELETE CASCADE
) STRICT;
CREATE TRIGGER IF NOT EXISTS catalog_partition_statistics AFTER DELETE ON catalog_partition BEGIN
    DELETE FROM catalog_column_statistics
    WHERE database_name = old.database_name AND table_name = old.table_name AND partition_values = old.partition_values;
END;

-- One counter for all versions: a number is never given twice, so a table that was dropped and made again
-- cannot be taken for the old one.
CREATE TABLE IF NOT EXISTS catalog_version (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    latest INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO catalog_version (one, latest) VALUES (1, 0);

-- What publishing wrote or will write: one row for each version prefix, before its first byte.
-- state: writing | published | retired | abandoned | lost | collecting
CREATE TABLE IF NOT EXISTS version_prefix (
    location TEXT PRIMARY KEY,
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    partition_values TEXT,
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    collect_after_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS version_prefix_collect ON version_prefix (collect_after_ms) WHERE collect_after_ms IS NOT NULL;

-- Form 3: where the versions of a table are, and when versions that are in no ledger were looked for there.
CREATE TABLE IF NOT EXISTS version_root (
    location TEXT NOT NULL,
    database_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    searched_ms INTEGER NOT NULL,
    PRIMARY KEY (location, database_name, table_name)
) STRICT;

-- Form 3: the number of the lease under which a version was seen to be visible.
CREATE TABLE IF NOT EXISTS version_visible (
    location TEXT PRIMARY KEY REFERENCES version_prefix (location) ON DELETE CASCADE,
    fence INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS version_prefix_table ON version_prefix (database_name, table_name);

-- Form 4: which catalog it is, once somebody has asked: an id by chance, and the folder that it was made in, for people.
CREATE TABLE IF NOT EXISTS catalog_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    made_in TEXT
) STRICT;

PRAGMA user_version = 4;
