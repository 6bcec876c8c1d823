//! The example on a real Redis and on `DynamoDB` Local, as whole runs: what comes of it is what comes of the embedded stores,
//! whatever the servers do on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::servers::{DynamoTable, Redis, with_keys};
use super::throttled::Throttled;
use super::{NEXT_RUN, RUN, example, objects, read_of_each};
use crate::support::{Outcome, Project};

/// The password of Redis. Nothing but the environment of the process has it.
const PASSWORD: &str = "Kv7-never-to-be-seen";

/// The example whose stores are others.
pub(super) struct OnServers {
    pub(super) project: Project,
    /// What the process says to a server to be let in.
    secret: &'static str,
}

impl OnServers {
    /// Makes one: `hot` and `warm` are what stands in the file of tiers in the place of `store: embedded`.
    pub(super) fn new(hot: &str, warm: &str) -> Self {
        let project = example();
        let file = std::fs::read_to_string(project.path().join("tiers.yml")).unwrap();
        let lines = file.lines().map(|line| match line.trim_start().split(':').next() {
            Some("hot") => line.replace("store: embedded", hot),
            Some("warm") => line.replace("store: embedded", warm),
            _ => line.to_owned(),
        });
        project.write("tiers.yml", lines.collect::<Vec<_>>().join("\n") + "\n");
        Self { project, secret: PASSWORD }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        with_keys(&mut command).env("SUIRO_SECRET_REDIS", self.secret);
        command
    }

    pub(super) fn suiro(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&self.project, &self.command(arguments).output().unwrap())
    }

    pub(super) fn succeed(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.suiro(arguments);
        assert_eq!(outcome.exit, Some(0), "`suiro {}`\n{outcome}", arguments.join(" "));
        outcome
    }
}

fn on_redis(redis: &Redis) -> String {
    format!("store: redis, uri: \"redis://:${{secret:redis}}@127.0.0.1:{}/0\"", redis.port)
}

fn on_dynamodb(table: &DynamoTable, url: &str) -> String {
    format!("store: dynamodb, table: {}, endpoint: \"{url}\"", table.name)
}

/// The bytes of all Parquet objects, by table and partition.
pub(super) fn archived(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut archived = BTreeMap::new();
    for table in ["metrics.points_1m", "metrics.points_1h", "metrics.points_1d"] {
        for (partition, file) in objects(project, table) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            archived.insert(format!("{table} {partition} {name}"), std::fs::read(file).unwrap());
        }
    }
    archived
}

/// Every file of a project, its state too.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The example after its replay, and after all, on the embedded stores and on others.
fn is_the_same(servers: &OnServers) {
    let embedded = example();
    let read = |arguments: &[&str]| servers.succeed(arguments).stdout;
    let read_embedded = |arguments: &[&str]| embedded.succeed(arguments).stdout;
    let replay = ["run", "tiers.dig", "+replay", "--session", "2024-03-10"];
    assert_eq!(servers.succeed(&replay).stdout, embedded.succeed(&replay).stdout);
    assert_eq!(read_of_each(read), read_of_each(read_embedded), "from the stores");
    let (run, run_embedded) = (servers.succeed(&RUN), embedded.succeed(&RUN));
    assert_eq!(run.stdout, run_embedded.stdout);
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(", verified")).count(), 5, "{run}");
    assert_eq!(archived(&servers.project), archived(&embedded), "the same bytes");
    assert_eq!(read_of_each(read), read_of_each(read_embedded), "from the archive");
    assert_eq!(read(&["metrics", "status"]), read_embedded(&["metrics", "status"]));
    // All of it once more: a later session replays every file again.
    let before = archived(&servers.project);
    assert_eq!(servers.succeed(&NEXT_RUN).stdout, embedded.succeed(&NEXT_RUN).stdout);
    assert_eq!(archived(&servers.project), before, "no point and no version has changed");
}

#[test]
fn the_example_on_redis_and_dynamodb_is_the_embedded_one() {
    let Some(redis) = Redis::start(Some(PASSWORD), &[]) else { return };
    let Some(table) = DynamoTable::make() else { return };
    let servers = OnServers::new(&on_redis(&redis), &on_dynamodb(&table, &table.url));
    is_the_same(&servers);
    assert_eq!(redis.ask(&["KEYS", "*"]), "suiro:tiers\n", "all of it is expired");
    assert_eq!(table.items(), Vec::<Value>::new(), "all of it is expired");
}

