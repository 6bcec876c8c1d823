//! Trino's Hive connector as an outside client of the endpoint: what it writes is read by suiro and by awswrangler, and the
//! other way round.

use std::path::PathBuf;

use serde_json::json;

use super::Trino;
use crate::endpoint::Endpoint;
use crate::support::{Project, root};

#[test]
fn trino_suiro_and_awswrangler_read_each_other() {
    let Some(trino) = Trino::find() else { return };
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "-q"]);
    std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3/trino")).unwrap();
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());

    lake.ask(&[
        "CREATE SCHEMA tr WITH (location = 's3://trino/tr/')",
        "CREATE TABLE tr.sales (id bigint, amount decimal(10,2), name varchar, at timestamp(3), dt varchar) \
         WITH (format = 'PARQUET', partitioned_by = ARRAY['dt'])",
        "INSERT INTO tr.sales VALUES (1, 1.5, 'ä', TIMESTAMP '2026-01-01 01:02:03.004', '2026-01-01')",
        "INSERT INTO tr.sales VALUES (2, 2.5, 'b c', NULL, '2026-01-01'), (3, 3.5, NULL, NULL, '2026-01-02')",
        "INSERT INTO tr.sales VALUES (4, 4.5, 'd', NULL, '2026-01-02')",
    ]);
    let all = "SELECT id, amount, name, dt FROM tr.sales ORDER BY id";
    let rows = json!([
        [1, "1.50", "ä", "2026-01-01"],
        [2, "2.50", "b c", "2026-01-01"],
        [3, "3.50", null, "2026-01-02"],
        [4, "4.50", "d", "2026-01-02"]
    ]);
    assert_eq!(lake.ask(&[all]), rows);
    assert_eq!(
        lake.ask(&["SELECT dt FROM tr.\"sales$partitions\" ORDER BY dt"]),
        json!([["2026-01-01"], ["2026-01-02"]])
    );
    assert_eq!(lake.ask(&["SHOW TABLES FROM tr"]), json!([["sales"]]));
    assert_eq!(lake.ask(&["ANALYZE tr.sales"]), json!([[4]]));
    assert_eq!(
        project.query("SELECT id, amount, name, at, dt FROM tr.sales ORDER BY id"),
        "id,amount,name,at,dt\n1,1.50,ä,2026-01-01 01:02:03.004,2026-01-01\n2,2.50,b c,,2026-01-01\n\
         3,3.50,,,2026-01-02\n4,4.50,d,,2026-01-02\n"
    );

    // Objects that are there become a partition.
    let from = project.path().join(".suiro/warehouse/s3/trino/tr/sales/dt=2026-01-02");
    let to = project.path().join(".suiro/warehouse/s3/trino/elsewhere/third");
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let call = format!(
        "CALL {}.system.register_partition('tr', 'sales', ARRAY['dt'], ARRAY['2026-01-03'], 's3://trino/elsewhere/third')",
        lake.catalog
    );
    let third = "SELECT count(*) AS n FROM tr.sales WHERE dt = '2026-01-03'";
    lake.ask(&[&call]);
    assert_eq!(lake.ask(&[third]), json!([[2]]));
    assert_eq!(project.query(third), "n\n2\n");
    let call =
        format!("CALL {}.system.unregister_partition('tr', 'sales', ARRAY['dt'], ARRAY['2026-01-03'])", lake.catalog);
    lake.ask(&[&call]);
    assert_eq!(lake.ask(&[all]), rows);

    // What suiro published.
    let published = "SELECT dt, sum(requests) AS n FROM web.daily_summary GROUP BY dt ORDER BY dt";
    assert_eq!(lake.ask(&[published]), json!([["2026-03-01", 1480], ["2026-03-02", 1610], ["2026-03-03", 1235]]));
    lake.ask(&["CREATE TABLE tr.busy WITH (format = 'PARQUET') AS SELECT dt, sum(requests) AS n FROM web.daily_summary GROUP BY dt"]);
    assert_eq!(project.query("SELECT max(n) AS n FROM tr.busy"), "n\n1610\n");

    // Of ORC, which is what Trino makes where nobody says otherwise, and of Avro: both ways.
    lake.ask(&[
        "CREATE TABLE tr.forms (id bigint, amount decimal(10,2), name varchar, at timestamp(3), day date, \
         tags array(varchar), counts map(varchar, bigint), place row(city varchar, zip integer), dt varchar) \
         WITH (format = 'ORC', partitioned_by = ARRAY['dt'])",
        "INSERT INTO tr.forms VALUES (1, 1.5, 'ä', TIMESTAMP '1999-07-01 01:02:03.004', DATE '1969-12-31', ARRAY['a', NULL], \
         MAP(ARRAY['k'], ARRAY[7]), ROW('Zürich', 8001), 'x'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x'), \
         (3, -0.01, '', TIMESTAMP '1969-07-20 20:17:40.123', DATE '2026-01-01', ARRAY[], MAP(), ROW(NULL, 1), 'y')",
        "CREATE TABLE tr.avros WITH (format = 'AVRO') AS SELECT id, amount, name, at, day, tags, counts, place FROM tr.forms",
    ]);
    let told = "id,amount,name,at,day,tags,k,city\n1,1.50,ä,1999-07-01 01:02:03.004,1969-12-31,a NULL,7,Zürich\n2,,,,,,,\n\
         3,-0.01,\"\",1969-07-20 20:17:40.123,2026-01-01,\"\",,\n";
    let asked = |table: &str| {
        format!(
            "SELECT id, amount, name, at, day, array_join(tags, ' ', 'NULL') AS tags, element_at(counts, 'k') AS k, place.city AS city \
             FROM {table} ORDER BY id"
        )
    };
    assert_eq!(project.query(&asked("tr.forms")), told);
    assert_eq!(project.query(&asked("tr.avros")), told);
    let columns = "id, amount, name, at, day, tags, counts, place";
    for format in ["orc", "avro", "json", "textfile"] {
        let task = format!(
            "+ours:\n  athena.ctas>: SELECT {columns}, dt FROM tr.forms\n  database: web\n  table: ours_{format}\n  \
             format: {format}\n  partitioned_by: [dt]\n"
        );
        project.write(&format!("{format}.dig"), task);
        project.succeed(&["run", &format!("{format}.dig"), "--session", "2026-03-03", "-q"]);
        let rows = |table: &str| {
            lake.ask(&[&format!("SELECT {columns}, dt FROM {table} WHERE at IS NULL OR year(at) > 0 ORDER BY id")])
        };
        assert_eq!(rows(&format!("web.ours_{format}")), rows("tr.forms"), "{format}");
    }

    if let Some(python) = std::env::var_os("SUIRO_TEST_CLIENTS").map(PathBuf::from) {
        let script = root().join("tests/trino/read_back.py");
        let outcome = endpoint.run(&python, &[script.to_str().unwrap()], &[]);
        assert_eq!(outcome.stdout, "awswrangler: ok\n");
        let people = lake.ask(&["SELECT id, name, dt FROM wr.people ORDER BY id"]);
        assert_eq!(people, json!([[1, "x", "2026-01-01"], [2, null, "2026-01-02"]]));
    }

    lake.ask(&[
        "DROP TABLE tr.busy",
        "DROP TABLE tr.sales",
        "DROP TABLE tr.forms",
        "DROP TABLE tr.avros",
        "DROP SCHEMA tr",
    ]);
    assert!(!project.succeed(&["table", "list"]).stdout.contains("tr"), "nothing is left of it");
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}

