//! What is refused says where: by its line and column, or those of what it stands in.

use crate::sql::examine;

#[test]
fn every_refusal_has_a_place() {
    for (sql, expected) in [
        (
            "SELECT a, b FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a",
            "line 1:11: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT a, a + b AS c FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a",
            "line 1:11: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT *, count(*) FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a",
            "line 1:8: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT t.*, count(*) FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a",
            "line 1:8: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT a FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a HAVING b > 1",
            "line 1:61: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT a FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a ORDER BY a, b",
            "line 1:66: 'b' must be an aggregate expression or appear in GROUP BY clause",
        ),
        (
            "SELECT DISTINCT a FROM (VALUES (1, 2)) AS t (a, b) ORDER BY a, b",
            "line 1:64: For SELECT DISTINCT, ORDER BY expressions must appear in select list",
        ),
        (
            "SELECT grouping(b) FROM (VALUES (1, 2)) AS t (a, b) GROUP BY a",
            "line 1:1: The arguments to GROUPING() must be expressions referenced by the GROUP BY associated with the current query",
        ),
        ("SELECT 1, 2 UNION SELECT 1", "line 1:19: UNION query has different number of fields: 2, 1"),
        (
            "SELECT 1 INTERSECT SELECT 2 EXCEPT (SELECT 'x')",
            "line 1:37: column 1 in EXCEPT query has incompatible types: integer, varchar(1)",
        ),
        (
            "SELECT 1 FROM (VALUES (1, 2)) AS t (a, b) NATURAL JOIN (VALUES 7) AS u (c)",
            "line 1:64: Natural join not supported",
        ),
        ("VALUES (1, 2), (3)", "line 1:17: Values rows have mismatched sizes: 2 vs 1"),
        ("VALUES (1, 2), (3, 'x')", "line 1:20: Values rows have mismatched types: integer vs varchar(1)"),
        ("SELECT *", "line 1:8: SELECT * not allowed from relation that has no columns"),
        ("SELECT 1 FETCH FIRST 0 ROWS ONLY", "line 1:22: FETCH FIRST row count must be positive (actual value: 0)"),
        ("SELECT 1 FETCH FIRST ROW WITH TIES", "line 1:1: FETCH FIRST WITH TIES clause requires ORDER BY"),
        (
            "SELECT 1 AS a UNION SELECT 2 ORDER BY count(*)",
            "line 1:39: not supported yet: aggregations, window functions or subqueries in this ORDER BY",
        ),
        (
            "SELECT 1 FROM (VALUES (1, 2)) AS t (a, b) LEFT JOIN UNNEST(array[1]) AS u (c) ON c = 1",
            "line 1:53: UNNEST is joined by CROSS JOIN, or by LEFT or INNER JOIN ON TRUE",
        ),
        (
            "SELECT 1 FROM (VALUES (1, 2)) AS t (a, b) CROSS JOIN LATERAL (SELECT 8) AS u",
            "line 1:63: not supported yet: LATERAL",
        ),
    ] {
        assert_eq!(examine(sql).map_err(|error| error.to_string()), Err(expected.to_owned()), "{sql}");
    }
}