#[test]
fn the_example_on_dynamodb_that_throttles_every_second_call_is_the_embedded_one() {
    let Some(table) = DynamoTable::make() else { return };
    let busy = Throttled::before(&table.url);
    is_the_same(&OnServers::new("store: embedded", &on_dynamodb(&table, &busy.url)));
    assert!(busy.refused() > 100, "{}", busy.refused());
    assert_eq!(table.items(), Vec::<Value>::new(), "all of it is expired");
}

#[test]
fn items_past_their_time_to_live_that_dynamodb_still_has_are_read_and_archived() {
    let Some(table) = DynamoTable::make() else { return };
    let servers = OnServers::new("store: embedded", &on_dynamodb(&table, &table.url));
    servers.project.write(
        "flush.dig",
        "timezone: UTC\n+replay: {metrics.replay>: data, to: hot}\n+flush: {metrics.flush>: hot, to: warm, age: 0s}\n",
    );
    servers.succeed(&["run", "flush.dig", "--session", "2024-03-10"]);
    let items = table.items();
    let now = jiff::Timestamp::now().as_second();
    let points = items.iter().map(|item| {
        let number = |name: &str| item[name]["N"].as_str().unwrap().parse::<i64>().unwrap();
        let epoch = item["epoch"]["S"].as_str().unwrap().strip_suffix(":1m").unwrap().parse::<i64>().unwrap();
        assert_eq!(number("ttl"), epoch / 1_000 + 3_600 + 60 * 86_400, "the end of the hour and 60 days");
        assert!(number("ttl") < now, "it is past");
        item["points"]["BS"].as_array().unwrap().len()
    });
    assert_eq!(points.sum::<usize>(), 924);
    let tiers_of = |read: &BTreeMap<&str, String>| -> Vec<String> {
        let rows = read.values().flat_map(|rows| rows.lines());
        let mut tiers: Vec<String> =
            rows.map(|row| serde_json::from_str::<Value>(row).unwrap()["tier"].as_str().unwrap().to_owned()).collect();
        assert_eq!(tiers.len(), 924);
        tiers.dedup();
        tiers
    };
    assert_eq!(tiers_of(&read_of_each(|arguments| servers.succeed(arguments).stdout)), ["warm"]);
    servers.succeed(&RUN);
    assert_eq!(tiers_of(&read_of_each(|arguments| servers.succeed(arguments).stdout)), ["cold"]);
    assert_eq!(table.items(), Vec::<Value>::new(), "all of it is expired");
}

#[test]
fn a_redis_that_evicts_keys_is_refused_and_takes_all_points_when_it_is_set_right() {
    let Some(redis) = Redis::start(Some(PASSWORD), &["--maxmemory", "200mb", "--maxmemory-policy", "allkeys-lru"])
    else {
        return;
    };
    let servers = OnServers::new(&on_redis(&redis), "store: embedded");
    let refused = servers.suiro(&RUN);
    assert_eq!(refused.exit, Some(2), "{refused}");
    let message = "error[T0501] +tiers+replay (tiers.dig:7:1)\n  \
                   expected a Redis that keeps every key, found one that throws keys away when its memory is full \
                   (`maxmemory-policy allkeys-lru`, `maxmemory 209715200`): nothing was written\n  \
                   = help: set `maxmemory-policy noeviction` (or one that begins with `volatile-`) on the server\n";
    assert!(refused.stderr.contains(message), "{refused}");
    assert_eq!(redis.ask(&["DBSIZE"]), "0\n");
    redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    servers.succeed(&RUN);
    let embedded = example();
    embedded.succeed(&RUN);
    assert_eq!(archived(&servers.project), archived(&embedded));
}

