-- The days and the customers come to the same total.
select * from (
    select
        (select sum(amount) from {{ ref('daily') }}) + {{ var('off_by', 0) }} as by_day,
        (select sum(amount) from {{ ref('customer_totals') }}) as by_customer
)
where by_day <> by_customer
