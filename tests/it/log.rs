//! `suiro log`: the logs of an attempt that is there, and which are when it is not.

use crate::support::Project;

fn runs() -> Project {
    let project = Project::new();
    for name in ["main", "other"] {
        project.write(
            &format!("{name}.dig"),
            format!("timezone: Asia/Tokyo\n+say:\n  sh>: echo said by {name} on ${{session_date}}\n"),
        );
    }
    for (name, session) in
        [("main", "2024-03-01"), ("other", "2024-03-01"), ("main", "2024-03-02"), ("main", "2024-03-01")]
    {
        project.succeed(&["run", &format!("{name}.dig"), "--session", session, "--rerun"]);
    }
    project
}

#[test]
fn an_attempt_that_is_not_there_is_said_and_which_are() {
    let project = runs();
    let the_latest = "  = help: the latest of `main`: 4 (session 2024-03-01T00:00:00+09:00), 3 (session \
                      2024-03-02T00:00:00+09:00), 1 (session 2024-03-01T00:00:00+09:00)\n  = more: suiro explain T0201\n";
    for (attempt, what) in [("99", "`main` has no attempt 99"), ("2", "attempt 2 is one of `other`, not of `main`")] {
        let outcome = project.suiro(&["log", "main.dig", "--attempt", attempt]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
        assert_eq!(outcome.stderr, format!("error[T0201]: {what}\n{the_latest}"));
    }
    assert!(project.succeed(&["log", "main.dig", "--attempt", "1"]).stdout.contains("said by main"));
    let latest = project.succeed(&["log", "main.dig"]);
    assert_eq!(latest.stdout, project.succeed(&["log", "main.dig", "--attempt", "4"]).stdout, "the one that ran last");
    assert!(project.succeed(&["log", "other.dig", "--attempt", "2"]).stdout.contains("said by other"));
}

#[test]
fn a_group_means_the_tasks_below_it_and_an_unknown_task_is_refused() {
    let project = Project::new();
    project.write(
        "main.dig",
        "+c:\n  +c1:\n    sh>: echo said by c1\n  +c2:\n    sh>: echo said by c2\n+d:\n  sh>: echo said by d\n+e:\n  echo>: x\n",
    );
    project.succeed(&["run", "main.dig"]);
    let log = project.succeed(&["log", "main.dig", "+c"]).stdout;
    assert!(log.contains("said by c1") && log.contains("said by c2") && !log.contains("said by d"), "{log}");
    let log = project.succeed(&["log", "main.dig", "+c2"]).stdout;
    assert!(!log.contains("said by c1") && log.contains("said by c2"), "{log}");
    let outcome = project.suiro(&["log", "main.dig", "+nope"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
    assert!(
        outcome.stderr.starts_with("error[") && outcome.stderr.contains("attempt 1 of `main` has no task `+nope`"),
        "{outcome}"
    );
}
