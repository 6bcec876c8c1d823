SELECT
  method,
  status,
  count(*) AS requests,
  count(DISTINCT remote_host) AS visitors,
  sum(bytes) AS bytes,
  max(bytes) AS largest_response
FROM access_log
WHERE dt = '${day}'
GROUP BY method, status
ORDER BY method, status
