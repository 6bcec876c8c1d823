//! A project on a profile that works elsewhere than on the embedded lake, and what must come out of it all the same.

use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::{make_buckets, on_aws, prepare};
use crate::cases::{check_in, folders, lake_files};
use crate::endpoint::Endpoint;
use crate::support::{Outcome, Project, files_below, root};
use crate::trino::{Connected, Trino, profiles as trino};

/// A profile, over an endpoint that serves the embedded lake of the same project.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile<'t> {
    /// `type: aws`, with more settings.
    Aws(&'static str),
    /// `type: trino`.
    Trino(&'t Trino),
}

/// A project on a profile.
pub(crate) struct OnProfile<'p> {
    project: &'p Project,
    endpoint: Endpoint<'p>,
    /// Trino's catalog over the endpoint.
    connected: Option<Connected>,
}

impl<'p> OnProfile<'p> {
    /// Starts the endpoint, and writes the profile into the settings of the project.
    pub(crate) fn start(project: &'p Project, profile: Profile<'_>) -> Self {
        make_buckets(project);
        let endpoint = Endpoint::start(project, &[], &[]);
        let connected = match profile {
            Profile::Aws(more) => {
                prepare(project, endpoint.url(), more);
                None
            }
            Profile::Trino(running) => {
                let connected = running.connect(endpoint.url());
                trino::prepare(project, endpoint.url(), &connected);
                Some(connected)
            }
        };
        Self { project, endpoint, connected }
    }

    fn name(&self) -> &'static str {
        if self.connected.is_some() { "trino" } else { "aws" }
    }

    /// Lets a command use the profile.
    fn prepare(&self, command: &mut Command) {
        if self.connected.is_some() {
            trino::on_trino(&self.endpoint, command);
        } else {
            on_aws(&self.endpoint, command);
        }
    }

    /// Runs the binary on the profile.
    pub(crate) fn suiro(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.project.command(arguments);
        self.prepare(&mut command);
        Outcome::of(self.project, &command.output().unwrap())
    }

    /// Runs the binary on the profile, which must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.suiro(arguments);
        assert_eq!(outcome.exit, Some(0), "`suiro {}` on {}\n{outcome}", arguments.join(" "), self.name());
        outcome
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        drop(self.connected);
        assert_eq!(self.endpoint.stop(), Some(0));
    }
}

/// Runs the first example from its plan to an undo; `look` is shown how its run ended.
pub(crate) fn daily_access(profile: Profile<'_>, look: impl Fn(&Outcome)) {
    let example = root().join("examples/01_daily_access");
    let local = Project::copy_of(&example);
    local.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]);

    let project = Project::copy_of(&example);
    let on = OnProfile::start(&project, profile);
    let plan = on.succeed(&["plan", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(plan.stdout.contains("+load"), "{plan}");
    look(&on.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]));
    let all = "SELECT * FROM web.daily_summary ORDER BY dt, method, status";
    let query = |sql: &str| on.succeed(&["query", "--format", "csv", sql]).stdout;
    assert_eq!(query(all), local.query(all));
    let count = "SELECT dt, count(*) AS n, sum(bytes) AS bytes FROM web.access_log GROUP BY dt ORDER BY dt";
    assert_eq!(query(count), local.query(count));
    let tables = on.succeed(&["table", "list"]).stdout;
    assert_eq!(tables, local.succeed(&["table", "list"]).stdout, "no table is left of what queries write through");
    let plan = on.succeed(&["plan", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(plan.stdout.contains("is there already"), "{plan}");

    // A new version, and back.
    on.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "--rerun"]);
    on.succeed(&["partition", "undo", "web.daily_summary", "dt=2026-03-02"]);
    assert_eq!(query(all), local.query(all));
    // The embedded engine reads what was written elsewhere.
    assert_eq!(project.query(all), local.query(all));
    let again = on.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(again.stderr.contains("Success") || again.stderr.contains("already"), "{again}");
    assert!(project.path().join(".suiro").join(on.name()).is_dir(), "the state of the profile is its own");
    on.stop();
}

/// Runs the second example, and compares what it prints.
pub(crate) fn athena_operators(profile: Profile<'_>) {
    let example = root().join("examples/02_athena_operators");
    let arguments = ["run", "athena_operators.dig", "--session", "2024-03-01"];
    let local = Project::copy_of(&example).succeed(&arguments);
    let project = Project::copy_of(&example);
    let on = OnProfile::start(&project, profile);
    let run = on.succeed(&arguments);
    // The first line names a query; databases go side by side.
    let printed = |outcome: &Outcome| {
        let mut lines: Vec<String> = outcome.stdout.lines().skip(1).map(str::to_owned).collect();
        let databases = lines.len() - 2;
        lines[databases..].sort_unstable();
        lines
    };
    assert_eq!(printed(&run), printed(&local), "{run}");
    on.stop();
}

