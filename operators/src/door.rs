//! The way to the lake: opened by the first task that needs it, so that `check` makes nothing and `echo>` waits for nothing.
//!
//! A task on AWS may act in another role, region or catalog: then it has a lake of its own, opened once for all tasks with the
//! same access, with clients and a ledger of versions of its own. What one role wrote is no other's to collect.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use engine::operator::TaskError;
use lake::aws::AssumedRole;
use lake::publish::version::request_hash;
use lake::storage::Storage;
use lake::{Lake, LakeSettings, Place};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::error::task_error;

/// A lake that is opened when it is first used.
#[derive(Debug)]
pub struct LakeDoor {
    settings: LakeSettings,
    purpose: Purpose,
    lake: OnceCell<Lake>,
    /// The lakes of tasks that act otherwise than the profile.
    others: Mutex<HashMap<Access, Arc<OnceCell<Lake>>>>,
}

/// What a lake is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To change it; it is made when it is not there.
    Work,
    /// To look at it, also where nothing can be written; see [`Lake::open_to_look`].
    Look,
}

/// In whose name a task acts, where it is not the profile's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Access {
    /// The role, assumed by who the profile acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// The account whose Glue catalog is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) catalog_id: Option<String>,
}

/// A role of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) arn: String,
    /// What its trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) external_id: Option<String>,
    /// How its session is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session_name: Option<String>,
}

impl LakeDoor {
    /// Makes a door to work; nothing is opened.
    pub fn new(settings: LakeSettings) -> Self {
        Self::with_purpose(settings, Purpose::Work)
    }

    /// Makes a door; nothing is opened.
    pub fn with_purpose(settings: LakeSettings, purpose: Purpose) -> Self {
        Self { settings, purpose, lake: OnceCell::new(), others: Mutex::default() }
    }

    /// Returns the lake, opening it the first time.
    ///
    /// # Errors
    /// As [`Lake::open`]; the next call tries again.
    pub async fn lake(&self) -> lake::Result<&Lake> {
        self.lake.get_or_try_init(|| self.opening(self.settings.clone())).await
    }

    async fn opening(&self, settings: LakeSettings) -> lake::Result<Lake> {
        match self.purpose {
            Purpose::Work => Box::pin(Lake::open(settings)).await,
            Purpose::Look => Box::pin(Lake::open_to_look(settings)).await,
        }
    }

    /// Looks whether a lake that is not there could be made, as far as can be seen: nothing is.
    ///
    /// # Errors
    /// Of the settings, when something else stands in the place of the warehouse.
    pub(crate) fn can_be_made(&self) -> Result<(), TaskError> {
        match &self.settings.place {
            Place::Folder { warehouse } => Storage::can_be_made(warehouse).map_err(task_error),
            Place::Aws(_) => Ok(()),
        }
    }

    /// Opens the objects in the folder of a warehouse that no lake was made in yet, to read them; none where there are none.
    pub(crate) fn storage_before_lake(&self) -> lake::Result<Option<Storage>> {
        match &self.settings.place {
            Place::Folder { warehouse } => Storage::open_if_there(warehouse),
            Place::Aws(_) => Ok(None),
        }
    }

    /// Tells whether queries run in this process; see [`LakeSettings::queries_here`].
    pub(crate) fn queries_here(&self) -> bool {
        self.settings.queries_here()
    }

    /// Returns the lake when it was opened.
    pub fn opened(&self) -> Option<&Lake> {
        self.lake.get()
    }

    /// Removes the temporary files of processes that are gone, when the lake was not opened, which does that too.
    pub fn remove_left_over(&self) {
        if self.opened().is_none() {
            Lake::remove_left_over(&self.settings);
        }
    }

    /// Returns the lake for a task.
    pub(crate) async fn open(&self) -> Result<&Lake, TaskError> {
        self.lake().await.map_err(task_error)
    }

    /// Returns the lake for a task that acts in a name of its own.
    pub(crate) async fn open_as(&self, access: &Access) -> Result<Lake, TaskError> {
        let Some((access, settings)) = self.settings_of(access) else { return self.open().await.cloned() };
        let cell = {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(others.entry(access).or_default())
        };
        let lake = cell.get_or_try_init(|| self.opening(settings)).await.map_err(task_error)?;
        Ok(lake.clone())
    }

