//! The settings of a profile on AWS, as written in `suiro.yml`, and what they mean to the lake.
//!
//! Nothing secret stands here: keys come from the AWS SDK's own places.

use engine::diagnostic::suggest::did_you_mean;
use engine::diagnostic::{Diagnostic, code};
use engine::document::{Key, Node, NodeKind};
use engine::params::{byte_size, duration};
use lake::aws::{AssumedRole, AwsSettings, CannedAcl, Encryption, EngineKind, StorageClass};
use lake::name::Location;

/// A key, and how its value is read; the reader says what it expected.
type Reader = fn(&Node, &mut Written) -> Result<(), String>;

/// What is written, before it is put together: some settings are of two keys.
#[derive(Debug, Default)]
struct Written {
    settings: AwsSettings,
    role: Option<AssumedRole>,
    external_id: Option<String>,
    session_name: Option<String>,
    sse: Option<Sse>,
    kms_key: Option<String>,
}

/// How objects are encrypted, as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sse {
    /// As the bucket says.
    None,
    /// With S3's own key.
    S3,
    /// With a key of KMS.
    Kms,
}

/// The keys of a profile on AWS, besides those that every profile has; `docs/settings.md` lists them.
const KEYS: &[(&str, Reader)] = &[
    ("region", |node, written| set(&mut written.settings.region, text(node))),
    ("credentials_profile", |node, written| set(&mut written.settings.credentials_profile, text(node))),
    ("role_arn", |node, written| {
        written.role = Some(AssumedRole { arn: text(node)?, ..AssumedRole::default() });
        Ok(())
    }),
    ("external_id", |node, written| set(&mut written.external_id, text(node))),
    ("session_name", |node, written| set(&mut written.session_name, text(node))),
    ("roles", |node, written| {
        written.settings.roles = list(node)?.iter().map(role).collect::<Result<_, _>>()?;
        Ok(())
    }),
    ("catalog_id", |node, written| set(&mut written.settings.catalog_id, account(node))),
    ("warehouse", |node, written| set(&mut written.settings.warehouse, location(node))),
    ("endpoint", |node, written| set(&mut written.settings.endpoints.all, address(node))),
    ("endpoints", |node, written| {
        for (name, value) in mapping(node)? {
            let endpoints = &mut written.settings.endpoints;
            let own = match name.name.as_str() {
                "s3" => &mut endpoints.s3,
                "glue" => &mut endpoints.glue,
                "athena" => &mut endpoints.athena,
                "sts" => &mut endpoints.sts,
                other => {
                    let meant =
                        did_you_mean(other, ENDPOINT_KEYS).map_or_else(String::new, |meant| format!(": {meant}"));
                    return Err(format!("one of `s3`, `glue`, `athena`, `sts`, found the key `{other}`{meant}"));
                }
            };
            *own = Some(address(value)?);
        }
        Ok(())
    }),
    ("path_style", |node, written| put(&mut written.settings.path_style, flag(node))),
    ("sse", |node, written| {
        let sse = match node.as_str() {
            Some("none") => Sse::None,
            Some("s3") => Sse::S3,
            Some("kms") => Sse::Kms,
            _ => return Err(expected("`none`, `s3` or `kms`", node)),
        };
        written.sse = Some(sse);
        Ok(())
    }),
    ("kms_key", |node, written| set(&mut written.kms_key, text(node))),
    ("acl", |node, written| {
        let acl = CannedAcl::parse(&text(node)?).map_err(|error| without_expected(&error.message))?;
        written.settings.writes.acl = Some(acl);
        Ok(())
    }),
    ("storage_class", |node, written| {
        let class = StorageClass::parse(&text(node)?).map_err(|error| without_expected(&error.message))?;
        written.settings.writes.storage_class = Some(class);
        Ok(())
    }),
    ("tags", |node, written| {
        let tags = &mut written.settings.writes.tags;
        for (name, value) in mapping(node)? {
            tags.insert(name.name.clone(), text(value)?);
        }
        written.settings.writes.check().map_err(|error| without_expected(&error.message))
    }),
    ("requester_pays", |node, written| put(&mut written.settings.writes.requester_pays, flag(node))),
    ("engine", |node, written| {
        written.settings.engine = match node.as_str() {
            Some("athena") => EngineKind::Athena,
            Some("embedded") => EngineKind::Embedded,
            _ => return Err(expected("`athena` or `embedded`", node)),
        };
        Ok(())
    }),
    ("workgroup", |node, written| set(&mut written.settings.athena.workgroup, text(node))),
    ("output_location", |node, written| set(&mut written.settings.athena.output_location, location(node))),
    ("data_catalog", |node, written| set(&mut written.settings.athena.data_catalog, text(node))),
    ("max_queries", |node, written| put(&mut written.settings.athena.dml_queries, number(node))),
    ("max_ddl_queries", |node, written| put(&mut written.settings.athena.ddl_queries, number(node))),
    ("queue_timeout", |node, written| set(&mut written.settings.athena.queue_timeout, span(node))),
    ("query_timeout", |node, written| set(&mut written.settings.athena.run_timeout, span(node))),
    ("max_scan_bytes", |node, written| set(&mut written.settings.athena.max_scan_bytes, bytes(node))),
    ("usd_per_tb", |node, written| put(&mut written.settings.athena.micro_usd_per_tb, dollars(node))),
];