/// Plans the case of `suiro plan` before and after its set-up, as text and as JSON: all but the price is as on the embedded lake,
/// and nothing changes in the lake.
pub(crate) fn plans(profile: Profile<'_>) {
    let folder = root().join("tests/cases/workflow/plan");
    let (local, project) = (Project::copy_of(&folder), Project::copy_of(&folder));
    let on = OnProfile::start(&project, profile);
    let price = Regex::new(r" for \$[0-9.]+").unwrap();
    let text = |outcome: &Outcome| price.replace_all(&outcome.stdout, "").into_owned();
    let lines = |outcome: &Outcome| {
        let mut lines: Vec<Value> = outcome
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect();
        lines.last_mut().unwrap().as_object_mut().unwrap().remove("predicted_cost_usd");
        lines
    };
    let files = || {
        let files = files_below(&project.path().join(".suiro/warehouse"));
        files.into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect::<Vec<_>>()
    };
    let session = ["--session", "2024-03-01"];
    for is_set_up in [false, true] {
        if is_set_up {
            for outcome in [
                local.suiro(&["run", "setup.dig", "--session", "2024-03-01"]),
                on.suiro(&["run", "setup.dig", "--session", "2024-03-01"]),
            ] {
                assert_eq!(outcome.exit, Some(0), "{outcome}");
            }
        }
        let before = files();
        for workflow in [&["main.dig"][..], &["wrong.dig", "-p", "days=monday"]] {
            let arguments = [&["plan"][..], workflow, &session].concat();
            let (here, there) = (local.suiro(&arguments), on.suiro(&arguments));
            assert_eq!(here.exit, there.exit, "{here}\n{there}");
            if is_set_up {
                assert_eq!(text(&here), text(&there), "on {}", on.name());
                let arguments = [&["--json"][..], &arguments].concat();
                assert_eq!(lines(&local.suiro(&arguments)), lines(&on.suiro(&arguments)), "on {}", on.name());
            }
        }
        assert!(before == files(), "a plan changes nothing");
    }
    on.stop();
}

/// The statement of `docs/metric_tiers.md` for every window of points.
const CHECKSUMS: &str = "SELECT dt, count(*) AS n, CAST(sum(CAST(from_big_endian_64(xxhash64(to_utf8(name) || \
    to_big_endian_64(date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', ts)) || to_ieee754_64(value))) \
    AS decimal(38,0))) AS varchar) AS checksum FROM metrics.points_1m GROUP BY dt ORDER BY dt";

/// Runs the third example on a profile, and compares what it prints and what its tables hold.
pub(crate) fn metric_tiers(profile: Profile<'_>) {
    let example = root().join("examples/05_metric_tiers");
    let run = ["run", "tiers.dig", "--session", "2024-03-10"];
    let local = Project::copy_of(&example);
    let here = local.succeed(&run);
    let project = Project::copy_of(&example);
    let on = OnProfile::start(&project, profile);
    let there = on.succeed(&run);
    assert_eq!(there.stdout, here.stdout);
    for sql in [
        "SELECT * FROM metrics.points_1m ORDER BY name, ts",
        "SELECT * FROM metrics.points_1h ORDER BY name, ts",
        "SELECT * FROM metrics.points_1d ORDER BY name, ts",
        // Each engine adds in an order of its own.
        "SELECT step, tier, count(*) AS n, round(sum(value), 6) AS total FROM metrics.points GROUP BY step, tier ORDER BY step",
    ] {
        assert_eq!(on.succeed(&["query", "--format", "csv", sql]).stdout, local.query(sql), "{sql}");
    }
    for arguments in [
        &["metrics", "status"][..],
        &["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01", "--to", "2024-03-04", "--format", "csv"],
        &["table", "list"],
    ] {
        assert_eq!(on.succeed(arguments).stdout, local.succeed(arguments).stdout, "{arguments:?}");
    }
    // Each window's checksum by SQL is the ledger's.
    let by_sql = on.succeed(&["query", "--format", "csv", CHECKSUMS]).stdout;
    let status = on.succeed(&["metrics", "status", "--json"]).stdout;
    let windows = status.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_points = windows.filter(|window| window["tier"] == "cold");
    let of_ledger = of_points.map(|window| {
        let [label, checksum] = ["window", "checksum"].map(|key| window[key].as_str().unwrap().to_owned());
        format!("{label},{},{checksum}\n", window["points"])
    });
    assert_eq!(by_sql, std::iter::once("dt,n,checksum\n".to_owned()).chain(of_ledger).collect::<String>());
    // The same again changes nothing.
    let before = lake_files(&project);
    on.succeed(&[&run[..], &["--rerun"]].concat());
    assert_eq!(lake_files(&project), before);
    on.stop();
}

