INSERT INTO definition (attempt_id, id, def) SELECT ?1, value ->> 'id', value -> 'def' FROM json_each(?2)
