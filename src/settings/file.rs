//! The file `suiro.yml`, as written: its profiles, and what is wrong with it, with places.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use engine::diagnostic::suggest::did_you_mean;
use engine::diagnostic::{Diagnostic, code};
use engine::document::{self, Key, Node, NodeKind, SourceMap};
use engine::params::{byte_size, duration};
use indexmap::IndexMap;
use lake::aws::AwsSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{aws, trino};
use crate::failure::Failure;

/// The key of the profiles, the only one at the top.
const PROFILES: &str = "profiles";

/// The file as written.
#[derive(Debug, Default)]
pub(super) struct File {
    /// By name; `local` is there without being written.
    pub(super) profiles: IndexMap<String, Profile>,
}

/// Where the lake of a profile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// In a folder: `type: embedded`, or none.
    Embedded {
        /// The folder of the data, relative to the project; none for the one below the state.
        warehouse: Option<PathBuf>,
    },
    /// On AWS: `type: aws`.
    Aws(Box<AwsSettings>),
    /// On S3 and Glue, with queries by Trino: `type: trino`.
    Trino(Box<AwsSettings>, Box<trino::Written>),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Embedded { warehouse: None }
    }
}

/// A profile as written.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    /// Where the lake is.
    pub(super) kind: Kind,
    /// What it may use.
    pub(super) common: Common,
}

/// The key that says where the lake is.
const TYPE: &str = "type";

/// The key of the folder of the data, or of the prefix on S3.
const WAREHOUSE: &str = "warehouse";

/// What every profile may say. The names of the fields are the keys of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    /// The memory that queries and loads may hold before they spill: `2GiB`, `512MiB`; 1 GiB.
    pub(super) memory_limit: Option<String>,
    /// How long a replaced version is kept: `24h`, `7d`; 24 hours.
    pub(super) retention: Option<String>,
    /// How long the kept result of a query is there: `7d`; 45 days.
    pub(super) result_retention: Option<String>,
    /// How long a session stays with a run that does not say that it lives, because its machine died, say: `5m`; 60 seconds.
    pub(super) lease: Option<String>,
    /// The most partitions that one query writes; a table of more is written by several; 100.
    pub(super) max_partitions: Option<NonZeroUsize>,
    /// The most tasks that run at once; 16.
    pub(super) max_tasks: Option<NonZeroUsize>,
    /// The most tasks an attempt may have; 100,000.
    pub(super) task_limit: Option<NonZeroUsize>,
}

impl Common {
    /// The keys.
    fn keys() -> Vec<String> {
        let empty = serde_json::to_value(Self::default());
        let keys = empty.ok().as_ref().and_then(Value::as_object).map(|keys| keys.keys().cloned().collect());
        keys.unwrap_or_default()
    }
}

/// The type of a profile, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Embedded,
    Aws,
    Trino,
}

impl Type {
    /// The keys of a profile of this type.
    fn keys(self) -> Vec<String> {
        let own: Vec<&str> = match self {
            Self::Embedded => vec![WAREHOUSE],
            Self::Aws => aws::keys().collect(),
            Self::Trino => trino::keys().collect(),
        };
        std::iter::once(TYPE.to_owned()).chain(own.into_iter().map(str::to_owned)).chain(Common::keys()).collect()
    }

    /// The other types, as they are written; the likeliest first.
    fn others(self) -> impl Iterator<Item = (Self, &'static str)> {
        let all = [(Self::Aws, "aws"), (Self::Embedded, "embedded"), (Self::Trino, "trino")];
        all.into_iter().filter(move |(other, _)| *other != self)
    }
}

