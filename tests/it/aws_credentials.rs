//! Where the keys of a profile on AWS come from: each link of the SDK's default chain leads to an endpoint that asks for a
//! signature. What gives out keys (the metadata services, STS, SSO) is a server of this test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::endpoint::{Endpoint, alone};
use crate::profiles::prepare;
use crate::support::{Outcome, Project};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "a secret/with+signs";

/// Until when keys are good that are given out.
const UNTIL: &str = "2999-01-01T00:00:00Z";

/// Gives out keys, whoever asks.
struct Issuer {
    url: String,
    /// What was asked for, in its order: `GET /path`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || answer(stream.unwrap(), &kept));
            }
        });
        Self { url, asked }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = request.rsplit_once(' ').map_or("", |(path, _version)| path).to_owned();
    let (status, text) = match answer_to(&path, &String::from_utf8_lossy(&body)) {
        Some(text) => ("200 OK", text),
        None => ("404 Not Found", String::new()),
    };
    asked.lock().unwrap().push(path);
    // A client that has gone has its answer already.
    let _lost = write!(
        stream,
        "HTTP/1.1 {status}\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
}

fn answer_to(path: &str, body: &str) -> Option<String> {
    match path {
        "GET /container" => Some(
            json!({"AccessKeyId": ID, "SecretAccessKey": SECRET, "Token": "session", "Expiration": UNTIL}).to_string(),
        ),
        "PUT /latest/api/token" => Some("a token of the machine".to_owned()),
        "GET /latest/meta-data/iam/security-credentials/" => Some("machine".to_owned()),
        "GET /latest/meta-data/iam/security-credentials/machine" => Some(
            json!({
                "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2024-01-01T00:00:00Z", "AccessKeyId": ID,
                "SecretAccessKey": SECRET, "Token": "session", "Expiration": UNTIL
            })
            .to_string(),
        ),
        "GET /federation/credentials?role_name=etl&account_id=123456789012" => Some(
            json!({"roleCredentials": {
                "accessKeyId": ID, "secretAccessKey": SECRET, "sessionToken": "session", "expiration": 32_472_144_000_000_i64
            }})
            .to_string(),
        ),
        "POST /" if body.contains("Action=AssumeRoleWithWebIdentity") && body.contains("WebIdentityToken=who") => {
            Some(format!(
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{ID}</AccessKeyId>\
                 <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>session</SessionToken>\
                 <Expiration>{UNTIL}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>"
            ))
        }
        _ => None,
    }
}

/// A link of the chain: its environment, and the last thing that is asked for; none when nobody is asked.
struct Link {
    name: &'static str,
    environment: Vec<(&'static str, String)>,
    asks: Option<&'static str>,
}

fn links(project: &Project, issuer: &Issuer) -> Vec<Link> {
    let file = |name: &str, text: String| {
        project.write(name, text);
        project.path().join(name).display().to_string()
    };
    let profile = |text: String| ("AWS_CONFIG_FILE", file("config", format!("[profile nightly]\n{text}")));
    let named = || ("AWS_PROFILE", "nightly".to_owned());
    let keys = format!("[nightly]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
    let given = json!({"Version": 1, "AccessKeyId": ID, "SecretAccessKey": SECRET}).to_string();
    let given = file("given.json", given);
    // The name is the SHA-1 of that of the session: `work`.
    let cached = ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";
    std::fs::create_dir_all(project.path().join(".aws/sso/cache")).unwrap();
    file(
        cached,
        json!({
            "startUrl": "https://sso.example.com/start", "region": "us-east-1", "accessToken": "signed in",
            "expiresAt": UNTIL
        })
        .to_string(),
    );
    vec![
        Link {
            name: "environment",
            environment: vec![("AWS_ACCESS_KEY_ID", ID.to_owned()), ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned())],
            asks: None,
        },
        Link {
            name: "a profile",
            environment: vec![("AWS_SHARED_CREDENTIALS_FILE", file("credentials", keys)), named()],
            asks: None,
        },
        Link {
            name: "a program",
            environment: vec![profile(format!("credential_process = cat {given}\n")), named()],
            asks: None,
        },
        Link {
            name: "SSO",
            environment: vec![
                (
                    "AWS_CONFIG_FILE",
                    file(
                        "sso",
                        "[profile nightly]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = etl\n\
                         [sso-session work]\nsso_region = us-east-1\nsso_start_url = https://sso.example.com/start\n"
                            .to_owned(),
                    ),
                ),
                named(),
                ("AWS_ENDPOINT_URL_SSO", issuer.url.clone()),
            ],
            asks: Some("GET /federation/credentials?role_name=etl&account_id=123456789012"),
        },
        Link {
            name: "a web identity, as on EKS",
            environment: vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", file("identity", "who".to_owned())),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/etl".to_owned()),
                ("AWS_ENDPOINT_URL_STS", issuer.url.clone()),
            ],
            asks: Some("POST /"),
        },
        Link {
            name: "a container, as on ECS",
            environment: vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container", issuer.url))],
            asks: Some("GET /container"),
        },
        Link {
            name: "a machine, by IMDSv2",
            environment: vec![
                ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url.clone()),
            ],
            asks: Some("GET /latest/meta-data/iam/security-credentials/machine"),
        },
    ]
}

