//! The example on the profile of AWS: its Parquet tiers are tables of Glue over objects on S3, served by our endpoint.

use super::stores::archived;
use super::{NEXT_RUN, RUN, example, read_of_each};
use crate::profiles::same::{OnProfile, Profile};

#[test]
fn the_example_on_s3_and_glue_is_the_embedded_one() {
    let embedded = example();
    let run_embedded = embedded.succeed(&RUN);
    let project = example();
    let on_aws = OnProfile::start(&project, Profile::Aws(""));
    let run = on_aws.succeed(&RUN);
    assert_eq!(run.stdout, run_embedded.stdout, "each window's points, series, bytes and checksum");
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(", verified")).count(), 5, "{run}");
    let read = read_of_each(|arguments| on_aws.succeed(arguments).stdout);
    assert_eq!(read, read_of_each(|arguments| embedded.succeed(arguments).stdout));
    let status = ["metrics", "status"];
    assert_eq!(on_aws.succeed(&status).stdout, embedded.succeed(&status).stdout);

    // The endpoint serves the lake of the project's folder: there the tables are tables like others, with the same bytes.
    assert_eq!(archived(&project), archived(&embedded));
    let mut shown =
        on_aws.succeed(&["--json", "partition", "show", "metrics.points_1m", "step=1m/dt=2024-03-01"]).stdout;
    let mut parameters: serde_json::Value = serde_json::from_str(&shown).unwrap();
    for (name, value) in [("generation", "1"), ("count", "312"), ("series", "4")] {
        assert_eq!(parameters["parameters"][format!("suiro.metrics.{name}")], value, "{parameters}");
    }
    let counted = "SELECT step, sum(rows) AS n FROM (SELECT step, 1 AS rows FROM metrics.points WHERE step = '1m') AS t GROUP BY step";
    assert_eq!(
        on_aws.succeed(&["query", "--format", "csv", counted]).stdout,
        "step,n\n1m,924\n",
        "the view, on Athena"
    );

    // Late points: their window becomes a new version, on S3 as in the folder.
    let late = "timestamp,value\n2024-03-02 00:01:00,77.5\n";
    for project in [&project, &embedded] {
        project.write("data/late.csv", late);
    }
    assert_eq!(on_aws.succeed(&NEXT_RUN).stdout, embedded.succeed(&NEXT_RUN).stdout);
    assert_eq!(archived(&project), archived(&embedded));
    shown = on_aws.succeed(&["--json", "partition", "show", "metrics.points_1m", "step=1m/dt=2024-03-02"]).stdout;
    parameters = serde_json::from_str(&shown).unwrap();
    assert_eq!(parameters["parameters"]["suiro.metrics.generation"], "2", "{parameters}");
    // And nothing changes when all of it comes once more.
    let before = archived(&project);
    on_aws.succeed(&["run", "tiers.dig", "--session", "2024-03-12"]);
    assert_eq!(archived(&project), before);
    on_aws.stop();
}
