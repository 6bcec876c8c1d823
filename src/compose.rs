//! The composition root: settings → lake, registry, engine. The one place that wires the parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::diagnostic::{code, suggest};
use engine::operator::Registry;
use engine::run::{EngineError, Obstacle};
use lake::crash::CrashPoints;
use lake::notice::Listener;
use lake::{Lake, LakeSettings, Place};
use operators::{LakeDoor, Purpose};

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::{Environment, Settings, find_project, is_marked};

/// What a command starts from.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// What every command takes.
    pub(crate) global: Global,
    /// The environment.
    pub(crate) environment: Environment,
    /// Where and how to print.
    pub(crate) output: Output,
}

impl Base {
    /// Reads the settings of the project of a file (or of the current folder).
    pub(crate) fn settings(&self, file: Option<&Path>) -> Result<Settings, Failure> {
        let project = match &self.global.project {
            Some(project) => project.canonicalize().map_err(|error| {
                Failure::of_code(code::NO_PROJECT, format!("cannot open the project `{}`: {error}", project.display()))
            })?,
            None => find_project(file)?,
        };
        Settings::read(project, &self.global.profile, &self.environment)
    }

    /// Says on stderr why the lake keeps a command waiting.
    pub(crate) fn listener(&self) -> Arc<dyn Listener> {
        Arc::new(self.output)
    }

    /// Opens the lake of a project.
    pub(crate) async fn lake(&self, settings: &Settings) -> Result<Lake, Failure> {
        state_is_a_folder(settings)?;
        Ok(door(settings, self.listener()).lake().await?.clone())
    }

    /// Opens the lake of a project to serve it: its buckets are those that were made.
    pub(crate) async fn served_lake(&self, settings: &Settings) -> Result<Lake, Failure> {
        state_is_a_folder(settings)?;
        let bucket_names = Some(emulator::bucket_names(&settings.state_dir));
        let settings = LakeSettings { bucket_names, listener: self.listener(), ..lake_settings(settings) };
        Ok(LakeDoor::with_purpose(settings, Purpose::Work).lake().await?.clone())
    }

    /// Opens the lake of a project; none when the project has none yet. None is made.
    ///
    /// # Errors
    /// Of the command line, when there is no project: nothing that was ever run, and no settings.
    pub(crate) async fn existing_lake(&self, settings: &Settings, purpose: Purpose) -> Result<Option<Lake>, Failure> {
        if has_lake(settings) {
            return Ok(Some(door_to(settings, purpose, self.listener()).lake().await?.clone()));
        }
        state_is_a_folder(settings)?;
        if is_marked(&settings.project) {
            return Ok(None);
        }
        Err(no_project(settings))
    }
}

/// Says that there is no project: nothing that was ever run, and no settings.
pub(crate) fn no_project(settings: &Settings) -> Failure {
    let here = settings.project.display();
    let message = format!("there is no project at `{here}`: neither `suiro.yml` nor `.suiro/` is there");
    Failure::of_code(code::NO_PROJECT, message)
        .help("say `--project DIR` with the folder of the project itself, or run a workflow first: `suiro run FILE`")
        .help("`suiro init` makes a new project")
}

/// Refuses to go on where something else stands in the place of the state's folder: what is in it then cannot be known, and it
/// would look as if nothing was ever run.
pub(crate) fn state_is_a_folder(settings: &Settings) -> Result<(), Failure> {
    let path = &settings.state_dir;
    match Obstacle::to(path) {
        Some(by) => Err(EngineError::StateDirTaken { path: path.clone(), by }.into()),
        None => Ok(()),
    }
}

/// Tells whether a profile has a lake to look at. Opening one in a folder makes it; one on AWS is there.
pub(crate) fn has_lake(settings: &Settings) -> bool {
    match settings.place {
        Place::Folder { .. } => was_opened(settings),
        Place::Aws(_) => true,
    }
}

/// Tells whether the lake of a profile was ever opened from here: its ledger of versions is in the folder of the state.
pub(crate) fn was_opened(settings: &Settings) -> bool {
    settings.state_dir.join(CATALOG).is_file()
}

/// The file of the lake's catalog below the state's folder.
const CATALOG: &str = "catalog.sqlite";

/// Makes the door to a project's lake; nothing is opened.
pub(crate) fn door(settings: &Settings, listener: Arc<dyn Listener>) -> LakeDoor {
    door_to(settings, Purpose::Work, listener)
}

/// Makes the door to a project's lake for a purpose; nothing is opened.
pub(crate) fn door_to(settings: &Settings, purpose: Purpose, listener: Arc<dyn Listener>) -> LakeDoor {
    LakeDoor::with_purpose(LakeSettings { listener, ..lake_settings(settings) }, purpose)
}

/// Returns what the lake of a project is opened with.
pub(crate) fn lake_settings(settings: &Settings) -> LakeSettings {
    let state_dir = settings.state_dir.clone();
    let mut lake = match &settings.place {
        Place::Folder { warehouse } => LakeSettings::new(state_dir, warehouse.clone()),
        Place::Aws(aws) => LakeSettings::aws(state_dir, (**aws).clone()),
    };
    if let Some(memory_limit) = settings.memory_limit {
        lake.memory_limit = memory_limit;
    }
    if let Some(retention) = settings.retention {
        lake.retention = retention;
    }
    if let Some(retention) = settings.result_retention {
        lake.result_retention = retention;
    }
    if let Some(max_partitions) = settings.max_partitions {
        lake.max_partitions = max_partitions;
    }
    if let Some(hook) = settings.crash_points.hook() {
        lake.crash_points = CrashPoints::new(Arc::new(hook));
    }
    lake
}

impl Listener for Output {
    fn hear(&self, line: &str) {
        self.note(line);
    }
}

/// Makes the registry of all operators over a lake.
pub(crate) fn registry(door: &Arc<LakeDoor>) -> Registry {
    let mut registry = Registry::default();
    engine::operator::builtin::register_builtin(&mut registry);
    operators::register_all(&mut registry, door);
    registry
}

/// Returns the path of a workflow inside its project.
pub(crate) fn in_project(settings: &Settings, file: &Path) -> Result<PathBuf, Failure> {
    let real = file.canonicalize().map_err(|error| unreadable_workflow(file, &error))?;
    real.strip_prefix(&settings.project).map(Path::to_owned).map_err(|_| {
        let (file, project) = (file.display(), settings.project.display());
        Failure::of_code(code::OUTSIDE_PROJECT, format!("`{file}` is outside of the project `{project}`"))
            .help("say `--project DIR` with the folder that holds the workflow")
    })
}

/// Says that a workflow's file is not there, and which one may be meant.
fn unreadable_workflow(file: &Path, error: &std::io::Error) -> Failure {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Failure::of_code(
            code::UNREADABLE_FILE,
            format!("cannot read the workflow `{}`: {error}", file.display()),
        );
    }
    let failure = Failure::of_code(code::UNREADABLE_FILE, format!("there is no workflow `{}`", file.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| [".dig", ".yml", ".yaml"].iter().any(|ending| name.ends_with(ending)))
        .collect();
    let wanted = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // Digdag takes the name alone.
    let with_ending = beside.iter().find(|name| name.rsplit_once('.').is_some_and(|(stem, _)| stem == wanted));
    match with_ending.map(String::as_str).or_else(|| suggest::nearest(wanted, beside.iter().map(String::as_str))) {
        Some(name) => failure.help(format!("did you mean `{}`?", file.with_file_name(name).display())),
        None => failure.help("the path starts at the current folder"),
    }
}
