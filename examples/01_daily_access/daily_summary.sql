SELECT
  method,
  status,
  count(*) AS requests,
  count(DISTINCT remote_host) AS visitors,
  sum(bytes) AS bytes,
  round(100.00 * count_if(status >= 500) / count(*), 2) AS error_percent
FROM access_log
WHERE dt = '${day}'
GROUP BY method, status
ORDER BY method, status
