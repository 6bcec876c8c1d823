//! `!include`: splices another file, with cycles and escapes from the project refused, spans kept across files.
//!
//! As a key, `!include : 'part.yml'` splices the mapping of the file at that place, at any level, as often as one likes.
//! As a value, `key: !include part.yml` takes the file's whole content, whatever it is.
//! The path starts at the directory of the file that includes. It is not a template: includes are resolved before anything
//! is evaluated.
//!
//! DIFFERENCE(digdag): the value form is an obscure error there; `..` is refused even inside the project; a cycle never ends.

use super::files::{ProjectPath, ReadError};
use super::node::Node;
use super::parse::{Loader, Stop};
use super::source::{SourceId, Span};
use super::{MAX_INCLUDES, syntax};
use crate::diagnostic::{Diagnostic, code};

/// A file that is being read, and the `!include` that asked for it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) path: ProjectPath,
    pub(super) included_at: Option<Span>,
}

impl Loader<'_> {
    /// Reads an included file. `None` when that failed: the diagnostic is there and the tree is incomplete.
    ///
    /// # Errors
    /// When nothing more should be read.
    pub(super) fn include(&mut self, path: &str, span: Span, depth: usize) -> Result<Option<Node>, Stop> {
        if depth > super::MAX_DEPTH {
            return Err(self.stop(syntax::too_deep(span)));
        }
        self.includes += 1;
        if self.includes > MAX_INCLUDES {
            let message = format!("the document includes more than {MAX_INCLUDES} files");
            return Err(self.stop(Diagnostic::error(code::TOO_LARGE, span, message)));
        }
        let Some(id) = self.open(path, span)? else {
            self.incomplete = true;
            return Ok(None);
        };
        let node = self.file(id, depth);
        self.open.pop();
        match node {
            Ok(Some(node)) => Ok(Some(node)),
            Ok(None) => {
                self.incomplete = true;
                let message = format!("the included file `{path}` is empty");
                self.diagnostics.push(Diagnostic::error(code::INCLUDE_SHAPE, span, message));
                Ok(None)
            }
            // A syntax error ends the reading of that file only.
            Err(Stop::File) => Ok(None),
            Err(Stop::All) => Err(Stop::All),
        }
    }

    /// Finds and reads the file, and puts it on the stack of open ones.
    fn open(&mut self, path: &str, span: Span) -> Result<Option<SourceId>, Stop> {
        if path.contains("${") {
            let message = format!("the path `{path}` of an include holds a template");
            let diagnostic = Diagnostic::error(code::INCLUDE_PATH, span, message);
            self.diagnostics
                .push(diagnostic.help("includes are resolved before anything is evaluated: write the path out"));
            return Ok(None);
        }
        let directory = self.open.last().map(|file| file.path.directory());
        let joined = directory.map_or_else(|| ProjectPath::new(path), |directory| directory.join(path));
        let Ok(target) = joined else {
            self.diagnostics.push(outside(path, span));
            return Ok(None);
        };
        if let Some(first) = self.open.iter().position(|file| file.path == target) {
            self.diagnostics.push(self.cycle(first, &target, span));
            return Ok(None);
        }
        let id = match self.read(&target) {
            Ok(id) => id,
            Err(ReadError::OutsideProject) => {
                self.diagnostics.push(outside(path, span));
                return Ok(None);
            }
            Err(error) => {
                let name = self.files.display_name(&target);
                let message = format!("cannot read the included file `{name}`: {error}");
                let mut diagnostic = Diagnostic::error(code::INCLUDE_UNREADABLE, span, message);
                if matches!(error, ReadError::NotFound) {
                    diagnostic = diagnostic.help("the path starts at the directory of the file that includes");
                }
                self.diagnostics.push(diagnostic);
                return Ok(None);
            }
        };
        self.charge(self.sources.get(id).text.len(), span)?;
        self.open.push(Open { path: target, included_at: Some(span) });
        Ok(Some(id))
    }

    fn cycle(&self, first: usize, target: &ProjectPath, span: Span) -> Diagnostic {
        let ring = self.open.get(first..).unwrap_or_default();
        let mut chain: Vec<&str> = ring.iter().map(|file| file.path.as_str()).collect();
        chain.push(target.as_str());
        let message = format!("the include goes round in a circle: `{}`", chain.join("` → `"));
        let mut diagnostic = Diagnostic::error(code::INCLUDE_CYCLE, span, message).label("and here it starts again");
        for (including, included) in ring.iter().zip(ring.iter().skip(1)) {
            if let Some(at) = included.included_at {
                diagnostic = diagnostic.also(at, format!("`{}` includes `{}`", including.path, included.path));
            }
        }
        diagnostic
    }

    /// Reads a file once, however often it is included.
    fn read(&mut self, path: &ProjectPath) -> Result<SourceId, ReadError> {
        if let Some(id) = self.known.get(path) {
            return Ok(*id);
        }
        let text = self.files.read(path)?;
        let id = self.sources.add_file(self.files.display_name(path), path.as_str(), text);
        self.known.insert(path.clone(), id);
        Ok(id)
    }
}

fn outside(path: &str, span: Span) -> Diagnostic {
    let message = format!("the included file `{path}` lies outside the project");
    Diagnostic::error(code::INCLUDE_OUTSIDE, span, message)
        .help("copy the file into the project; paths start at the directory of the file that includes")
}