impl File {
    /// Reads the file's text.
    ///
    /// # Errors
    /// All problems of it at once, each with its place.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        let mut sources = SourceMap::default();
        let id = sources.add(path.display().to_string(), text);
        let (node, mut problems) = document::parse(&mut sources, id);
        // A file that holds nothing sets nothing.
        let node = node.filter(|_| problems.is_empty());
        let file = node.map(|node| Self::of(&node, &mut problems)).unwrap_or_default();
        if problems.is_empty() { Ok(file) } else { Err(Failure::diagnostics(sources, problems)) }
    }

    /// Reads the document.
    fn of(node: &Node, problems: &mut Vec<Diagnostic>) -> Self {
        let mut file = Self::default();
        for (key, value) in entries(node, "the settings", problems) {
            if key.name != PROFILES {
                problems.push(unknown_at_the_top(key));
                continue;
            }
            for (name, profile) in entries(value, "`profiles`", problems) {
                file.profiles.insert(name.name.clone(), profile_of(name, profile, problems));
            }
        }
        file
    }
}

/// Reads a profile; one without a value has the defaults.
fn profile_of(name: &Key, node: &Node, problems: &mut Vec<Diagnostic>) -> Profile {
    let entries = entries(node, &format!("the profile `{}`", name.name), problems);
    let kind = type_of(entries, problems);
    let (known, common) = (kind.keys(), Common::keys());
    let mut values = Map::new();
    for (key, value) in entries {
        if !known.contains(&key.name) {
            problems.push(unknown_setting(kind, &known, key));
        } else if common.contains(&key.name) {
            // Each alone, so that a wrong one is known by its place.
            let entry = Map::from_iter([(key.name.clone(), value.to_value())]);
            if serde_json::from_value::<Common>(Value::Object(entry.clone())).is_ok() {
                let wrong = value.as_str().and_then(|text| wrong_text(&key.name, text));
                problems.extend(wrong.map(|message| Diagnostic::error(code::KEY_VALUE, value.span, message)));
                values.extend(entry);
                continue;
            }
            let is_number = matches!(key.name.as_str(), "max_partitions" | "max_tasks" | "task_limit");
            let expected = if is_number { "a whole number from 1" } else { "a text" };
            let message = format!("expected {expected} for `{}`, found {}", key.name, value.describe());
            problems.push(Diagnostic::error(code::KEY_VALUE, value.span, message));
        }
    }
    let kind = match kind {
        Type::Aws => Kind::Aws(Box::new(aws::read(entries, problems))),
        Type::Trino => {
            let (aws, written) = trino::read(name, entries, problems);
            Kind::Trino(Box::new(aws), Box::new(written))
        }
        Type::Embedded => {
            let warehouse = entries.iter().find(|(key, _)| key.name == WAREHOUSE).map(|(_, value)| value);
            let folder = warehouse.and_then(Node::as_str);
            if let Some(value) = warehouse.filter(|value| folder.is_none() && !value.is_null()) {
                let message = format!("expected a text for `{WAREHOUSE}`, found {}", value.describe());
                problems.push(Diagnostic::error(code::KEY_VALUE, value.span, message));
            }
            if let (Some(value), Some(folder)) = (warehouse, folder.filter(|folder| folder.starts_with("s3://"))) {
                let message = format!("expected a folder for `{WAREHOUSE}`, found `{folder}`");
                let problem = Diagnostic::error(code::KEY_VALUE, value.span, message);
                problems.push(problem.help("a lake on S3 is a profile of its own: `type: aws`"));
            }
            Kind::Embedded { warehouse: folder.map(PathBuf::from) }
        }
    };
    Profile { kind, common: serde_json::from_value(Value::Object(values)).unwrap_or_default() }
}

/// Says what is wrong with the text of a setting that every profile may have; none when it is right.
fn wrong_text(key: &str, text: &str) -> Option<String> {
    let error = match key {
        "memory_limit" => byte_size::parse(text).err()?.to_string(),
        "retention" | "result_retention" | "lease" => duration::parse(text).err()?.to_string(),
        _ => return None,
    };
    Some(format!("`{key}`: {error}"))
}

