//! The checksum of metric points as one SQL statement: the same number by suiro's own engine and by a real Trino, over the
//! same Parquet files.

use serde_json::json;

use super::Trino;
use crate::endpoint::Endpoint;
use crate::support::Project;

/// The statement of `docs/metric_tiers.md`, over a table of points.
const CHECKSUM: &str = "SELECT count(*) AS n, CAST(sum(CAST(from_big_endian_64(xxhash64(to_utf8(name) || \
    to_big_endian_64(date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', ts)) || to_ieee754_64(value))) \
    AS decimal(38,0))) AS varchar) AS checksum FROM metrics.points";

/// Names that are not ASCII, the ends of the times, and every kind of value.
const POINTS: &str = "\
INSERT INTO metrics.points VALUES
  ('cpu.user', TIMESTAMP '2024-02-29 00:00:00.000', DOUBLE '0.25'),
  ('cpu.user', TIMESTAMP '2024-02-29 00:01:00.001', DOUBLE '-1.5'),
  ('a:b/c|''d''', TIMESTAMP '1970-01-01 00:00:00.000', DOUBLE '0'),
  ('日本語 🐙', TIMESTAMP '9999-12-31 23:59:59.999', DOUBLE '1.7976931348623157E308'),
  ('é', TIMESTAMP '2024-02-29 00:00:00.000', nan()),
  ('é', TIMESTAMP '2024-02-29 00:01:00.000', infinity()),
  ('é', TIMESTAMP '2024-02-29 00:02:00.000', -infinity()),
  ('é', TIMESTAMP '2024-02-29 00:03:00.000', DOUBLE '4.9E-324')";

/// The sum, by another program.
const EXPECTED: &str = "-25741093574925668767";

#[test]
fn the_checksum_of_points_is_the_same_on_both_engines() {
    let Some(trino) = Trino::find() else { return };
    let project = Project::new();
    project.write("suiro.yml", "");
    std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3/trino")).unwrap();
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    lake.ask(&[
        "CREATE SCHEMA metrics WITH (location = 's3://trino/metrics/')",
        "CREATE TABLE metrics.points (name varchar, ts timestamp(3), value double) WITH (format = 'PARQUET')",
        POINTS,
    ]);
    let by_trino = lake.ask(&[CHECKSUM]);
    let checksum = by_trino[0][1].as_str().unwrap();
    assert_eq!(by_trino, json!([[8, checksum]]));
    assert_eq!(project.query(CHECKSUM), format!("n,checksum\n8,{checksum}\n"));
    // As it is counted without SQL, so that neither engine changes it unseen.
    assert_eq!(checksum, EXPECTED);
    lake.ask(&["DROP TABLE metrics.points", "DROP SCHEMA metrics"]);
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}
