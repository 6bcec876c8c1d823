//! What whoever waits for a lake should know meanwhile.

use std::fmt::Debug;

/// Is told, in a line for people, why a call takes longer than it should: a service that cannot be reached is tried again.
///
/// Called from any thread, and waited for: be quick.
pub trait Listener: Debug + Send + Sync + 'static {
    /// Takes a line.
    fn hear(&self, line: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _line: &str) {}
}
