SELECT count(*) AS n, sum(price) AS total FROM fruit WHERE dt = '${session_date}';
