-- Changes tasks by key, one look-up a changed task: CROSS JOIN keeps the order of the loops (an UPDATE … FROM may read all
-- tasks of the attempt for each). Nothing is changed unless the claim holds. Every row exists, so the insert always becomes
-- the update; the columns that never change are only filled to satisfy NOT NULL.
INSERT INTO task (
    attempt_id, id, role, name, definition, upstreams,
    state, retry_count, retries_used, retry_at, retry, failed_as, superseded, skipped,
    operator_state, result, failure, started_at, finished_at
)
SELECT
    task.attempt_id, task.id, '', '', 0, '',
    coalesce(new.value ->> 'state', task.state),
    coalesce(new.value ->> 'retry_count', task.retry_count),
    coalesce(new.value ->> 'retries_used', task.retries_used),
    CASE WHEN new.value ->> 'state' IS NULL THEN task.retry_at ELSE new.value ->> 'retry_at' END,
    coalesce(new.value -> 'retry', task.retry),
    coalesce(new.value ->> 'failed_as', task.failed_as),
    coalesce(new.value ->> 'superseded', task.superseded),
    coalesce(new.value ->> 'skipped', task.skipped),
    coalesce(new.value -> 'operator_state', task.operator_state),
    coalesce(new.value -> 'result', task.result),
    coalesce(new.value -> 'failure', task.failure),
    coalesce(new.value ->> 'started_at', task.started_at),
    coalesce(new.value ->> 'finished_at', task.finished_at)
FROM attempt
CROSS JOIN json_each(?3) AS new
CROSS JOIN task ON task.attempt_id = attempt.id AND task.id = new.value ->> 'id'
WHERE attempt.id = ?1 AND attempt.epoch = ?2 AND attempt.finished_at IS NULL
ON CONFLICT (attempt_id, id) DO UPDATE SET
    state = excluded.state,
    retry_count = excluded.retry_count,
    retries_used = excluded.retries_used,
    retry_at = excluded.retry_at,
    retry = excluded.retry,
    failed_as = excluded.failed_as,
    superseded = excluded.superseded,
    skipped = excluded.skipped,
    operator_state = excluded.operator_state,
    result = excluded.result,
    failure = excluded.failure,
    started_at = excluded.started_at,
    finished_at = excluded.finished_at
