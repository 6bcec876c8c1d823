{{ config(materialized='table', format='parquet', write_compression='snappy') }}
select
    c.name,
    c.city,
    count(o.id) as orders,
    sum(o.amount) as amount,
    max(o.placed_at) as last_placed_at
from {{ ref('customers') }} c
left join {{ ref('orders') }} o on o.customer = c.name
group by c.name, c.city
