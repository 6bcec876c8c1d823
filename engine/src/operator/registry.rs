//! Name → operator; a value that is passed in, filled by one explicit list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Operator, TypedOperator, typed::Typed};

/// The operators that a workflow may use.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    operators: BTreeMap<&'static str, Arc<dyn Operator>>,
}

impl Registry {
    /// Adds an operator under its name.
    ///
    /// # Panics
    /// When the name is taken: the list is written wrongly.
    pub fn register<T: TypedOperator>(&mut self, operator: T) {
        let replaced = self.operators.insert(T::NAME, Arc::new(Typed::new(operator)));
        assert!(replaced.is_none(), "two operators are called `{}>`", T::NAME);
    }

    /// Returns an operator.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Operator>> {
        self.operators.get(name)
    }

    /// Returns all names in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.operators.keys().copied()
    }

    /// Returns all operators in the order of their names.
    pub fn operators(&self) -> impl Iterator<Item = &Arc<dyn Operator>> {
        self.operators.values()
    }
}
