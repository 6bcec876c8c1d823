//! A Trino that asks who is there, over TLS: by a password, and by a token.

use super::{Connected, Trino, profiles::on_trino};
use crate::endpoint::Endpoint;
use crate::profiles::make_buckets;
use crate::support::{Outcome, Project};

/// Writes a profile that reaches Trino over TLS.
fn prepare(project: &Project, endpoint: &str, trino: &Trino, lake: &Connected, login: &str) {
    let url = std::fs::read_to_string(trino.logins.join("https_url")).unwrap();
    project.write(
        "suiro.yml",
        format!(
            "profiles:\n  trino:\n    type: trino\n    url: {}\n    user: etl\n    catalog: {}\n    region: us-east-1\n    \
             endpoint: {endpoint}\n    path_style: true\n    warehouse: s3://warehouse/\n{login}",
            url.trim(),
            lake.catalog
        ),
    );
}

#[test]
fn a_password_or_a_token_lets_in_over_tls() {
    let Some(trino) = Trino::find() else { return };
    let secret = |name: &str| std::fs::read_to_string(trino.logins.join(name)).unwrap();
    let project = Project::new();
    make_buckets(&project);
    project.write(
        "main.dig",
        "timezone: UTC\n+made:\n  athena.ctas>: SELECT 'etl' AS who\n  database: web\n  table: made\n  \
         save_mode: overwrite\n",
    );
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    let suiro = |arguments: &[&str], value: &str| {
        let mut command = project.command(arguments);
        on_trino(&endpoint, &mut command);
        Outcome::of(&project, &command.env("TRINO_LOGIN", value).output().unwrap())
    };
    let certificate = format!("    ca_file: {}\n", trino.logins.join("server.crt").display());
    for (number, (key, value)) in [("password_env", "password"), ("jwt_env", "token")].into_iter().enumerate() {
        let login = format!("    {key}: TRINO_LOGIN\n");
        prepare(&project, endpoint.url(), &trino, &lake, &format!("{login}{certificate}"));
        let session = format!("2024-03-0{}", number + 1);
        let run = suiro(&["run", "main.dig", "--session", &session], &secret(value));
        assert_eq!(run.exit, Some(0), "{key}: {run}");
        let read = suiro(&["query", "--format", "csv", "SELECT who FROM web.made"], &secret(value));
        assert_eq!((read.exit, read.stdout.as_str()), (Some(0), "who\netl\n"), "{key}: {read}");
        assert!(!run.to_string().contains(&secret(value)), "{key}");

        // Who says nothing that is true is not let in, and a certificate that nobody vouches for is not believed.
        let wrong = suiro(&["query", "SELECT 1"], "wrong");
        assert_eq!(wrong.exit, Some(2), "{key}: {wrong}");
        assert!(wrong.stderr.contains("Trino does not let the user `etl` in"), "{key}: {wrong}");
        assert!(wrong.stderr.contains("the variable that `password_env` or `jwt_env` of the profile names"), "{wrong}");
        prepare(&project, endpoint.url(), &trino, &lake, &login);
        let unknown = suiro(&["query", "SELECT 1"], &secret(value));
        assert_ne!(unknown.exit, Some(0), "{key}: {unknown}");
        assert!(unknown.stderr.contains("`ca_file` of the profile"), "{key}: {unknown}");
    }
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}