    /// Returns the lake for a task that acts in a name of its own, when it was opened.
    pub(crate) fn opened_as(&self, access: &Access) -> Option<Lake> {
        let Some((access, _)) = self.settings_of(access) else { return self.opened().cloned() };
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.get(&access)?.get().cloned()
    }

    /// Returns what a lake of another access is opened with; none when it is the profile's own.
    fn settings_of(&self, access: &Access) -> Option<(Access, LakeSettings)> {
        let Place::Aws(aws) = &self.settings.place else { return None };
        let mut access = access.clone();
        access.region = access.region.filter(|region| Some(region) != aws.region.as_ref());
        access.catalog_id = access.catalog_id.filter(|id| Some(id) != aws.catalog_id.as_ref());
        if access == Access::default() {
            return None;
        }
        let mut aws = (**aws).clone();
        aws.roles.extend(access.role.clone().map(|role| AssumedRole {
            arn: role.arn,
            external_id: role.external_id,
            session_name: role.session_name,
        }));
        aws.region = access.region.clone().or(aws.region);
        if let Some(id) = &access.catalog_id {
            // What the profile calls the catalog in Athena is another one.
            aws.athena.data_catalog = None;
            aws.catalog_id = Some(id.clone());
        }
        let state_dir = self.settings.state_dir.join(access.folder());
        Some((access, LakeSettings { state_dir, place: Place::Aws(Box::new(aws)), ..self.settings.clone() }))
    }
}

impl Access {
    /// Names the folder of its ledger below the state of the profile. How a session is called is no other access.
    fn folder(&self) -> PathBuf {
        let role = self.role.as_ref().map(|role| role.arn.clone());
        let parts = [role, self.region.clone(), self.catalog_id.clone()].map(Option::unwrap_or_default);
        PathBuf::from(format!("as-{}", request_hash(&parts)))
    }
}

#[cfg(test)]
mod tests {
    use lake::aws::AwsSettings;

    use super::*;

    fn door() -> LakeDoor {
        let aws = AwsSettings {
            region: Some("eu-west-1".to_owned()),
            catalog_id: Some("111111111111".to_owned()),
            roles: vec![AssumedRole {
                arn: "arn:aws:iam::111111111111:role/base".to_owned(),
                ..AssumedRole::default()
            }],
            ..AwsSettings::default()
        };
        LakeDoor::new(LakeSettings::aws("state", aws))
    }

    fn role(session_name: Option<&str>) -> Role {
        Role {
            arn: "arn:aws:iam::222222222222:role/etl".to_owned(),
            external_id: Some("x".to_owned()),
            session_name: session_name.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_as_the_profile_says_is_no_other_access() {
        let (region, catalog_id) = (Some("eu-west-1".to_owned()), Some("111111111111".to_owned()));
        let own = Access { role: None, region, catalog_id };
        assert!(door().settings_of(&own).is_none());
        let embedded = LakeDoor::new(LakeSettings::new("state", "warehouse"));
        assert!(embedded.settings_of(&Access { role: Some(role(None)), ..Access::default() }).is_none());
    }

    #[test]
    fn a_role_is_the_last_of_the_chain_and_has_a_ledger_of_its_own() {
        let access = Access { role: Some(role(None)), ..Access::default() };
        let (_, settings) = door().settings_of(&access).unwrap();
        let Place::Aws(aws) = &settings.place else { panic!("{settings:?}") };
        let chain: Vec<&str> = aws.roles.iter().map(|role| role.arn.as_str()).collect();
        assert_eq!(chain, ["arn:aws:iam::111111111111:role/base", "arn:aws:iam::222222222222:role/etl"]);
        assert_eq!(aws.roles[1].external_id.as_deref(), Some("x"));
        assert_eq!(aws.catalog_id.as_deref(), Some("111111111111"));
        let folder = |access: &Access| door().settings_of(access).unwrap().1.state_dir;
        assert!(settings.state_dir.to_string_lossy().starts_with("state/as-"));
        assert_eq!(folder(&Access { role: Some(role(Some("other"))), ..Access::default() }), settings.state_dir);
        let elsewhere = Access { catalog_id: Some("333333333333".to_owned()), ..access };
        assert_ne!(folder(&elsewhere), settings.state_dir);
    }
}