#[test]
fn every_link_of_the_default_chain_gives_keys() {
    let project = Project::new();
    let secret = [("SUIRO_EMULATE_SECRET_KEY", SECRET)];
    let endpoint = Endpoint::start(&project, &["--access-key", ID], &secret);
    prepare(&project, endpoint.url(), "");
    let issuer = Issuer::start();
    let list = |environment: &[(&str, String)]| {
        let mut command: Command = project.command(&["table", "list"]);
        alone(&mut command);
        command.env("SUIRO_PROFILE", "aws").env("HOME", project.path());
        command.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        Outcome::of(&project, &command.output().unwrap())
    };
    for Link { name, environment, asks } in links(&project, &issuer) {
        let outcome = list(&environment);
        assert_eq!(outcome.exit, Some(0), "{name}: {outcome}\n{:?}", issuer.take());
        assert!(outcome.stderr.contains("there are no tables"), "{name}: {outcome}");
        let asked = issuer.take();
        assert_eq!(asked.last().map(String::as_str), asks, "{name}: {asked:?}");
    }
    // The endpoint believes these keys alone.
    let others = [("AWS_ACCESS_KEY_ID", ID.to_owned()), ("AWS_SECRET_ACCESS_KEY", "another".to_owned())];
    let outcome = list(&others);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn a_profile_that_is_named_gives_its_own_keys_or_an_error() {
    let project = Project::new();
    let endpoint = Endpoint::start(&project, &["--access-key", ID], &[("SUIRO_EMULATE_SECRET_KEY", SECRET)]);
    let issuer = Issuer::start();
    project.write("config", "[profile bare]\nregion = us-east-1\n");
    project.write("credentials", format!("[nightly]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"));
    let path = |name: &str| project.path().join(name).display().to_string();
    let (config, credentials) = (path("config"), path("credentials"));
    // Everything that the default chain would find: keys of somebody else, and a container that gives out the right ones.
    let environment = [
        ("AWS_CONFIG_FILE", config.clone()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.clone()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container", issuer.url)),
    ];
    let keys = [("AWS_ACCESS_KEY_ID", "OTHER"), ("AWS_SECRET_ACCESS_KEY", "another")];
    let list = |profile: &str, keys: &[(&str, &str)]| {
        prepare(&project, endpoint.url(), &format!("    credentials_profile: {profile}\n"));
        let mut command: Command = project.command(&["table", "list"]);
        alone(&mut command);
        command.env("SUIRO_PROFILE", "aws").env("HOME", project.path()).envs(environment.clone());
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").envs(keys.iter().copied());
        Outcome::of(&project, &command.output().unwrap())
    };
    let outcome = list("nightly", &keys);
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    for keys in [&keys[..], &[]] {
        let outcome = list("nightli", keys);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        for said in ["there is no profile `nightli` in ", "; there are: `bare`, `nightly`", "did you mean `nightly`?"] {
            assert!(outcome.stderr.contains(said), "{said}: {outcome}");
        }
        let outcome = list("bare", keys);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        for said in
            ["the profile `bare` of ", " gives no credentials: it has no keys", "`aws configure --profile bare`"]
        {
            assert!(outcome.stderr.contains(said), "{said}: {outcome}");
        }
    }
    assert_eq!(issuer.take(), Vec::<String>::new(), "nobody else is asked");
    assert_eq!(endpoint.stop(), Some(0));
}