/// Reads the type of a profile.
fn type_of(entries: &[(Key, Node)], problems: &mut Vec<Diagnostic>) -> Type {
    let Some((_, value)) = entries.iter().find(|(key, _)| key.name == TYPE) else { return Type::Embedded };
    match value.as_str() {
        Some("aws") => Type::Aws,
        Some("embedded") => Type::Embedded,
        Some("trino") => Type::Trino,
        other => {
            let message = format!("expected `embedded`, `aws` or `trino` for `{TYPE}`, found {}", value.describe());
            let problem = Diagnostic::error(code::KEY_VALUE, value.span, message);
            problems.push(match other.and_then(|other| did_you_mean(other, ["embedded", "aws", "trino"])) {
                Some(help) => problem.help(help),
                None => problem,
            });
            // The other keys are looked at all the same: most of them tell which type is meant.
            let is_aws = entries.iter().any(|(key, _)| key.name != WAREHOUSE && aws::keys().any(|own| own == key.name));
            let is_trino = entries.iter().any(|(key, _)| trino::is_own(&key.name));
            if is_trino {
                Type::Trino
            } else if is_aws {
                Type::Aws
            } else {
                Type::Embedded
            }
        }
    }
}

/// Says that a profile has no such setting.
fn unknown_setting(kind: Type, known: &[String], key: &Key) -> Diagnostic {
    let message = format!("there is no setting `{}` in a profile", key.name);
    if let Some((_, word)) = kind.others().find(|(other, _)| other.keys().contains(&key.name)) {
        let message = format!("{message} of this type");
        let problem = Diagnostic::error(code::UNKNOWN_KEY, key.span, message);
        return problem.help(format!("it is one of a profile with `{TYPE}: {word}`"));
    }
    let problem = Diagnostic::error(code::UNKNOWN_KEY, key.span, message);
    let all: Vec<String> = known.iter().cloned().chain(kind.others().flat_map(|(other, _)| other.keys())).collect();
    let help = did_you_mean(&key.name, all.iter().map(String::as_str))
        .unwrap_or_else(|| format!("the settings are {}", listed(known)));
    problem.help(help)
}

/// Says that a key stands at the top which does not belong there.
fn unknown_at_the_top(key: &Key) -> Diagnostic {
    let message = format!("there is no key `{}` at the top of the settings", key.name);
    let problem = Diagnostic::error(code::UNKNOWN_KEY, key.span, message);
    if Type::Embedded.keys().contains(&key.name) || Type::Aws.keys().contains(&key.name) {
        return problem.help("settings stand in a profile: `profiles:`, below it `local:`, below that the setting");
    }
    match did_you_mean(&key.name, [PROFILES]) {
        Some(help) => problem.help(help),
        None => problem.help("`profiles` is the only one"),
    }
}

/// Returns the entries of a mapping; nothing is a mapping without entries.
fn entries<'n>(node: &'n Node, what: &str, problems: &mut Vec<Diagnostic>) -> &'n [(Key, Node)] {
    match &node.kind {
        NodeKind::Map(entries) => entries,
        NodeKind::Null => &[],
        _ => {
            let message = format!("expected a mapping for {what}, found {}", node.describe());
            problems.push(Diagnostic::error(code::KEY_VALUE, node.span, message));
            &[]
        }
    }
}

