INSERT INTO task (
    attempt_id, id, parent_id, role, name, bound, definition, upstreams,
    state, retry_count, retries_used, retry_at, retry, failed_as, superseded, skipped
)
SELECT
    ?1, value ->> 'id', value ->> 'parent', value ->> 'role', value ->> 'name', value ->> 'bound', value ->> 'definition',
    value -> 'upstreams', value ->> 'state', value ->> 'retry_count', value ->> 'retries_used', value ->> 'retry_at',
    value -> 'retry', value ->> 'failed_as', value ->> 'superseded', value ->> 'skipped'
FROM json_each(?2)
