//! Secrets of the environment, as the binary treats them.

use crate::support::Project;

#[test]
fn a_secret_is_not_in_the_environment_of_scripts_and_its_reference_is_text() {
    let project = Project::new();
    project.write("t.dig", "+a:\n  sh>: env\n  x: ${secret:redis}\n+b:\n  echo>: ${secret:redis}\n");
    let output = project
        .command(&["run", "t.dig", "--session", "2026-03-03"])
        .envs([("SUIRO_SECRET_REDIS", "hunter2"), ("OTHER_PASSWORD", "visible")])
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "{stdout}\n{stderr}");
    for line in ["OTHER_PASSWORD=visible", "x=${secret:redis}", "${secret:redis}"] {
        assert!(stdout.lines().any(|found| found.trim_end().ends_with(line)), "{line}\n{stdout}");
    }
    assert!(!stdout.contains("SUIRO_SECRET_REDIS"), "{stdout}");
}