/// More partitions than one query may write, by two keys with a NULL, a quote and a blank among their values.
const MANY: &str = r"
timezone: UTC
+many:
  athena.ctas>: |
    SELECT n AS a, CAST(current_timestamp AS timestamp(3)) AS run, n % 2 = 0 AS even,
      CASE WHEN n = 7 THEN NULL ELSE concat('it''s ', CAST(n AS varchar)) END AS k
    FROM UNNEST(sequence(1, ${count})) AS t (n) CROSS JOIN UNNEST(sequence(1, 2)) AS u (twice)
  database: web
  table: many
  partitioned_by: [even, k]
  save_mode: overwrite
  checks: [SELECT a FROM new_version WHERE k IS NULL AND a <> 7]
";

/// Publishes a table of 230 partitions, and replaces it by one of 110.
pub(crate) fn many_partitions(profile: Profile<'_>) {
    let (local, project) = (Project::new(), Project::new());
    for project in [&local, &project] {
        project.write("many.dig", MANY);
    }
    let on = OnProfile::start(&project, profile);
    for (session, count) in [("2024-03-01", 230), ("2024-03-02", 110)] {
        let count_of_keys = format!("count={count}");
        let arguments = ["run", "many.dig", "--session", session, "-p", &count_of_keys];
        local.succeed(&arguments);
        on.succeed(&arguments);
        let partitions = on.succeed(&["--json", "partition", "list", "web.many"]).stdout;
        assert_eq!(partitions.lines().count(), count);
        for sql in [
            "SELECT even, k, a, count(*) AS n FROM web.many GROUP BY even, k, a ORDER BY a",
            "SELECT count(DISTINCT run) AS runs FROM web.many",
        ] {
            assert_eq!(on.succeed(&["query", "--format", "csv", sql]).stdout, local.query(sql), "{sql}");
        }
        assert_eq!(local.query("SELECT count(DISTINCT run) AS runs FROM web.many"), "runs\n1\n");
        assert_eq!(on.succeed(&["table", "list"]).stdout, local.succeed(&["table", "list"]).stdout);
    }
    let aside = files_below(&project.path().join(".suiro/warehouse"));
    let aside: Vec<_> = aside.iter().filter(|file| file.to_string_lossy().contains("rows-aside")).collect();
    assert!(aside.is_empty(), "{aside:?}");
    on.stop();
}

/// The cases that are about no table: they check files and command lines, or what there is before a project.
const WITHOUT_TABLES: [&str; 17] = [
    "bad_input/check",
    "bad_input/command_line",
    "bad_input/document",
    "bad_input/no_project",
    "bad_input/settings",
    "bad_input/tiers",
    "workflow/call",
    "workflow/echo",
    "workflow/fail",
    "workflow/for_each",
    "workflow/for_range",
    "workflow/if",
    "workflow/loop",
    "workflow/params_file",
    "workflow/plan", // `plans` runs it, with what it prints.
    "workflow/sh",
    "workflow/wait",
];

/// Tells whether a case is about no table.
fn is_without_tables(case: &Path) -> bool {
    WITHOUT_TABLES.iter().any(|name| case.ends_with(name))
}

#[test]
fn no_case_with_tables_is_left_out() {
    let cases = root().join("tests/cases");
    // What `cases` is called with for every profile.
    let families = ["athena", "bad_input", "load", "metrics"];
    for family in folders(&cases) {
        let is_run = families.iter().any(|name| family.ends_with(name));
        for case in folders(&family) {
            assert!(is_run || is_without_tables(&case), "{} runs on no other profile", case.display());
        }
    }
    for name in WITHOUT_TABLES {
        assert!(cases.join(name).is_dir(), "there is no case {name}");
    }
}

/// Runs the cases of a family on a profile; all that is wrong is said at once.
pub(crate) fn cases(profile: Profile<'_>, family: &str) {
    let case = |folder: &Path| {
        let project = Project::copy_of(folder);
        let on = OnProfile::start(&project, profile);
        let wrong = check_in(&project, folder, &|command| on.prepare(command), false);
        on.stop();
        wrong
    };
    let all = folders(&root().join("tests/cases").join(family));
    let wrong: Vec<String> =
        all.iter().filter(|case| !is_without_tables(case)).flat_map(|folder| case(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
