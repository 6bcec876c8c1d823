//! `suiro emulate` as other people's clients meet it: boto3, awswrangler, `PyAthena`, dbt and the AWS CLI, unchanged.
//!
//! `./test` installs them and names their Python in `SUIRO_TEST_CLIENTS`; without it these tests say that they are skipped.

use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::support::{Project, root};

#[test]
fn boto3_calls_s3_and_glue() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &[], &[]);
    assert_eq!(endpoint.script(&python, "s3.py", &[]), "s3: ok\n");
    assert_eq!(endpoint.script(&python, "glue.py", &[]), "glue: ok\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn boto3_calls_with_keys() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let secret = [("SUIRO_EMULATE_SECRET_KEY", "a secret/with+signs")];
    let endpoint = Endpoint::start(&project, &["--access-key", "AKIDEXAMPLE"], &secret);
    let known = [("AWS_SECRET_ACCESS_KEY", "a secret/with+signs")];
    assert_eq!(endpoint.script(&python, "s3.py", &known), "s3: ok\n");
    assert_eq!(endpoint.script(&python, "s3_outdated.py", &known), "s3 outdated: ok\n");
    assert_eq!(endpoint.script(&python, "glue.py", &known), "glue: ok\n");
    let refused = "import boto3, botocore.exceptions as e\n\
        for name, call in [('s3', 'list_buckets'), ('glue', 'get_databases'), ('athena', 'list_work_groups'), \
           ('sts', 'get_caller_identity')]:\n\
        \x20   try: getattr(boto3.client(name), call)()\n\
        \x20   except e.ClientError as error: print(error.response['Error']['Code'])\n";
    let wrong = [("AWS_SECRET_ACCESS_KEY", "another")];
    let outcome = endpoint.run(&python, &["-c", refused], &wrong);
    assert_eq!(
        outcome.stdout,
        "SignatureDoesNotMatch\nInvalidSignatureException\nInvalidSignatureException\nSignatureDoesNotMatch\n"
    );
    let unknown = [("AWS_SECRET_ACCESS_KEY", "another"), ("AWS_ACCESS_KEY_ID", "other")];
    let outcome = endpoint.run(&python, &["-c", refused], &unknown);
    assert_eq!(
        outcome.stdout,
        "InvalidAccessKeyId\nUnrecognizedClientException\nUnrecognizedClientException\nInvalidClientTokenId\n"
    );
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn boto3_gets_through_faults() {
    let Some(python) = python() else { return };
    let project = Project::new();
    project.write(
        "fault.yml",
        "seed: 7\nrules:\n\
         \x20 - {probability: 0.05, effect: throttle}\n\
         \x20 - {probability: 0.05, effect: unavailable}\n\
         \x20 - {service: s3, operation: UploadPart, nth: [2], effect: lost_reply}\n\
         \x20 - {service: s3, operation: CompleteMultipartUpload, nth: [1], effect: lost_reply}\n\
         \x20 - {service: s3, operation: GetObject, nth: [3], effect: refuse}\n",
    );
    let endpoint = Endpoint::start(&project, &["--fault", "fault.yml"], &[]);
    let patient = [("AWS_MAX_ATTEMPTS", "10"), ("AWS_RETRY_MODE", "standard")];
    assert_eq!(endpoint.script(&python, "s3.py", &patient), "s3: ok\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn boto3_sees_the_faults_of_a_file() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let rules = root().join("tests/clients/faults.yml");
    let endpoint = Endpoint::start(&project, &["--fault", rules.to_str().unwrap()], &[]);
    assert_eq!(endpoint.script(&python, "athena_faults.py", &[]), "athena_faults: ok\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn awswrangler_and_suiro_read_each_other() {
    let Some(python) = python() else { return };
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "-q"]);
    let endpoint = Endpoint::start(&project, &[], &[]);
    assert_eq!(endpoint.script(&python, "wrangler.py", &[]), "awswrangler: ok\n");
    let read = project.query(
        "SELECT dt, count(*) AS n, sum(amount) AS amount, max(name) AS name FROM wr.sales GROUP BY dt ORDER BY dt",
    );
    assert_eq!(read, "dt,n,amount,name\n2026-01-01,1,9.5,ä\n2026-01-02,2,4.0,ä\n2026-01-03,1,2.5,ä\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn boto3_pyathena_and_awswrangler_query() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &[], &[]);
    for client in ["athena_boto3", "athena_api", "athena_pyathena", "athena_wrangler"] {
        assert_eq!(endpoint.script(&python, &format!("{client}.py"), &[]), format!("{client}: ok\n"));
    }
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn tables_of_other_writers_are_read() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &[], &[]);
    assert_eq!(endpoint.script(&python, "serdes.py", &[]), "serdes: ok\n");
    assert_eq!(endpoint.script(&python, "formats.py", &[]), "formats: ok\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn pyathenas_own_tests_pass_but_for_the_known_ones() {
    let Some(python) = python() else { return };
    let Some(checkout) = std::env::var_os("SUIRO_PYATHENA_TESTS") else {
        println!("skipped: no SUIRO_PYATHENA_TESTS (a checkout of PyAthena: docs/athena_endpoint.md)");
        return;
    };
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &[], &[]);
    let told = endpoint.script(&python, "pyathena_suite.py", &[("SUIRO_PYATHENA_TESTS", checkout.to_str().unwrap())]);
    assert!(told.ends_with("pyathena_suite: ok\n"), "{told}");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn dbt_builds_a_project_twice() {
    let Some(python) = python() else { return };
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &[], &[]);
    let told = endpoint.script(&python, "dbt_athena.py", &[]);
    assert!(told.ends_with("dbt_athena: ok\n"), "{told}");
    assert_eq!(endpoint.stop(), Some(0));
    let read = project.query("SELECT ordered_on, orders, amount, load FROM clients_dbt.daily ORDER BY ordered_on");
    assert_eq!(
        read,
        "ordered_on,orders,amount,load\n2026-01-01,2,19.50,3\n2026-01-02,2,103.25,3\n2026-01-03,2,60.00,3\n\
         2026-01-04,1,1.00,3\n"
    );
    let left = project.query("SELECT count(*) AS days FROM clients_dbt.many_days");
    assert_eq!(left, "days\n120\n");
}

#[test]
fn the_aws_cli_copies_lists_and_looks_at_tables() {
    let Some(python) = python() else { return };
    let aws = python.with_file_name("aws");
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "-q"]);
    let endpoint = Endpoint::start(&project, &[], &[]);
    let aws = |arguments: &str| {
        let words: Vec<&str> = arguments.split(' ').collect();
        endpoint.run(&aws, &words, &[("AWS_PAGER", "")]).stdout
    };
    aws("s3 mb s3://cli-bucket");
    aws("s3 cp daily_access.dig s3://cli-bucket/a/one.dig");
    aws("s3 sync . s3://cli-bucket/all --exclude .suiro/* --exclude logs/*");
    assert!(aws("s3 ls s3://cli-bucket/a/").ends_with("one.dig\n"));
    assert!(aws("s3 ls s3://cli-bucket/ --recursive --summarize").contains("all/access.yml\n"));
    aws("s3 cp s3://cli-bucket/a/one.dig back.dig");
    assert_eq!(
        std::fs::read(project.path().join("back.dig")).unwrap(),
        std::fs::read(project.path().join("daily_access.dig")).unwrap()
    );
    aws("s3 rm s3://cli-bucket --recursive");
    aws("s3 rb s3://cli-bucket");
    let tables = aws("glue get-tables --database-name web --query TableList[].Name --output text");
    assert_eq!(tables.split_whitespace().collect::<Vec<_>>(), ["access_log", "daily_summary"]);
    let partition =
        aws("glue get-partition --database-name web --table-name daily_summary --partition-values 2026-03-02 \
         --query Partition.Parameters.\"suiro.rows\" --output text");
    assert_eq!(partition, "10\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn an_endpoint_that_others_reach_needs_keys() {
    let project = Project::new();
    let open = project.suiro(&["emulate", "--address", "0.0.0.0", "--port", "0"]);
    assert_eq!(open.exit, Some(2));
    assert_eq!(
        open.stderr,
        "error[C0101]: `--address 0.0.0.0` is reached by other machines: without keys everybody could read and delete the lake\n  \
         = help: say `--access-key ID`, with its secret in the environment variable SUIRO_EMULATE_SECRET_KEY\n  \
         = help: or leave `--address` out: the endpoint then answers this machine only\n  \
         = more: suiro explain C0101\n"
    );
    let secretless = project.suiro(&["emulate", "--access-key", "id", "--port", "0"]);
    assert_eq!(secretless.exit, Some(2));
    assert!(secretless.stderr.starts_with("error[C0101]: `--access-key` needs its secret\n"), "{secretless}");
    project.write("fault.yml", "rules:\n  - {service: s4, effect: throttle}\n");
    let wrong = project.suiro(&["emulate", "--fault", "fault.yml", "--port", "0"]);
    assert_eq!(wrong.exit, Some(2));
    assert!(wrong.stderr.contains("fault.yml:2:") && wrong.stderr.contains("athena"), "{wrong}");
    assert!(!project.path().join(".suiro").try_exists().unwrap(), "nothing was made");
}

#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("SUIRO_TEST_CLIENTS").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: no SUIRO_TEST_CLIENTS (`./test` sets it)");
    }
    python
}