/// Columns of every type that has buckets.
const NUMBERS: &str = "SELECT n, nullif(n, 5) AS g, CAST(n AS varchar) AS s, CAST('ä' || CAST(n AS varchar) AS varchar(9)) AS v, \
                       CAST(n AS integer) AS i, CAST(n AS smallint) AS h, CAST(n AS tinyint) AS t, n / 7e0 AS d, \
                       CAST(n / 7e0 AS real) AS r, n % 3 = 0 AS b, date_add('day', n * 400, DATE '1970-01-01') AS day \
                       FROM UNNEST(sequence(-40, 40)) AS numbers (n)";

#[test]
fn each_row_is_in_the_bucket_in_which_trino_has_it() {
    let Some(trino) = Trino::find() else { return };
    let project = Project::new();
    std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3/trino")).unwrap();
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    lake.ask(&["CREATE SCHEMA tr WITH (location = 's3://trino/tr/')"]);
    for columns in [&["g"][..], &["s"], &["v"], &["i"], &["h"], &["t"], &["d"], &["r"], &["b"], &["day"], &["s", "g"]] {
        let name = columns.join("_");
        let task = format!(
            "+ours:\n  athena.ctas>: {NUMBERS}\n  database: web\n  table: by_{name}\n  bucketed_by: [{}]\n  bucket_count: 7\n",
            columns.join(", ")
        );
        project.write("main.dig", task);
        project.succeed(&["run", "main.dig", "--session", "2026-03-03", "--rerun", "-q"]);
        let quoted: Vec<String> = columns.iter().map(|column| format!("'{column}'")).collect();
        lake.ask(&[&format!(
            "CREATE TABLE tr.by_{name} WITH (format = 'PARQUET', bucketed_by = ARRAY[{}], bucket_count = 7) AS {NUMBERS}",
            quoted.join(", ")
        )]);
        let placed = |schema: &str| format!("SELECT n, \"$bucket\" FROM {schema}.by_{name}");
        assert_eq!(lake.ask(&[&format!("{} EXCEPT {}", placed("tr"), placed("web"))]), json!([]), "{name}");
        assert_eq!(lake.ask(&[&format!("SELECT count(*) FROM web.by_{name}")]), json!([[81]]), "{name}");
        lake.ask(&[&format!("DROP TABLE tr.by_{name}")]);
    }
    // A value is looked for in its bucket alone.
    assert_eq!(lake.ask(&["SELECT n FROM web.by_s WHERE s = '17'"]), json!([[17]]));
    lake.ask(&["DROP SCHEMA tr"]);
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}
