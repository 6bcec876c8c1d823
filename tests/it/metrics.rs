//! Metric tiers from end to end: recorded series, other people's readers, replays, damage, real stores, and stops at every
//! point with a reader that looks all the while.

mod aws;
mod beside;
mod collected;
mod damage;
mod hostile;
mod lakes;
mod meanwhile;
mod older;
mod recorded;
mod sampler;
mod servers;
mod stops;
mod stores;
mod stream;
mod throttled;
mod undone;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lake::crash::CrashPoints;
use lake::name::Location;
use metrics::{
    DuplicateRule, EmbeddedStores, PointBatch, PointStore, Points, SeriesName, SeriesPoints, StoreOpener, Tier,
};
use metrics::{Step, TierKind, TierName};

use crate::support::{Project, copy, files_below, root};

/// The series of the example.
const SERIES: [&str; 4] = ["db-1.disk used %", "rack-4.temperature", "web-1.cpu", "web-1.requests"];

/// The run of the example.
const RUN: [&str; 4] = ["run", "tiers.dig", "--session", "2024-03-10"];

/// The same for another session.
const NEXT_RUN: [&str; 4] = ["run", "tiers.dig", "--session", "2024-03-11"];

fn example() -> Project {
    Project::copy_of(&root().join("examples/05_metric_tiers"))
}

/// The example with the series of another folder.
fn example_of(data: &Path) -> Project {
    let project = example();
    std::fs::remove_dir_all(project.path().join("data")).unwrap();
    copy(data, &project.path().join("data"));
    project
}

/// What was written: a line `series,timestamp,value` for each row of the files, of a time that stands twice the last.
fn written(project: &Project) -> BTreeSet<String> {
    let mut points = BTreeMap::new();
    for series in SERIES {
        let text = std::fs::read_to_string(project.path().join(format!("data/{series}.csv"))).unwrap();
        for line in text.lines().skip(1) {
            let (time, value) = line.split_once(',').unwrap();
            let value: f64 = value.parse().unwrap();
            points.insert(format!("{series},{}Z", time.replace(' ', "T")), value);
        }
    }
    points.into_iter().map(|(point, value)| format!("{point},{value}")).collect()
}

/// The store of an embedded tier, as another program opens it that knows nothing of the ledger.
async fn embedded_store(project: &Project, tier: &str) -> std::sync::Arc<dyn PointStore> {
    let folder = project.path().join(".suiro/metrics");
    let stores = EmbeddedStores { folder, crash_points: CrashPoints::default() };
    let tier = Tier {
        name: TierName::new(tier).unwrap(),
        step: Step::from_ms(60_000).unwrap(),
        keep_ms: None,
        kind: TierKind::Store { flush: None },
    };
    stores.open(&tier).await.unwrap()
}

/// One point.
fn point(series: &str, time: &str, value: f64) -> PointBatch {
    let time_ms = time.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let (points, _) = Points::of_written(&[(time_ms, value)], DuplicateRule::Last).unwrap();
    PointBatch::new(vec![SeriesPoints { name: SeriesName::new(series).unwrap(), points }]).unwrap()
}

/// The objects of a table's partitions, with the values of their partition.
fn objects(project: &Project, table: &str) -> Vec<(String, PathBuf)> {
    let listed = project.succeed(&["--json", "partition", "list", table]).stdout;
    let mut objects = Vec::new();
    for line in listed.lines() {
        let partition: serde_json::Value = serde_json::from_str(line).unwrap();
        let partition = partition["partition"].as_str().unwrap();
        let folder = folder_of(project, table, partition);
        let files = files_below(&folder).into_iter();
        let parquet = files.filter(|file| file.extension().is_some_and(|end| end == "parquet"));
        objects.extend(parquet.map(|file| (partition.to_owned(), file)));
    }
    objects
}

/// The folder of a partition. What a run says is made steady, so that the place is read from what it said itself.
fn folder_of(project: &Project, table: &str, partition: &str) -> PathBuf {
    let output = project.command(&["--json", "partition", "show", table, partition]).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let location = Location::parse(shown["location"].as_str().unwrap()).unwrap();
    project.path().join(".suiro/warehouse/s3").join(location.bucket()).join(location.key())
}

/// What `suiro metrics read` prints of each series of the example, raw points with the tier of each.
fn read_of_each(read: impl Fn(&[&str]) -> String) -> BTreeMap<&'static str, String> {
    let span = ["--from", "2024-02-01", "--to", "2024-04-01", "--step", "raw", "--format", "json"];
    let of = |series| (series, read(&[&["metrics", "read", "--name", series][..], &span].concat()));
    SERIES.into_iter().map(of).collect()
}
