//! Crash points: named places before and after every durable effect of the lake, where a test may stop the process.
//!
//! A value that is passed in with the settings; without a hook a point costs one branch.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// What a crash point calls: told the name of the point, it may end the process, or return `false` to make the effect's
/// caller fail there as if the process had stopped.
pub type CrashHook = dyn Fn(&str) -> bool + Send + Sync;

/// The hook of a lake's crash points.
#[derive(Clone, Default)]
pub struct CrashPoints {
    hook: Option<Arc<CrashHook>>,
}

impl CrashPoints {
    /// Calls `hook` at every point.
    pub fn new(hook: Arc<CrashHook>) -> Self {
        Self { hook: Some(hook) }
    }

    /// Passes the point `name`: `before …` or `after …` an effect.
    ///
    /// # Errors
    /// `Canceled` when the hook stops here.
    pub fn pass(&self, name: &str) -> Result<()> {
        match &self.hook {
            Some(hook) if !hook(name) => {
                Err(Error::new(ErrorKind::Canceled, "pass a crash point", format!("stopped at crash point `{name}`")))
            }
            _ => Ok(()),
        }
    }

    /// Runs a durable effect between the points `before NAME` and `after NAME`.
    ///
    /// # Errors
    /// The effect's, and [`CrashPoints::pass`]'s.
    pub async fn around<T>(&self, name: &str, effect: impl Future<Output = Result<T>>) -> Result<T> {
        if self.hook.is_none() {
            return effect.await;
        }
        self.pass(&format!("before {name}"))?;
        let value = effect.await?;
        self.pass(&format!("after {name}"))?;
        Ok(value)
    }

    /// As [`CrashPoints::around`], for an effect that is done when it returns.
    ///
    /// # Errors
    /// The effect's, and [`CrashPoints::pass`]'s.
    pub fn around_now<T>(&self, name: &str, effect: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.hook.is_none() {
            return effect();
        }
        self.pass(&format!("before {name}"))?;
        let value = effect()?;
        self.pass(&format!("after {name}"))?;
        Ok(value)
    }
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashPoints").field("hooked", &self.hook.is_some()).finish()
    }
}
