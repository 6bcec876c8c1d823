-- ${session_date}
SELECT name, price, day
FROM ${db}.fruit
WHERE dt = '${day}'
