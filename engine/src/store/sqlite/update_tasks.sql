UPDATE task SET
    state = coalesce(new.value ->> 'state', state),
    retry_count = coalesce(new.value ->> 'retry_count', retry_count),
    retries_used = coalesce(new.value ->> 'retries_used', retries_used),
    retry_at = CASE WHEN new.value ->> 'state' IS NULL THEN retry_at ELSE new.value ->> 'retry_at' END,
    retry = coalesce(new.value -> 'retry', retry),
    failed_as = coalesce(new.value ->> 'failed_as', failed_as),
    superseded = coalesce(new.value ->> 'superseded', superseded),
    skipped = coalesce(new.value ->> 'skipped', skipped),
    operator_state = coalesce(new.value -> 'operator_state', operator_state),
    result = coalesce(new.value -> 'result', result),
    failure = coalesce(new.value -> 'failure', failure),
    started_at = coalesce(new.value ->> 'started_at', started_at),
    finished_at = coalesce(new.value ->> 'finished_at', finished_at)
FROM json_each(?2) AS new
WHERE task.attempt_id = ?1 AND task.id = new.value ->> 'id'