/// Returns the names of the keys.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name)
}

/// Reads the keys of a profile on AWS: those of [`keys`]; the others are somebody else's.
pub(super) fn read(entries: &[(Key, Node)], problems: &mut Vec<Diagnostic>) -> AwsSettings {
    let mut written = Written::default();
    let mut places = std::collections::HashMap::new();
    for (key, value) in entries {
        let Some((name, read)) = KEYS.iter().find(|(name, _)| *name == key.name) else { continue };
        places.insert(*name, key.span);
        if let Err(what) = read(value, &mut written) {
            let message = format!("expected for `{name}` {what}");
            problems.push(Diagnostic::error(code::KEY_VALUE, value.span, message));
        }
    }
    let Written { mut settings, role, external_id, session_name, sse, kms_key } = written;
    let without = |key: &str, other: &str| {
        let span = places.get(key)?;
        Some(Diagnostic::error(code::KEY_VALUE, *span, format!("`{key}` means nothing without `{other}`")))
    };
    match role {
        Some(role) if settings.roles.is_empty() => {
            settings.roles = vec![AssumedRole { external_id, session_name, ..role }];
        }
        Some(_) => {
            if let Some(span) = places.get("role_arn") {
                let problem = Diagnostic::error(code::KEY_VALUE, *span, "`role_arn` and `roles` cannot both be given");
                problems.push(problem.help("put the role at its place in `roles`, which is a chain"));
            }
        }
        None => {
            problems.extend(without("external_id", "role_arn"));
            problems.extend(without("session_name", "role_arn"));
        }
    }
    settings.writes.encryption = match (sse, kms_key) {
        (Some(Sse::Kms), key) => Encryption::Kms { key },
        (None, Some(key)) => Encryption::Kms { key: Some(key) },
        (other, key) => {
            if key.is_some() {
                problems.extend(without("kms_key", "sse: kms"));
            }
            if other == Some(Sse::S3) { Encryption::S3 } else { Encryption::Bucket }
        }
    };
    settings
}

pub(super) fn set<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *place = Some(value))
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *place = value)
}

fn expected(what: &str, node: &Node) -> String {
    format!("{what}, found {}", node.describe())
}

/// The rest of a sentence that the lake begins with `expected`.
fn without_expected(message: &str) -> String {
    message.strip_prefix("expected ").unwrap_or(message).to_owned()
}

/// The rest of a sentence that an error of the lake begins with `expected`, and what it says to do.
pub(super) fn as_expected(error: lake::Error) -> String {
    let help = error.help.map_or_else(String::new, |help| format!(": {help}"));
    format!("{}{help}", without_expected(&error.message))
}