/// Lists names: `` `a`, `b` ``.
fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::What;

    fn problems(text: &str) -> Vec<String> {
        match File::parse(Path::new("suiro.yml"), text.to_owned()) {
            Ok(_) => Vec::new(),
            Err(Failure { what: What::Diagnostics { sources, diagnostics }, .. }) => diagnostics
                .iter()
                .map(|problem| {
                    let span = problem.primary.span;
                    let (line, column) = sources.line_column(span.source, span.start);
                    format!("{line}:{column} {} {} | {}", problem.code, problem.message, problem.help.join("; "))
                })
                .collect(),
            Err(failure) => vec![format!("{failure:?}")],
        }
    }

    #[test]
    fn a_file_that_holds_nothing_sets_nothing() {
        for text in ["", "\n", "# later\n", "profiles:\n"] {
            assert!(
                File::parse(Path::new("suiro.yml"), text.to_owned()).is_ok_and(|file| file.profiles.is_empty()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, expected) in [
            ("", vec![]),
            ("profiles:\n  local:\n", vec![]),
            (
                "profiles:\n  t:\n    type: trino\n    url: http://u:p@host\n    user: me\n    catalog: lake\n    \
                 session_properties: {a: 1, b c: d}\n    endpoints: {glu: http://h}\n",
                vec![
                    "4:10 E0208 expected for `url` an address of Trino without user and password: the user stands in `user`, the name of the variable with the password in `password_env` | ",
                    "7:25 E0208 expected for `session_properties` a session property of letters, digits and `_`, perhaps behind `CATALOG.`, found `b c` | ",
                    "8:16 E0208 expected for `endpoints` one of `s3`, `glue`, `athena`, `sts`, found the key `glu`: did you mean `glue`? | ",
                ],
            ),
            (
                "profiles:\n  local:\n    memory_limt: 2GiB\n  big: {lease: 5m, colour: red}\n",
                vec![
                    "3:5 E0201 there is no setting `memory_limt` in a profile | did you mean `memory_limit`?",
                    "4:20 E0201 there is no setting `colour` in a profile | the settings are `type`, `warehouse`, `memory_limit`, `retention`, `result_retention`, `lease`, `max_partitions`, `max_tasks`, `task_limit`",
                ],
            ),
            (
                "profile: {}\n",
                vec!["1:1 E0201 there is no key `profile` at the top of the settings | did you mean `profiles`?"],
            ),
            (
                "warehouse: data\nx: 1\n",
                vec![
                    "1:1 E0201 there is no key `warehouse` at the top of the settings | settings stand in a profile: `profiles:`, below it `local:`, below that the setting",
                    "2:1 E0201 there is no key `x` at the top of the settings | `profiles` is the only one",
                ],
            ),
            (
                "profiles:\n  local: {max_tasks: many, retention: 24}\n",
                vec![
                    "2:22 E0208 expected a whole number from 1 for `max_tasks`, found the string `many` | ",
                    "2:39 E0208 expected a text for `retention`, found the number `24` | ",
                ],
            ),
            (
                "profiles:\n  a: {type: aws, regoin: x, warehouse: s3://b/t, max_queries: 0, tags: {a: 1}}\n",
                vec![
                    "2:18 E0201 there is no setting `regoin` in a profile | did you mean `region`?",
                    "2:63 E0208 expected for `max_queries` a whole number from 1, found the number `0` | ",
                    "2:72 E0208 expected for `tags` a text, found the number `1` | ",
                ],
            ),
            (
                "profiles:\n  a: {region: x}\n  b: {type: awss, region: x, external_id: e}\n  c: {warehouse: s3://b/t}\n",
                vec![
                    "2:7 E0201 there is no setting `region` in a profile of this type | it is one of a profile with `type: aws`",
                    "3:13 E0208 expected `embedded`, `aws` or `trino` for `type`, found the string `awss` | did you mean `aws`?",
                    "3:30 E0208 `external_id` means nothing without `role_arn` | ",
                    "4:18 E0208 expected a folder for `warehouse`, found `s3://b/t` | a lake on S3 is a profile of its own: `type: aws`",
                ],
            ),
            (
                "profiles:\n  a: {type: aws, role_arn: r, roles: [{arm: x}], kms_key: k, sse: s3, catalog_id: 1, endpoint: here, acl: mine}\n",
                vec![
                    "2:38 E0208 expected for `roles` roles of `arn`, `external_id` and `session_name`, found the key `arm`: did you mean `arn`? | ",
                    "2:83 E0208 expected for `catalog_id` the twelve digits of an account, in quotes, found the number `1` | ",
                    "2:96 E0208 expected for `endpoint` an address such as `http://127.0.0.1:5055`, found the string `here` | ",
                    "2:107 E0208 expected for `acl` a canned ACL, one of `private`, `public-read`, `public-read-write`, `authenticated-read`, `aws-exec-read`, `bucket-owner-read`, `bucket-owner-full-control`, found `mine` | ",
                    "2:50 E0208 `kms_key` means nothing without `sse: kms` | ",
                ],
            ),
            (
                "profiles:\n  t: {type: trino, url: trino, catalog: lake, jwt_env: J, password_env: P, workgroup: w}\n",
                vec![
                    "2:76 E0201 there is no setting `workgroup` in a profile of this type | it is one of a profile with `type: aws`",
                    "2:25 E0208 expected for `url` an address such as `http://127.0.0.1:5055`, found the string `trino` | ",
                    "2:3 E0208 the profile `t` of Trino needs `user` | `url` is the address of the coordinator, `user` who queries run as, `catalog` the name of the catalog over this lake",
                    "2:47 E0208 `password_env` and `jwt_env` cannot both be given | ",
                ],
            ),
            ("profiles: [local]\n", vec!["1:11 E0208 expected a mapping for `profiles`, found a list | "]),
        ] {
            assert_eq!(problems(text), expected, "{text}");
        }
    }

    #[test]
    fn a_profile_on_aws_means_what_it_says() {
        use lake::aws::{Encryption, EngineKind};
        let text = "profiles:\n  aws:\n    type: aws\n    region: eu-west-1\n    role_arn: arn:aws:iam::1:role/etl\n    \
            external_id: e\n    catalog_id: '012345678901'\n    endpoint: http://127.0.0.1:1\n    endpoints: {s3: 'http://127.0.0.1:2'}\n    \
            path_style: true\n    sse: kms\n    kms_key: alias/k\n    tags: {team: data}\n    engine: embedded\n    \
            output_location: s3://b/results\n    max_scan_bytes: 10GiB\n    queue_timeout: 5m\n    usd_per_tb: 6.25\n    \
            max_tasks: 4\n";
        let file = File::parse(Path::new("suiro.yml"), text.to_owned()).unwrap();
        let profile = &file.profiles["aws"];
        assert_eq!(profile.common.max_tasks.map(NonZeroUsize::get), Some(4));
        let Kind::Aws(settings) = &profile.kind else { panic!("{profile:?}") };
        assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
        assert_eq!((settings.roles.len(), settings.roles[0].external_id.as_deref()), (1, Some("e")));
        assert_eq!(settings.catalog_id.as_deref(), Some("012345678901"));
        assert_eq!(settings.endpoints.s3.as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(settings.endpoints.all.as_deref(), Some("http://127.0.0.1:1"));
        assert!(settings.path_style);
        assert_eq!(settings.writes.encryption, Encryption::Kms { key: Some("alias/k".to_owned()) });
        assert_eq!(settings.engine, EngineKind::Embedded);
        assert_eq!(settings.athena.output_location.as_ref().unwrap().to_string(), "s3://b/results/");
        assert_eq!(settings.athena.max_scan_bytes, Some(10 << 30));
        assert_eq!(settings.athena.queue_timeout, Some(std::time::Duration::from_mins(5)));
        assert_eq!(settings.athena.micro_usd_per_tb, 6_250_000);
    }

    #[test]
    fn the_page_names_every_key_and_variable() {
        let page = include_str!("../../docs/settings.md");
        for key in Type::Embedded.keys().into_iter().chain(Type::Aws.keys()).chain(Type::Trino.keys()) {
            assert!(page.contains(&format!("| `{key}` |")), "docs/settings.md does not name `{key}`");
        }
        let variable = regex::Regex::new("\"(SUIRO_[A-Z_]+|NO_COLOR)\"").unwrap();
        for source in [include_str!("../settings.rs"), include_str!("../cli.rs")] {
            for found in variable.captures_iter(source) {
                assert!(page.contains(&format!("`{}`", &found[1])), "docs/settings.md does not name {}", &found[1]);
            }
        }
    }

    #[test]
    fn the_file_of_a_new_project_shows_every_key() {
        let text = include_str!("../command/init/suiro.yml");
        assert!(problems(text).is_empty());
        // What it shows is right when it is no comment any more.
        let mut shown = text.to_owned();
        for key in Type::Embedded.keys().into_iter().filter(|key| key != TYPE) {
            let comment = format!("    # {key}: ");
            assert_eq!(text.matches(&comment).count(), 1, "{key}");
            shown = shown.replace(&comment, &format!("    {key}: "));
        }
        assert!(problems(&shown).is_empty(), "{:?}", problems(&shown));
    }
}
