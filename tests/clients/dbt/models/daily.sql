{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitioned_by=['ordered_on']) }}
select
    count(*) as orders,
    sum(amount) as amount,
    {{ var('load', 1) }} as load,
    ordered_on
from {{ ref('orders') }}
{% if is_incremental() %}
where ordered_on >= date '{{ var('since', '2026-01-01') }}'
{% endif %}
group by ordered_on
