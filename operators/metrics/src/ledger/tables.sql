-- A window of a Parquet tier. "standing" is the generation that readers are pointed to, "making" the one that is being made
-- ("made": read back, and ready to be published): both are the JSON of `Archived`. The blobs beside them are the 256 sums.
-- A write counts in "begun" before and in "ended" after it; "dumped_touched" is what both were when the dump of what stands
-- began. A later write makes the window late.
CREATE TABLE IF NOT EXISTS metric_window (
    tier TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    unit TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'written', 'verified', 'expired')),
    generation INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    dumped_touched INTEGER,
    expiring INTEGER NOT NULL DEFAULT 0,
    standing TEXT,
    standing_target BLOB,
    standing_source BLOB,
    making TEXT,
    making_target BLOB,
    making_source BLOB,
    made INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tier, start_ms)
) STRICT;

-- The Parquet tiers whose partitions are all in the ledger. One that is not here is looked up in the catalog first: a ledger
-- that was lost, or whose rebuilding was stopped.
CREATE TABLE IF NOT EXISTS metric_tier (
    tier TEXT PRIMARY KEY
) STRICT;

-- What a store's server has thrown away of its own accord, when it was last seen whole: a higher count is points that are lost.
-- Another run of the server counts from 0.
CREATE TABLE IF NOT EXISTS metric_server (
    tier TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    thrown_away INTEGER NOT NULL,
    takes_marked_keys_only INTEGER NOT NULL
) STRICT;

-- How far a stream was read into a tier, shard by shard: "position" is the JSON of `ShardPosition`. "made_ms" is when the stream
-- was made: one of the same name that was made later is another one.
CREATE TABLE IF NOT EXISTS metric_stream (
    stream TEXT NOT NULL,
    tier TEXT NOT NULL,
    shard TEXT NOT NULL,
    made_ms INTEGER,
    position TEXT NOT NULL,
    PRIMARY KEY (stream, tier, shard)
) STRICT;

-- Records of a stream that hold no points, and that a replay into a tier has passed over.
CREATE TABLE IF NOT EXISTS metric_rejected (
    stream TEXT NOT NULL,
    tier TEXT NOT NULL,
    shard TEXT NOT NULL,
    sequence TEXT NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (stream, tier, shard, sequence)
) STRICT;

-- What the name of a tier stands for: the table of the archive that it belongs to ("" where there is none), and its step.
CREATE TABLE IF NOT EXISTS metric_name (
    tier TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('store', 'parquet')),
    belongs_to TEXT NOT NULL,
    step_ms INTEGER NOT NULL
) STRICT;

-- Windows that a Parquet tier has given up, or is giving up. A roll-up that is made of one is not made again.
CREATE TABLE IF NOT EXISTS metric_dropped (
    tier TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (tier, start_ms)
) STRICT;

-- What was found wrong with the generation that stood then: with its 'objects', or with what the 'store' holds of it. It is
-- forgotten when the window is verified, and no more of interest when another generation stands.
CREATE TABLE IF NOT EXISTS metric_fault (
    tier TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('objects', 'store')),
    PRIMARY KEY (tier, start_ms)
) STRICT;

PRAGMA user_version = 5;
