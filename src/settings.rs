//! The settings: `suiro.yml` at the project's root, the environment over it, defaults below it.
//!
//! Secrets never stand here.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use emulator::SecretKey;
use engine::diagnostic::code;
use engine::diagnostic::suggest::did_you_mean;
use engine::params::{byte_size, duration};
use engine::run::crash::CrashPoints;
use lake::Place;
use lake::aws::{AthenaSettings, EngineKind};

use self::file::{File, Kind, Profile};
pub(crate) use self::secrets::EnvironmentSecrets;
use crate::failure::Failure;

mod aws;
mod file;
mod secrets;
mod trino;

/// The name of the file.
pub(crate) const FILE: &str = "suiro.yml";

/// The folder of the state below the project.
pub(crate) const STATE_DIR: &str = ".suiro";

/// The folders below the state's that are no profile's.
const NOT_PROFILES: [&str; 4] = ["emulate", "logs", "tmp", "warehouse"];

/// The profile that is there without being written.
const DEFAULT_PROFILE: &str = "local";

/// A run says that it lives three times in a lease: a shorter one would leave no time between.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// The settings of one command.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The project's folder, absolute.
    pub(crate) project: PathBuf,
    /// The profile's name; none for the one that is there without being written.
    pub(crate) profile: Option<String>,
    /// The folder of the state.
    pub(crate) state_dir: PathBuf,
    /// Where the data and the catalog are.
    pub(crate) place: Place,
    /// The memory that queries and loads may hold, in bytes; the lake's default unless given.
    pub(crate) memory_limit: Option<usize>,
    /// How long a replaced version is kept; the lake's default unless given.
    pub(crate) retention: Option<Duration>,
    /// How long the kept result of a query is there; the lake's default unless given.
    pub(crate) result_retention: Option<Duration>,
    /// How long a session stays with a run that does not say that it lives; the engine's default unless given.
    pub(crate) lease: Option<Duration>,
    /// The most tasks that run at once.
    pub(crate) max_tasks: Option<usize>,
    /// The most partitions that one query writes.
    pub(crate) max_partitions: Option<usize>,
    /// The most tasks an attempt may have.
    pub(crate) task_limit: Option<usize>,
    /// Where a crash test stops the process.
    pub(crate) crash_points: CrashPoints,
}

/// What the environment says; read once, in `main`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `SUIRO_WAREHOUSE`.
    pub(crate) warehouse: Option<PathBuf>,
    /// `SUIRO_MEMORY_LIMIT`.
    pub(crate) memory_limit: Option<String>,
    /// `SUIRO_RETENTION`.
    pub(crate) retention: Option<String>,
    /// `SUIRO_RESULT_RETENTION`.
    pub(crate) result_retention: Option<String>,
    /// `SUIRO_LEASE`.
    pub(crate) lease: Option<String>,
    /// `SUIRO_CRASH_AT`: `NAME:before` or `NAME:after`, perhaps with `:N`, perhaps after `interrupt ` or `pause `, perhaps
    /// several with ` then ` between them; for crash tests.
    pub(crate) crash_at: Option<String>,
    /// `SUIRO_EMULATE_SECRET_KEY`: the secret of `suiro emulate --access-key`.
    pub(crate) emulate_secret_key: Option<SecretKey>,
    /// `SUIRO_SECRET_…`: what `${secret:…}` stands for.
    pub(crate) secrets: EnvironmentSecrets,
    /// `SUIRO_LOG`: the filter of what the libraries report.
    pub(crate) log: Option<String>,
    /// `NO_COLOR` is set.
    pub(crate) no_color: bool,
}

impl Environment {
    /// Reads the process's environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(crate) fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            warehouse: text("SUIRO_WAREHOUSE").map(PathBuf::from),
            memory_limit: text("SUIRO_MEMORY_LIMIT"),
            retention: text("SUIRO_RETENTION"),
            result_retention: text("SUIRO_RESULT_RETENTION"),
            lease: text("SUIRO_LEASE"),
            crash_at: text("SUIRO_CRASH_AT"),
            emulate_secret_key: text("SUIRO_EMULATE_SECRET_KEY").map(SecretKey::new),
            secrets: EnvironmentSecrets::read(),
            log: text("SUIRO_LOG"),
            no_color: text("NO_COLOR").is_some(),
        }
    }

    /// Reads a variable that the settings name: a secret never stands in the file.
    #[expect(clippy::disallowed_methods, reason = "beside `read`, the one place that reads the environment")]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// Finds the project of a file: the nearest folder at or above the file's with a `suiro.yml` or `.suiro/`, else the file's.
pub(crate) fn find_project(file: Option<&Path>) -> Result<PathBuf, Failure> {
    let start = match file {
        Some(file) if file.is_dir() => file.to_owned(),
        Some(file) => file.parent().map_or_else(PathBuf::new, Path::to_owned),
        None => PathBuf::new(),
    };
    let start = if start.as_os_str().is_empty() { PathBuf::from(".") } else { start };
    let start = start.canonicalize().map_err(|error| {
        Failure::of_code(code::UNREADABLE_FILE, format!("cannot open the folder `{}`: {error}", start.display()))
    })?;
    Ok(start.ancestors().find(|folder| is_marked(folder)).map_or_else(|| start.clone(), Path::to_owned))
}

/// Tells whether a folder is a project for sure: it has settings, or something was run in it.
pub(crate) fn is_marked(folder: &Path) -> bool {
    folder.join(FILE).is_file() || folder.join(STATE_DIR).is_dir()
}

