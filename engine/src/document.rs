//! YAML documents with places: `parse(text) -> (Option<Node>, Vec<Diagnostic>)`, all problems at once.

pub mod include;
pub mod node;
pub mod source;

pub use node::{Node, NodeKind};
pub use source::{SourceId, SourceMap, Span};