pub(super) fn text(node: &Node) -> Result<String, String> {
    node.as_str().filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| expected("a text", node))
}

fn flag(node: &Node) -> Result<bool, String> {
    match node.kind {
        NodeKind::Bool(value) => Ok(value),
        _ => Err(expected("`true` or `false`", node)),
    }
}

fn number(node: &Node) -> Result<usize, String> {
    match node.kind {
        NodeKind::Int(value) if value > 0 => {
            usize::try_from(value).map_err(|_| expected("a whole number from 1", node))
        }
        _ => Err(expected("a whole number from 1", node)),
    }
}

/// An account's id: twelve digits. YAML reads one without quotes as a number, which loses zeros in front.
fn account(node: &Node) -> Result<String, String> {
    let id = match &node.kind {
        NodeKind::Int(number) => number.to_string(),
        _ => text(node)?,
    };
    let is_one = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_one { Ok(id) } else { Err(expected("the twelve digits of an account, in quotes", node)) }
}

fn location(node: &Node) -> Result<Location, String> {
    let text = text(node)?;
    Location::parse(&text).map(Location::into_prefix).map_err(|error| without_expected(&error.message))
}

pub(super) fn address(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    let is_one = ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    if is_one { Ok(text) } else { Err(expected("an address such as `http://127.0.0.1:5055`", node)) }
}

fn span(node: &Node) -> Result<std::time::Duration, String> {
    duration::parse(&text(node)?).map_err(|error| without_expected(&error.to_string()))
}

fn bytes(node: &Node) -> Result<u64, String> {
    match &node.kind {
        NodeKind::Int(number) if *number > 0 => Ok(number.unsigned_abs()),
        _ => byte_size::parse(&text(node)?).map_err(|error| without_expected(&error.to_string())),
    }
}

/// An amount of dollars, in millionths.
fn dollars(node: &Node) -> Result<u64, String> {
    #[expect(clippy::cast_precision_loss, reason = "a price of that many digits is none")]
    let usd = match node.kind {
        NodeKind::Int(value) => value as f64,
        NodeKind::Float(value) => value,
        _ => return Err(expected("a price in US dollars", node)),
    };
    if !(0.0..=1e6).contains(&usd) {
        return Err(expected("a price in US dollars, from 0 to 1000000", node));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 10¹²")]
    let micro_usd = (usd * 1e6).round() as u64;
    Ok(micro_usd)
}

fn list(node: &Node) -> Result<&[Node], String> {
    node.as_list().ok_or_else(|| expected("a list", node))
}

pub(super) fn mapping(node: &Node) -> Result<&[(Key, Node)], String> {
    node.as_map().ok_or_else(|| expected("a mapping", node))
}

/// The keys of `endpoints`.
const ENDPOINT_KEYS: [&str; 4] = ["s3", "glue", "athena", "sts"];

/// The keys of a role in `roles`.
const ROLE_KEYS: [&str; 3] = ["arn", "external_id", "session_name"];

/// A role of a chain: its ARN, or a mapping with it.
fn role(node: &Node) -> Result<AssumedRole, String> {
    if node.as_str().is_some() {
        return Ok(AssumedRole { arn: text(node)?, ..AssumedRole::default() });
    }
    let mut role = AssumedRole::default();
    for (key, value) in mapping(node)? {
        match key.name.as_str() {
            "arn" => role.arn = text(value)?,
            "external_id" => role.external_id = Some(text(value)?),
            "session_name" => role.session_name = Some(text(value)?),
            other => {
                let meant = did_you_mean(other, ROLE_KEYS).map_or_else(String::new, |meant| format!(": {meant}"));
                return Err(format!(
                    "roles of `arn`, `external_id` and `session_name`, found the key `{other}`{meant}"
                ));
            }
        }
    }
    if role.arn.is_empty() { Err("an `arn` in each role, found none".to_owned()) } else { Ok(role) }
}