impl Settings {
    /// Reads the settings of a profile.
    ///
    /// # Errors
    /// When the file is wrong (all problems at once), or there is no such profile.
    pub(crate) fn read(project: PathBuf, profile_name: &str, environment: &Environment) -> Result<Self, Failure> {
        let path = project.join(FILE);
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => File::parse(&path, text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => {
                return Err(Failure::of_code(code::SETTING, format!("cannot read `{}`: {error}", path.display())));
            }
        };
        let profile = match file.profiles.get(profile_name) {
            Some(profile) => profile.clone(),
            None if profile_name == DEFAULT_PROFILE => Profile::default(),
            None => return Err(no_profile(&path, profile_name, &file)),
        };
        let Profile { kind, common: profile } = profile;
        let (state_dir, place) = match kind {
            Kind::Embedded { warehouse } => {
                let state_dir = project.join(STATE_DIR);
                let warehouse = environment
                    .warehouse
                    .clone()
                    .or_else(|| warehouse.map(|folder| project.join(folder)))
                    .unwrap_or_else(|| state_dir.join("warehouse"));
                (state_dir, Place::Folder { warehouse })
            }
            Kind::Aws(aws) => (state_dir_of(&project, profile_name)?, Place::Aws(aws)),
            Kind::Trino(aws, written) => {
                let aws = written.settings(*aws, &project, Environment::variable)?;
                (state_dir_of(&project, profile_name)?, Place::Aws(Box::new(aws)))
            }
        };
        // What stands in the file was looked at with it; a variable of the environment wins.
        let given = |name: &'static str, first: &Option<String>, second: &Option<String>| match (first, second) {
            (Some(text), _) => Some((format!("SUIRO_{}", name.to_uppercase()), text.clone())),
            (None, Some(text)) => Some((name.to_owned(), text.clone())),
            (None, None) => None,
        };
        let wrong = |name: &str, error: String| Failure::of_code(code::SETTING, format!("`{name}`: {error}"));
        let memory_limit = given("memory_limit", &environment.memory_limit, &profile.memory_limit)
            .map(|(name, text)| {
                let bytes = byte_size::parse(&text).map_err(|error| wrong(&name, error.to_string()))?;
                Ok::<_, Failure>(usize::try_from(bytes).unwrap_or(usize::MAX))
            })
            .transpose()?;
        let span = |name: &'static str, first: &Option<String>, second: &Option<String>| {
            given(name, first, second)
                .map(|(name, text)| duration::parse(&text).map_err(|error| wrong(&name, error.to_string())))
                .transpose()
        };
        let retention = span("retention", &environment.retention, &profile.retention)?;
        let result_retention = span("result_retention", &environment.result_retention, &profile.result_retention)?;
        let lease = span("lease", &environment.lease, &profile.lease)?;
        if let Some(lease) = lease.filter(|lease| *lease < SHORTEST_LEASE) {
            return Err(Failure::of_code(
                code::SETTING,
                format!("`lease`: expected 1s or longer, found {}s", lease.as_secs()),
            ));
        }
        let crash_points = match &environment.crash_at {
            Some(plan) => CrashPoints::parse(plan)
                .map_err(|error| Failure::of_code(code::SETTING, format!("`SUIRO_CRASH_AT`: {error}")))?,
            None => CrashPoints::off(),
        };
        Ok(Self {
            profile: (profile_name != DEFAULT_PROFILE).then(|| profile_name.to_owned()),
            state_dir,
            place,
            memory_limit,
            retention,
            result_retention,
            lease,
            max_partitions: profile.max_partitions.map(NonZeroUsize::get),
            max_tasks: profile.max_tasks.map(NonZeroUsize::get),
            task_limit: profile.task_limit.map(NonZeroUsize::get),
            crash_points,
            project,
        })
    }
}

impl Settings {
    /// Returns what a query costs at most that reads at most so many bytes, in millionths of a US dollar; 0 where queries are free.
    pub(crate) fn cost_micro_usd(&self, bytes: u64) -> u64 {
        match &self.place {
            Place::Aws(aws) if aws.engine == EngineKind::Athena => {
                aws.athena.cost_micro_usd(AthenaSettings::billed_bytes(bytes))
            }
            Place::Aws(_) | Place::Folder { .. } => 0,
        }
    }
}

/// Returns the folder of the state of a profile whose lake is not in the project: of its own, so that a session may run on each
/// profile, and the ledger of versions is of one lake.
fn state_dir_of(project: &Path, profile_name: &str) -> Result<PathBuf, Failure> {
    let is_plain = profile_name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'));
    if !is_plain || NOT_PROFILES.contains(&profile_name) {
        return Err(Failure::of_code(code::SETTING, format!(
            "the profile `{profile_name}` cannot have that name: its state is in a folder of the name below `{STATE_DIR}/`"
        ))
        .help("use letters, digits, `_` and `-`, and none of the names that are taken there"));
    }
    Ok(project.join(STATE_DIR).join(profile_name))
}

/// Says that there is no such profile, and which there are.
fn no_profile(path: &Path, name: &str, file: &File) -> Failure {
    let others = file.profiles.keys().map(String::as_str).filter(|other| *other != DEFAULT_PROFILE);
    let known: Vec<&str> = std::iter::once(DEFAULT_PROFILE).chain(others).collect();
    let message = if path.is_file() {
        format!("there is no profile `{name}` in `{}`; there are: {}", path.display(), known.join(", "))
    } else {
        format!(
            "there is no profile `{name}`: there is no `{}`, and without it `{DEFAULT_PROFILE}` is the only one",
            path.display()
        )
    };
    let failure = Failure::of_code(code::SETTING, message);
    match did_you_mean(name, known) {
        Some(help) => failure.help(help),
        None => failure,
    }
}
