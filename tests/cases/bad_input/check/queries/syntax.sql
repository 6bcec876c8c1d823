-- The day, by status.
SELECT status,
       count(*) AS n,
FROM access_log
