//! YAML documents with places: text → [`Node`], all problems at once.
//!
//! The loader reads [YAML 1.2](https://yaml.org/spec/1.2.2/) as events of `saphyr-parser` and gives scalars the meaning that
//! Digdag gives them ([`scalar`]). It splices `!include` ([`mod@include`]), expands anchors and `<<`, and refuses what YAML or
//! Digdag would let pass in silence: duplicate keys, unknown tags, a second document. What the keys mean is no matter of
//! this module: see [`crate::workflow`].

pub mod files;
pub mod include;
mod mapping;
pub mod node;
mod noted;
mod parse;
pub mod scalar;
pub mod source;
mod syntax;
pub mod value;

pub use files::{Directory, NoFiles, ProjectFiles, ProjectPath, ReadError};
pub use node::{Key, Node, NodeKind};
pub use noted::FileHashes;
pub(crate) use noted::NotedFiles;
pub use source::{SourceId, SourceMap, Span};

use crate::diagnostic::{Diagnostic, code};

/// How deep mappings and lists may be nested, includes and aliases counted: deeper trees are refused before they can
/// overflow a stack. Real workflows stay under 20.
pub const MAX_DEPTH: usize = 100;

/// How many bytes of memory the aliases of a document may expand to: a YAML bomb is refused long before it hurts.
pub const MAX_EXPANSION: usize = 16 << 20;

/// How long one file may be, in bytes.
pub const MAX_FILE_BYTES: usize = 8 << 20;

/// How many `!include` one document may hold, the ones in included files counted.
pub const MAX_INCLUDES: usize = 1_000;

/// Loads a document of a project with everything it includes.
///
/// The tree is there unless something is missing from it: then later checks would complain about the consequences.
/// Every file that was read is in `sources` afterwards, also when it was wrong.
pub fn load(sources: &mut SourceMap, files: &dyn ProjectFiles, path: &ProjectPath) -> (Option<Node>, Vec<Diagnostic>) {
    match files.read(path) {
        Ok(text) => {
            let id = sources.add_file(files.display_name(path), path.as_str(), text);
            parse::Loader::new(sources, files).document(id)
        }
        Err(error) => {
            let id = sources.add_file(files.display_name(path), path.as_str(), "");
            let message = format!("cannot read the file: {error}");
            (None, vec![Diagnostic::error(code::UNREADABLE_FILE, Span::new(id, 0, 0), message)])
        }
    }
}

/// Parses a text that stands alone: an `!include` in it is an error.
pub fn parse(sources: &mut SourceMap, id: SourceId) -> (Option<Node>, Vec<Diagnostic>) {
    parse::Loader::new(sources, &NoFiles).document(id)
}

#[cfg(test)]
mod tests;
