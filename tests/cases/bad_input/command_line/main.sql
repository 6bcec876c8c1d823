SELECT 'apple' AS name
