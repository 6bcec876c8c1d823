{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns') }}
select {{ var('load', 1) }} as load, count(*) as orders{% if var('load', 1) > 1 %}, 'again' as note{% endif %}
from {{ ref('orders') }}
