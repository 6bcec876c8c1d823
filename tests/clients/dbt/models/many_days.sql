-- More partitions than a statement may write: dbt notices by the error, and writes them in batches.
{{ config(materialized='table', partitioned_by=['day']) }}
select n, date_add('day', n, date '2026-01-01') as day
from unnest(sequence(1, 120)) as t (n)
