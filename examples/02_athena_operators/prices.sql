SELECT fruit, cents + ${value} AS cents
FROM (VALUES ('apple', 120), ('pear', 205), ('plum', 35)) AS price (fruit, cents)
ORDER BY fruit
