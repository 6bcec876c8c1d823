//! The composition root: settings → lake, registry, engine. The one place that wires the parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::operator::Registry;
use lake::crash::CrashPoints;
use lake::{Lake, LakeSettings, Place};
use operators::LakeDoor;

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
            Some(project) => project
                .canonicalize()
                .map_err(|error| Failure::usage(format!("cannot open the project `{}`: {error}", project.display())))?,
            None => find_project(file)?,
        };
        Settings::read(project, &self.global.profile, &self.environment)
    }

    /// Opens the lake of a project.
    pub(crate) async fn lake(&self, settings: &Settings) -> Result<Lake, Failure> {
        Ok(door(settings).lake().await?.clone())
    }

    /// Opens the lake of a project to look at it; none when the project has none yet. None is made.
    ///
    /// # Errors
    /// Of the command line, when there is no project: nothing that was ever run, and no settings.
    pub(crate) async fn existing_lake(&self, settings: &Settings) -> Result<Option<Lake>, Failure> {
        if has_lake(settings) {
            return self.lake(settings).await.map(Some);
        }
        if is_marked(&settings.project) {
            return Ok(None);
        }
        let here = settings.project.display();
        let message = format!("there is no project at `{here}`: neither `suiro.yml` nor `.suiro/` is there or above");
        Err(Failure::usage(message)
            .help("say `--project DIR` with the folder of your workflows, or run one first: `suiro run FILE`")
            .help("`suiro init` makes a new project"))
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
pub(crate) fn door(settings: &Settings) -> LakeDoor {
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
    if let Some(hook) = settings.crash_points.hook() {
        lake.crash_points = CrashPoints::new(Arc::new(hook));
    }
    LakeDoor::new(lake)
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
    let real = file
        .canonicalize()
        .map_err(|error| Failure::usage(format!("cannot read the workflow `{}`: {error}", file.display())))?;
    real.strip_prefix(&settings.project).map(Path::to_owned).map_err(|_| {
        Failure::usage(format!("`{}` is outside of the project `{}`", file.display(), settings.project.display()))
            .help("say `--project DIR` with the folder that holds the workflow")
    })
}
