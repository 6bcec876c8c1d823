//! Projects whose tiers have the same names and places: those of one lake share them, those of two are told apart.

use std::process::{Command, Stdio};

use super::example;
use super::servers::{DynamoTable, Redis};
use super::stores::OnServers;
use crate::endpoint::Endpoint;
use crate::profiles::{make_buckets, on_aws, prepare};
use crate::support::{Outcome, Project};

const REPLAY: [&str; 5] = ["run", "tiers.dig", "+replay", "--session", "2024-03-10"];

const READ: [&str; 6] = ["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01"];

fn on_redis(redis: &Redis, key: &str) -> String {
    format!("store: redis, uri: \"redis://127.0.0.1:{}/0\", key: \"{key}\"", redis.port)
}

/// The lake that has the keys of the example, as Redis says; empty where it says none.
fn lake_of(redis: &Redis) -> String {
    redis.ask(&["HGET", "suiro:tiers", "1m:{lake}"]).trim().to_owned()
}

#[test]
fn a_second_project_on_one_redis_gets_keys_of_its_own() {
    let Some(redis) = Redis::start(None, &[]) else { return };
    let hot = on_redis(&redis, "{step}:{name}");
    let (first, second) = (OnServers::new(&hot, "store: embedded"), OnServers::new(&hot, "store: embedded"));
    first.succeed(&REPLAY);
    let holder = lake_of(&redis);
    assert!(holder.ends_with("/.suiro)"), "{holder}");
    let points = redis.ask(&["DBSIZE"]);
    let message = "expected a place of its own for the points of the tier `hot of metrics.points_1m` in this lake, found one that the tier \
                   `hot of metrics.points_1m` in the lake ";
    let refused = second.suiro(&REPLAY);
    assert_eq!(refused.exit, Some(2), "{refused}");
    assert!(refused.stderr.contains(&format!("error[T0204] +tiers+replay (tiers.dig:7:1)\n  {message}")), "{refused}");
    assert!(refused.stderr.contains("  = help: give each tier keys that begin or end differently"), "{refused}");
    let read = second.suiro(&READ);
    assert_eq!(read.exit, Some(2), "{read}");
    assert!(read.stderr.starts_with(&format!("error[T0204]: {message}")), "{read}");
    assert_eq!((redis.ask(&["DBSIZE"]), lake_of(&redis)), (points, holder.clone()), "nothing was written");

    // Keys of its own, as the help says.
    let tiers = std::fs::read_to_string(second.project.path().join("tiers.yml")).unwrap();
    second.project.write("tiers.yml", tiers.replace("\"{step}:{name}\"", "\"second:{step}:{name}\""));
    second.succeed(&REPLAY);
    assert_eq!(second.succeed(&READ).stdout, first.succeed(&READ).stdout);

    // What an earlier version claimed is the first writer's; who looks leaves it.
    redis.ask(&["HDEL", "suiro:tiers", "1m:{lake}"]);
    first.succeed(&READ);
    assert_eq!(lake_of(&redis), "");
    first.succeed(&["run", "tiers.dig", "+replay", "--session", "2024-03-11"]);
    assert_eq!(lake_of(&redis), holder);
}

#[test]
fn a_second_project_on_one_table_of_dynamodb_is_refused() {
    let Some(table) = DynamoTable::make() else { return };
    let warm = format!("store: dynamodb, table: {}, endpoint: \"{}\"", table.name, table.url);
    let (first, second) = (OnServers::new("store: embedded", &warm), OnServers::new("store: embedded", &warm));
    let flush =
        "timezone: UTC\n+replay: {metrics.replay>: data, to: hot}\n+flush: {metrics.flush>: hot, to: warm, age: 0s}\n";
    for servers in [&first, &second] {
        servers.project.write("flush.dig", flush);
    }
    let run = ["run", "flush.dig", "--session", "2024-03-10"];
    first.succeed(&run);
    let items = table.items();
    let refused = second.suiro(&run);
    assert_eq!(refused.exit, Some(2), "{refused}");
    let message = "expected a place of its own for the points of the tier `warm of metrics.points_1m` in ";
    assert!(refused.stderr.contains(message), "{refused}");
    assert!(refused.stderr.contains("give each tier a table of its own; when the points are this lake's"), "{refused}");
    assert_eq!(table.items(), items, "nothing was written");
}

/// Tasks of several processes that write as the first ones of their lake, all at once.
#[test]
fn of_many_processes_that_come_first_all_are_one_lake() {
    const PROCESSES: usize = 6;
    let Some(redis) = Redis::start(None, &[]) else { return };
    let servers = OnServers::new(&on_redis(&redis, "{step}:{name}"), "store: embedded");
    for number in 0..PROCESSES {
        servers.project.write(
            &format!("write{number}.dig"),
            format!(
                "+write:\n  metrics.write>: hot\n  query: SELECT 's{number}' AS name, TIMESTAMP '2024-03-01 00:00:00' AS ts, 1.5 AS value\n"
            ),
        );
    }
    let running: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let mut command = servers.command(&["run", &format!("write{number}.dig"), "--session", "2024-03-10"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for process in running {
        let outcome = Outcome::of(&servers.project, &process.wait_with_output().unwrap());
        assert_eq!(outcome.exit, Some(0), "{outcome}");
    }
    let holder = lake_of(&redis);
    servers.succeed(&["run", "write0.dig", "--session", "2024-03-11"]);
    assert!(!holder.is_empty() && lake_of(&redis) == holder, "{holder}");
}

/// One of several machines that use a lake on AWS.
fn machine(endpoint: &Endpoint<'_>, redis: &Redis) -> OnServers {
    let machine = OnServers::new(&on_redis(redis, "{step}:{name}"), "store: embedded");
    prepare(&machine.project, endpoint.url(), "");
    machine
}

fn replay(machine: &OnServers, endpoint: &Endpoint<'_>) -> Outcome {
    let mut command: Command = machine.command(&REPLAY);
    on_aws(endpoint, &mut command);
    Outcome::of(&machine.project, &command.output().unwrap())
}

#[test]
fn two_machines_with_one_lake_on_aws_share_a_redis_and_another_lake_does_not() {
    let Some(redis) = Redis::start(None, &[]) else { return };
    let lakes: [Project; 2] = [example(), example()];
    let endpoints = lakes.each_ref().map(|lake| {
        make_buckets(lake);
        Endpoint::start(lake, &[], &[])
    });
    for _ in 0..2 {
        let outcome = replay(&machine(&endpoints[0], &redis), &endpoints[0]);
        assert_eq!(outcome.exit, Some(0), "{outcome}");
        assert_eq!(lake_of(&redis), format!("glue:us-east-1:{}", endpoints[0].url()));
    }
    let outcome = replay(&machine(&endpoints[1], &redis), &endpoints[1]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("expected a place of its own for the points of the tier `hot"), "{outcome}");
    for endpoint in endpoints {
        assert_eq!(endpoint.stop(), Some(0));
    }
}
