-- The definition of a task stands once for all that share it: a loop makes thousands of them, and a row is written at every
-- change of its task.
CREATE TABLE definition (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    id INTEGER NOT NULL,                 -- the first task that has it
    def TEXT NOT NULL,                   -- JSON: without name, data and children
    PRIMARY KEY (attempt_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO definition (attempt_id, id, def) SELECT attempt_id, min(id), def FROM task GROUP BY attempt_id, def;

ALTER TABLE task ADD COLUMN definition INTEGER NOT NULL DEFAULT 0;

UPDATE task SET definition = (
    SELECT definition.id FROM definition WHERE definition.attempt_id = task.attempt_id AND definition.def = task.def
);

ALTER TABLE task DROP COLUMN def;

-- The columns that every commit looks at stand before the long one.
ALTER TABLE attempt ADD COLUMN specification TEXT NOT NULL DEFAULT '';

UPDATE attempt SET specification = spec;

ALTER TABLE attempt DROP COLUMN spec;

ALTER TABLE attempt RENAME COLUMN specification TO spec;