#[test]
fn the_password_of_redis_is_in_no_output_and_no_file() {
    let Some(redis) = Redis::start(Some(PASSWORD), &[]) else { return };
    let mut servers = OnServers::new(&on_redis(&redis), "store: embedded");
    let mut said = Vec::new();
    let mut run = |servers: &OnServers, arguments: &[&str], exit: i32| {
        let output = servers.command(arguments).env("SUIRO_LOG", "trace").output().unwrap();
        let outcome = Outcome::of(&servers.project, &output);
        assert_eq!(outcome.exit, Some(exit), "{outcome}");
        said.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
        outcome
    };
    run(&servers, &["check", "tiers.dig"], 0);
    run(&servers, &["plan", "tiers.dig", "--session", "2024-03-10"], 0);
    run(&servers, &["run", "tiers.dig", "+replay", "--session", "2024-03-10"], 0);
    run(&servers, &["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01", "--to", "2024-03-02"], 0);
    run(&servers, &RUN, 0);
    run(&servers, &["--json", "run", "tiers.dig", "--rerun", "--session", "2024-03-10"], 0);
    run(&servers, &["--json", "metrics", "status"], 0);
    // Whoever is not let in is told so without what he said.
    servers.secret = "Kv7-never-to-be-seen-either";
    let refused = run(&servers, &NEXT_RUN, 2);
    let message =
        "error[T0503] +tiers+replay (tiers.dig:7:1)\n  Redis does not let us in: Password authentication failed";
    assert!(refused.stderr.contains(message), "{refused}");
    // The log of a task that failed and of one that did not.
    run(&servers, &["log", "tiers.dig", "+replay"], 0);
    for (what, bytes) in said {
        assert!(!holds(&bytes, "never-to-be-seen"), "`suiro {what}` says the password");
    }
    let files = all_files(servers.project.path());
    assert!(files.iter().any(|file| file.ends_with(".suiro/state.db")), "{files:?}");
    for file in files {
        assert!(!holds(&std::fs::read(&file).unwrap(), "never-to-be-seen"), "{} has the password", file.display());
    }
    // Without the secret nothing is tried.
    let mut command = servers.project.command(&["run", "tiers.dig", "--session", "2024-03-12"]);
    let missing = Outcome::of(&servers.project, &with_keys(&mut command).output().unwrap());
    assert_eq!(missing.exit, Some(2), "{missing}");
    assert!(missing.stderr.contains("SUIRO_SECRET_REDIS"), "{missing}");
}

/// The example without its expiry: both sides can be compared.
fn without_expiry(servers: &OnServers) {
    let workflow = std::fs::read_to_string(servers.project.path().join("tiers.dig")).unwrap();
    let lines: Vec<&str> = workflow.lines().filter(|line| !line.contains("expire")).collect();
    servers.project.write("tiers.dig", lines.join("\n"));
    servers.project.write("again.dig", "+verify: {metrics.verify>: [warm, cold], window: 2024-03-01 .. 2024-03-04}\n");
    servers.succeed(&RUN);
}

/// What verifying says when a point was deleted from the warm tier by hand.
fn lacks_a_point(servers: &OnServers) {
    let outcome = servers.suiro(&["run", "again.dig", "--session", "2024-03-11"]);
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    let message = "error[T0401] +again+verify (again.dig:1:1)\n  \
                   points are not as they should be:\n  \
                   cold 2024-03-01: the store holds 311 of the 312 points of the window that were dumped\n  \
                   cold 2024-03-01: the series `web-1.cpu` lacks 1 of its 144 archived points in the store\n";
    assert!(outcome.stderr.contains(message), "{outcome}");
}

#[test]
fn a_field_that_is_deleted_from_redis_by_hand_is_found_and_its_series_named() {
    let Some(redis) = Redis::start(Some(PASSWORD), &[]) else { return };
    let servers = OnServers::new("store: embedded", &on_redis(&redis));
    without_expiry(&servers);
    servers.succeed(&["run", "again.dig", "--session", "2024-03-10"]);
    // 2024-03-01 00:10:00
    let field = ["1m:web-1.cpu", "1709251800000"];
    let value = redis.ask(&["HGET", field[0], field[1]]);
    assert_eq!(value, "13.06\n");
    assert_eq!(redis.ask(&["HDEL", field[0], field[1]]), "1\n");
    lacks_a_point(&servers);
    // Putting it back by hand mends it.
    redis.ask(&["HSET", field[0], field[1], value.trim()]);
    servers.succeed(&["run", "again.dig", "--session", "2024-03-12"]);
}

#[test]
fn a_point_that_is_deleted_from_dynamodb_by_hand_is_found_and_its_series_named() {
    let Some(table) = DynamoTable::make() else { return };
    let servers = OnServers::new("store: embedded", &on_dynamodb(&table, &table.url));
    without_expiry(&servers);
    let items = table.items();
    let is_first = |item: &&Value| item["series"]["S"] == "web-1.cpu" && item["epoch"]["S"] == "1709251200000:1m";
    let item = items.iter().find(is_first).unwrap();
    table.delete_point(item, &item["points"]["BS"][0]);
    lacks_a_point(&servers);
}
