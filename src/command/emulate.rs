//! `suiro emulate`: Athena, Glue and S3 over the project's lake, until it is told to stop.

mod fault_file;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use emulator::{CallQuotas, Credentials, Emulator, EmulatorSettings, Quotas};
use indexmap::IndexMap;
use lake::Place;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli;
use crate::compose::Base;
use crate::failure::Failure;
use crate::output::read_or_not;
use crate::signals::Source;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Emulate) -> Result<(), Failure> {
    let credentials = credentials(base, command)?;
    let faults = match &command.fault {
        Some(file) => fault_file::read(file)?,
        None => emulator::FaultPlan::default(),
    };
    let mut settings = base.settings(None)?;
    let Place::Folder { warehouse: own } = &settings.place else {
        let message = format!("the profile `{}` is on AWS: what is served is a lake in a folder", base.global.profile);
        return Err(
            Failure::usage(message).help("say `--profile` with one of `type: embedded`, or leave it out for `local`")
        );
    };
    let warehouse = command.warehouse.clone().unwrap_or_else(|| own.clone());
    settings.place = Place::Folder { warehouse: warehouse.clone() };
    let lake = base.served_lake(&settings).await?;
    let listener = listen(command).await?;
    let address = listener.local_addr()?;
    let secret_is_known = credentials.is_some();
    let quotas = Quotas { dml: command.max_queries, ddl: command.max_queries };
    let call_quotas = CallQuotas::of(command.call_quota.iter().cloned());
    let emulator = EmulatorSettings { credentials, faults, region: command.region.clone(), quotas, call_quotas };
    let emulator = Emulator::new(lake, emulator).await?;
    // Whoever reads that it listens may stop it at once.
    let mut signals = Source::open()?;
    read_or_not(announce(base, command, address, &warehouse, secret_is_known))?;
    let stop = async {
        signals.next().await;
        base.output.note("stopping: requests under way are answered");
    };
    emulator
        .serve(listener, stop)
        .await
        .map_err(|error| Failure::usage(format!("cannot go on listening on {address}: {error}")))
}

/// Reads the keys that requests must be signed with: none on loopback, where everybody may call.
fn credentials(base: &Base, command: &cli::Emulate) -> Result<Option<Credentials>, Failure> {
    let Some(access_key) = &command.access_key else {
        if command.address.is_loopback() {
            return Ok(None);
        }
        return Err(Failure::usage(format!(
            "`--address {}` is reached by other machines: without keys everybody could read and delete the lake",
            command.address
        ))
        .help("say `--access-key ID`, with its secret in the environment variable SUIRO_EMULATE_SECRET_KEY")
        .help("or leave `--address` out: the endpoint then answers this machine only"));
    };
    let secret_key = base.environment.emulate_secret_key.clone().ok_or_else(|| {
        Failure::usage("`--access-key` needs its secret")
            .help("set the environment variable SUIRO_EMULATE_SECRET_KEY; on the command line others could read it")
    })?;
    Ok(Some(Credentials { access_key: access_key.clone(), secret_key }))
}

async fn listen(command: &cli::Emulate) -> Result<TcpListener, Failure> {
    let address = SocketAddr::new(command.address, command.port);
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::usage(format!("cannot listen on {address}: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => failure.help("choose another `--port`; 0 takes one that is free"),
            _ => failure,
        }
    })
}

/// Says where the endpoint is and how clients find it.
fn announce(
    base: &Base,
    command: &cli::Emulate,
    address: SocketAddr,
    warehouse: &std::path::Path,
    secret_is_known: bool,
) -> std::io::Result<()> {
    let url = format!("http://{}", reachable(address));
    let mut variables = IndexMap::from([
        ("AWS_ENDPOINT_URL", url.clone()),
        ("AWS_REGION", command.region.clone()),
        ("AWS_DEFAULT_REGION", command.region.clone()),
        ("AWS_ACCESS_KEY_ID", command.access_key.clone().unwrap_or_else(|| "suiro".to_owned())),
    ]);
    if !secret_is_known {
        variables.insert("AWS_SECRET_ACCESS_KEY", "suiro".to_owned());
    }
    if base.output.json {
        return base.output.json_line(&json!({
            "event": "listening",
            "url": url,
            "region": command.region,
            "warehouse": warehouse,
            "environment": variables,
        }));
    }
    base.output.note(&format!("Athena, Glue and S3 on {url}, region {}", command.region));
    base.output.note(&format!("s3://BUCKET/KEY is {}", warehouse.join("s3/BUCKET/KEY").display()));
    base.output.note("for the AWS CLI, boto3 and what is built on them:\n");
    for (name, value) in &variables {
        base.output.line(&format!("export {name}={}", shell_word(value)))?;
    }
    if secret_is_known {
        base.output.note("and AWS_SECRET_ACCESS_KEY as SUIRO_EMULATE_SECRET_KEY is here");
    }
    if address.ip().is_unspecified() {
        base.output.note("from another machine: with the name or address of this one in the URL");
    }
    base.output.note("\nstop with Ctrl-C");
    Ok(())
}

/// Returns an address that a client on this machine can call: one that stands for all of them is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Writes a value so that a shell reads it as one word.
fn shell_word(value: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+=".contains(character);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_value_is_one_word_to_a_shell() {
        assert_eq!(shell_word("http://127.0.0.1:5055"), "http://127.0.0.1:5055");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(shell_word(""), "''");
    }
}
